"""Facts of docs/reference/servers.md that no other test shows: what the servers do, and what their defaults are."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from inspect import iscoroutinefunction
from typing import Any

import granian.cli
import gunicorn.config
import hypercorn.config
import hypercorn.utils
import pytest
import uvicorn
from asgiref.compatibility import is_double_callable
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from ..apps import plain_app
from ..support.waiting import wait_until
from .process import Running, launched, wait_for_boot
from .servers import SERVERS, UVICORN, Server
from .wire import Connection, request

pytestmark = pytest.mark.timeout(60)

_NAMED = {row.name: row for row in SERVERS}
H11 = _NAMED["uvicorn-h11-asyncio"]


def test_only_gunicorn_and_hypercorn_limit_by_default_how_long_they_wait_for_open_requests() -> None:
    assert uvicorn.Config(plain_app).timeout_graceful_shutdown is None
    assert gunicorn.config.GracefulTimeout.default == 30
    assert hypercorn.config.Config().graceful_timeout == 3.0
    # granian has a limit for its workers alone, which is off by default.
    assert [each.name for each in granian.cli.cli.params if "kill" in str(each.name)] == ["workers_kill_timeout"]


def test_uvicorn_looks_after_five_seconds_whether_a_worker_answers() -> None:
    assert uvicorn.Config(plain_app).timeout_worker_healthcheck == 5


class Plain:
    """An app whose `__call__` returns the coroutine."""

    def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        return plain_app(scope, receive, send)


def test_an_app_whose_call_is_a_plain_function_is_taken_for_one_of_another_interface() -> None:
    app = Plain()
    assert not iscoroutinefunction(app.__call__)
    config = uvicorn.Config(app)
    config.load()
    assert config.interface == "asgi2"
    assert not hypercorn.utils.is_asgi(app)
    assert is_double_callable(app)  # type: ignore[no-untyped-call]  # what daphne asks: an app of ASGI 2


def test_the_handler_of_sigint_is_a_method_of_the_server_of_uvicorn_which_shows_that_it_stops() -> None:
    server = uvicorn.Server(uvicorn.Config(plain_app))
    with server.capture_signals():
        handler: Any = signal.getsignal(signal.SIGINT)
    assert handler.__self__ is server
    assert not server.should_exit
    handler(signal.SIGINT, None)
    assert server.should_exit


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_uvicorn_takes_the_address_of_the_client_from_a_header_of_a_local_proxy(address: str) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["client"])

    config = uvicorn.Config(app)
    config.load()
    assert isinstance(config.loaded_app, ProxyHeadersMiddleware)
    for peer in (address, "192.0.2.7"):
        scope: Any = {"type": "http", "client": (peer, 4000), "headers": [(b"x-forwarded-for", b"10.0.0.9")]}
        asyncio.run(config.loaded_app(scope, None, None))  # type: ignore[arg-type]
    assert seen == [("10.0.0.9", 0), ("192.0.2.7", 4000)]


@pytest.mark.parametrize("server", [UVICORN, H11], ids=str, scope="session", indirect=True)
def test_uvicorn_speaks_no_http_2(running: Running) -> None:
    with Connection(running.address) as connection:
        # h11 takes the beginning of the preface for a request.
        assert connection.exchange(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), "PRI").version == "HTTP/1.1"


@pytest.mark.parametrize(
    ("server", "status"), [(UVICORN, 200), (H11, 400)], ids=str, scope="session", indirect=["server"]
)
def test_http_1_1_without_a_host_header_is_refused_by_h11_alone(running: Running, status: int) -> None:
    with Connection(running.address) as connection:
        raw = request("GET", "/readyz", [("connection", "close")]).replace(b"host: localhost\r\n", b"")
        assert connection.exchange(raw, "GET").status == status


def test_gunicorn_removes_the_file_of_its_socket_at_the_first_signal() -> None:
    command = (
        "gunicorn",
        "{app}",
        "--bind",
        "unix:{unix}",
        "--no-control-socket",
        "-k",
        "uvicorn_worker.UvicornWorker",
    )
    with launched(Server("gunicorn", command), drain=300.0) as running:
        wait_for_boot(running)
        running.terminate()
        wait_until(lambda: not os.path.exists(str(running.address)), "the file is removed")
        assert running.process.poll() is None, "while the worker drains"


def test_hypercorn_without_workers_on_trio_is_killed_by_the_signal() -> None:
    trio = _NAMED["hypercorn-trio"]
    without = replace(trio, command=tuple("0" if part == "1" else part for part in trio.command))
    with launched(without) as running:
        wait_for_boot(running)
        end = running.stop()
    assert (end.code, end.events) == (-signal.SIGTERM, ["startup"])


def test_a_job_in_the_background_of_a_shell_ignores_sigint() -> None:
    program = "import signal; print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"
    done = subprocess.run(
        ["sh", "-c", '"$0" -c "$1" & wait', sys.executable, program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "True\n"
