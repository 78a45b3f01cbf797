"""A TCP connection, against every real server's kernel."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from asgi_health import Status
from asgi_health.checks.tcp import tcp_connect
from tests.support.waiting import wait_until_async

from .conftest import GetServer
from .loops import on_each_loop
from .observe import expect, observe, recovers
from .port import HOST
from .servers import Server

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("checks http")]


@pytest.fixture
def server(get_server: GetServer) -> Iterator[Server]:
    server = get_server("http")
    yield server
    server.restore()


@on_each_loop
async def test_a_server_that_was_killed_is_refused_and_recovers(server: Server) -> None:
    check = tcp_connect(HOST, server.port)
    await expect(check, Status.HEALTHY, "^$")
    server.daemon.kill()
    await expect(check, Status.UNHEALTHY, "^ConnectionRefusedError: ", category="refused")
    server.start()
    await recovers(check)


@on_each_loop
async def test_a_frozen_process_is_healthy_as_the_docstring_says(server: Server) -> None:
    check = tcp_connect(HOST, server.port)
    server.daemon.freeze()
    await expect(check, Status.HEALTHY, "^$")


@on_each_loop
async def test_a_host_that_drops_packets_is_a_timeout() -> None:
    with full_backlog() as port:
        await expect(tcp_connect(HOST, port), Status.UNHEALTHY, r"^timed out after 0\.2 s$", timeout=0.2)
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            await expect(tcp_connect(HOST, port), Status.UNHEALTHY, r"^timed out after 0\.2 s$", timeout=0.2)
        await wait_until_async(lambda: len(os.listdir("/proc/self/fd")) <= before, "all descriptors are closed")


@pytest.mark.parametrize(
    "anyio_backend", ["asyncio", "trio"]
)  # uvloop does not use socket.getaddrinfo, which is replaced here
async def test_every_address_of_a_name_that_refuses_is_reported(
    free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(*_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, free_port)) for host in ("127.0.0.2", "127.0.0.3")]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    refused = "ConnectionRefusedError: [^;]+"
    both = f"^ExceptionGroup: {refused}; {refused}$"
    await expect(tcp_connect("two.invalid", free_port), Status.UNHEALTHY, both, category="refused")


@on_each_loop
async def test_a_name_without_an_address_fails() -> None:
    await expect(tcp_connect("missing.invalid", 80), Status.UNHEALTHY, "^gaierror: ", timeout=20.0, category="dns")


@on_each_loop
async def test_sixty_runs_leak_nothing(server: Server) -> None:
    check = tcp_connect(HOST, server.port)
    await expect(check, Status.HEALTHY, "")
    threads = threading.active_count()
    files = len(os.listdir("/proc/self/fd"))
    for _ in range(60):
        assert (await observe(check)).result.status is Status.HEALTHY
    await wait_until_async(lambda: server.connections() == 0, "no client is connected")
    await wait_until_async(lambda: len(os.listdir("/proc/self/fd")) <= files, "all descriptors are closed")
    await wait_until_async(lambda: threading.active_count() <= threads, "all threads have ended")


@pytest.mark.parametrize(
    ("host", "port", "error"),
    [
        (None, 80, TypeError),
        (b"host", 80, TypeError),
        ("", 80, ValueError),
        ("http://host", 80, ValueError),
        ("user@host", 80, ValueError),
        ("host", "80", TypeError),
        ("host", True, TypeError),
        ("host", 0, ValueError),
        ("host", 65536, ValueError),
    ],
)
def test_a_wrong_address_is_refused_when_the_check_is_made(host: Any, port: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^tcp_connect: (host|port) must be "):
        tcp_connect(host, port)


@contextmanager
def full_backlog() -> Iterator[int]:
    """A port whose queue is full, so that the kernel drops new connections."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((HOST, 0))
        listener.listen(0)
        while True:
            client = stack.enter_context(socket.socket())
            client.settimeout(0.3)
            try:
                client.connect(listener.getsockname())
            except TimeoutError:
                yield listener.getsockname()[1]
                return
