"""asgi-health around the other apps."""

import atexit
import os
import socket
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from uuid import uuid4

from asgi_health import Board, Check, Drain, Health, HealthMiddleware, Listener, Paths

from ..servers import HOST, free_port
from ..setup import METRICS, App, Setup
from . import limit

# Frameworks are imported in the functions: the process that measures asgi-health alone must not have one.


def _checks(setup: Setup) -> list[Check]:
    return [Check(name, run, interval=setup.interval, timeout=setup.timeout) for name, run in setup.checks]


def _around(app: App, setup: Setup) -> App:
    checks = _checks(setup)
    return HealthMiddleware(
        app,
        checks,
        paths=Paths(metrics=METRICS if setup.metrics else None),
        details=setup.details,
        slow_loop=setup.slow_loop,
        allow_metrics=setup.metrics,
    )


def around_limit(setup: Setup) -> App:
    """Return it around the app of constant messages."""
    return _around(limit.app(setup), setup)


def around_limit_with_everything(setup: Setup) -> App:
    """Return it around the app of constant messages, with every option that observes or shows something.

    The contexts around the runs and the subscribers do nothing: a tracer and an exporter have costs of their own.
    Alerts go to a port that refuses them, and what systemd is sent waits in a socket that is never read.
    """
    from asgi_health.integrations.alerts import Alerts, Webhook
    from asgi_health.integrations.grpc import Grpc
    from asgi_health.integrations.systemd import Systemd

    _listen_as_systemd()
    health = Health(_checks(setup))
    health.around_runs(_no_context)
    health.subscribe(_discard)
    health.subscribe(_discard_in_loop)
    return HealthMiddleware(
        limit.app(setup),
        health,
        paths=Paths(metrics=METRICS),
        details=True,
        drain=Drain(envoy=True),
        listener=Listener(f"{HOST}:{free_port()}"),
        slow_loop=setup.slow_loop,
        quiet=True,
        envoy_degraded=True,
        integrations=[
            Alerts([Webhook(f"http://{HOST}:{free_port()}/")]),
            Systemd(),
            Grpc(f"{HOST}:{free_port()}"),
        ],
    )


def around_limit_with_board(setup: Setup) -> App:
    """Return it around the app of constant messages, as one of four workers of a host that share a board."""
    return HealthMiddleware(
        limit.app(setup),
        _checks(setup),
        details=setup.details,
        slow_loop=setup.slow_loop,
        board=Board(_board_of_neighbours()),
    )


def _board_of_neighbours() -> str:
    """Start the other workers, which end with this process, and return the path of their board."""
    neighbours = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.neighbours"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # they remove their file when this process is killed with its group
    )
    atexit.register(neighbours.communicate)
    assert neighbours.stdout is not None
    return neighbours.stdout.readline().strip()


def _listen_as_systemd() -> None:
    address = f"asgi-health-benchmark-{uuid4().hex}"
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(f"\0{address}")
    atexit.register(receiver.close)
    os.environ |= {"NOTIFY_SOCKET": f"@{address}", "WATCHDOG_USEC": "10000000", "WATCHDOG_PID": str(os.getpid())}


def _no_context(run: object) -> AbstractContextManager[None]:
    return nullcontext()


def _discard(transition: object) -> None:
    pass


async def _discard_in_loop(transition: object) -> None:
    pass


def around_starlette(setup: Setup) -> App:
    """Return it around Starlette."""
    from .hand import starlette_base

    return _around(starlette_base(setup), setup)


def around_fastapi(setup: Setup) -> App:
    """Return it around FastAPI."""
    from .hand import fastapi_base

    return _around(fastapi_base(setup), setup)
