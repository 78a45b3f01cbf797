"""asgi-health around the other apps."""

from contextlib import AbstractContextManager, nullcontext

from asgi_health import Check, Drain, Health, HealthMiddleware, Listener, Paths

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
    """
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
    )


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
