"""The gRPC health service in processes of real servers: startup, blocked loop, workers, end."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from ..support.grpc_client import NOT_SERVING, SERVING, Client, Watching, connected, held_port
from ..support.waiting import wait_until
from .process import Running, launched, wait_for_boot
from .servers import SERVERS, UVICORN, Server
from .wire import Connection, request

pytestmark = pytest.mark.timeout(120)

BLOCKING = request("GET", "/block", [("connection", "close")])
NAMED = {row.name: row for row in SERVERS}


def variant(name: str, of: str, *more: str) -> Server:
    return replace(NAMED[of], name=name, command=(*NAMED[of].command, *more))


PRELOADED = variant("gunicorn-uvicorn-preloaded", "gunicorn-uvicorn-worker", "--preload")
WITH_LIFESPAN = [UVICORN, PRELOADED, *map(NAMED.__getitem__, ("gunicorn-asgi", "granian-asyncio", "hypercorn-trio"))]
WITHOUT = [NAMED["uvicorn-lifespan-off"], NAMED["daphne"]]
WORKERS = [
    variant("uvicorn-2-workers", UVICORN.name, "--workers", "2"),
    variant("gunicorn-2-preloaded", "gunicorn-uvicorn-worker", "--preload", "--workers", "2"),
    variant("granian-2-workers", "granian-asyncio", "--workers", "2"),
]


@pytest.fixture
def port() -> Iterator[int]:
    with held_port() as port:
        yield port


@pytest.fixture
def address(port: int) -> str:
    return f"127.0.0.1:{port}"


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with connected(address) as client:
        yield client


def statuses(client: Client) -> list[str]:
    return [client.check(probe) for probe in ("readiness", "liveness", "startup")]


def wait_for(client: Client, running: Running, *expected: str) -> None:
    wait_until(lambda: statuses(client) == [*expected], lambda: f"{expected}: {statuses(client)}\n{running.log}")


def block_and_release(client: Client, running: Running) -> None:
    with Connection(running.address) as busy:
        busy.send(BLOCKING)
        wait_for(client, running, NOT_SERVING, NOT_SERVING, SERVING)
        running.folder.unblock()
        assert busy.exchange(b"", "GET").status == 200
    wait_for(client, running, SERVING, SERVING, SERVING)


@pytest.mark.parametrize("server", WITH_LIFESPAN, ids=str)
def test_it_answers_from_before_the_startup_to_the_end(server: Server, address: str, client: Client) -> None:
    with launched(server, checks=("dependency",), grpc=address, waits=True) as running:
        wait_for(client, running, NOT_SERVING, SERVING, NOT_SERVING)
        running.folder.go.touch()
        wait_for_boot(running)
        wait_for(client, running, SERVING, SERVING, SERVING)
        block_and_release(client, running)
        watching = Watching(client)
        watching.wait_for(SERVING)
        running.folder.broken.touch()
        watching.wait_for(SERVING, NOT_SERVING)
        wait_for(client, running, NOT_SERVING, SERVING, SERVING)
        running.folder.broken.unlink()
        watching.wait_for(SERVING, NOT_SERVING, SERVING)
        running.stop().assert_quiet()
        wait_until(lambda: watching.code == "UNAVAILABLE", "the call of the watcher ends")
        assert watching.seen == [SERVING, NOT_SERVING, SERVING, NOT_SERVING]
        assert client.check() == "UNAVAILABLE"


@pytest.mark.parametrize("server", WITHOUT, ids=str)
def test_without_lifespan_it_answers_from_the_first_request_on(server: Server, address: str, client: Client) -> None:
    with launched(server, checks=("dependency",), grpc=address) as running:
        wait_for_boot(running)
        wait_for(client, running, SERVING, SERVING, SERVING)
        block_and_release(client, running)
        Watching(client).wait_for(SERVING)
        running.stop().assert_quiet()
        assert client.check() == "UNAVAILABLE"


@pytest.mark.parametrize("server", [UVICORN, PRELOADED, NAMED["granian-asyncio"]], ids=str)
def test_an_address_in_use_is_a_failed_startup(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = "{}:{}".format(*other.getsockname())
        with launched(server, grpc=address) as running:
            assert running.process.wait(30.0) == {"uvicorn": 3, "gunicorn": 3, "granian": 1}[server.name.split("-")[0]]
            assert f"grpc: cannot listen on {address}: Address already in use" in running.log
            assert running.folder.events == []


def listening_sockets(port: int) -> set[str]:
    """Return the inodes of the sockets that listen on the port."""
    found: set[str] = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[1].endswith(f":{port:04X}") and fields[3] == "0A":
                found.add(fields[9])
    return found


@pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="it reads the sockets from /proc")
@pytest.mark.parametrize("server", WORKERS, ids=str)
def test_two_workers_share_a_port_and_each_answers(server: Server, port: int, address: str) -> None:
    with launched(server, grpc=address) as running, ExitStack() as stack:
        wait_for_boot(running)
        wait_until(lambda: len(listening_sockets(port)) == 2, lambda: f"both listen\n{running.log}")
        clients = [stack.enter_context(connected(address)) for _ in range(20)]
        for client in clients:
            wait_for(client, running, SERVING, SERVING, SERVING)
        running.stop().assert_quiet()
        assert not listening_sockets(port)


def seconds_to_exit(running: Running) -> float:
    began = time.monotonic()
    running.stop().assert_quiet()
    return time.monotonic() - began


def test_the_process_ends_as_soon_as_without_it(address: str, client: Client) -> None:
    with launched(UVICORN) as without:
        wait_for_boot(without)
        alone = seconds_to_exit(without)
    with launched(UVICORN, grpc=address) as running:
        wait_for_boot(running)
        watching = [Watching(client) for _ in range(50)]
        for each in watching:
            each.wait_for(SERVING)
        assert f"the gRPC health service answers at {address}" in running.log
        with_watchers = seconds_to_exit(running)
    assert with_watchers < alone + 1.0  # of a busy machine
