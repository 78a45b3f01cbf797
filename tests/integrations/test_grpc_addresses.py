"""The addresses of the gRPC health service: which are refused, in use, shared, and left to the next process."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from asgi_health import CannotListen, Health, HealthMiddleware, Listener
from asgi_health.integrations.grpc import Grpc
from tests.servers.process import ROOT
from tests.support.grpc_client import SERVING, connected, held_port
from tests.support.lifespan_apps import lifespan_app
from tests.support.lifespan_driver import LifespanDriver
from tests.support.waiting import wait_until

pytestmark = pytest.mark.anyio

FOREIGN = "203.0.113.1:1"
"""An address for documentation, which no host has."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def port() -> Iterator[int]:
    with held_port() as port:
        yield port


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for a unix socket, and has what a URL would escape."""
    with tempfile.TemporaryDirectory(prefix="asgi health%20#") as name:
        yield Path(name)


@pytest.fixture
def path(folder: Path) -> str:
    return str(folder / "grpc")


def answer(target: str) -> str:
    # gRPC's own form of the path of a unix socket escapes nothing here: a short name without such characters.
    with tempfile.TemporaryDirectory(prefix="asgi-health-") as name:
        if "/" in target:
            link = Path(name) / "socket"
            link.symlink_to(target)
            target = str(link)
        with connected(target) as client:
            return client.check("liveness")


async def check(target: str | int) -> str:
    return await anyio.to_thread.run_sync(answer, f"127.0.0.1:{target}" if isinstance(target, int) else target)


@asynccontextmanager
async def serving(*addresses: str, **options: Any) -> AsyncIterator[None]:
    async with Health().running(integrations=[Grpc(each) for each in addresses], **options):
        yield


@pytest.mark.parametrize("address", ["", "50051", ":50051", "unix:/run/grpc", "dns:///localhost:50051", "h:70000"])
def test_an_address_that_could_not_work_is_refused_when_it_is_made(address: str) -> None:
    with pytest.raises(ValueError, match=f"^grpc: address {address!r}"):
        Grpc(address)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"stall_ready": 40.0}, ValueError, "grpc: stall_live 30.0 s must not be shorter than stall_ready 40.0 s"),
        ({"mode": 0o666}, ValueError, "grpc: mode 0o666 applies to the file of a unix socket"),
        ({"credentials": "server.pem"}, TypeError, "grpc: credentials must be of type ServerCredentials"),
        ({"checks": ["database"]}, TypeError, "grpc: checks must be of type bool"),
    ],
)
def test_an_option_that_could_not_work_is_refused_when_it_is_made(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        Grpc("127.0.0.1:50051", **options)
    assert str(caught.value).startswith(message)


async def test_an_address_in_use_is_a_failed_startup() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        message = f"grpc: cannot listen on {address}: Address already in use"
        server = LifespanDriver(HealthMiddleware(lifespan_app, integrations=[Grpc(address)]))
        server.send("startup")
        await server.run()
        assert server.received == ["startup.failed"]
        with pytest.raises(CannotListen) as caught:
            async with serving(address):
                raise AssertionError("it runs")
        assert str(caught.value) == message


async def test_an_address_of_another_host_is_a_failed_startup() -> None:
    with pytest.raises(CannotListen, match=rf"grpc: cannot listen on {re.escape(FOREIGN)}: Cannot assign requested"):
        async with serving(FOREIGN):
            raise AssertionError("it runs")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])
async def test_a_port_of_this_process_is_refused(host: str, port: int) -> None:
    """Each probe would reach one of the two."""
    async with serving(f"127.0.0.1:{port}"):
        with pytest.raises(CannotListen, match="another listener of this process uses it"):
            async with serving(f"{host}:{port}"):
                raise AssertionError("it runs")
        assert await check(port) == SERVING
    with pytest.raises(CannotListen, match="another listener of this process uses it"):
        async with serving(f"{host}:{port}", listener=Listener(f"127.0.0.1:{port}")):
            raise AssertionError("it runs")
    async with serving(f"{host}:{port}"):  # the others have released it
        assert await check(port) == SERVING


async def test_the_wildcard_address_is_that_of_each_interface(port: int) -> None:
    async with serving(f"0.0.0.0:{port}"):
        assert await check(port) == SERVING


@pytest.mark.parametrize("mode", [None, 0o600, 0o666])
async def test_a_unix_socket_has_its_mode_and_is_gone_at_the_end(mode: int | None, path: str, folder: Path) -> None:
    server = Grpc(path) if mode is None else Grpc(path, mode=mode)
    umask = os.umask(0o077)
    try:
        async with Health().running(integrations=[server]):
            assert stat.S_IMODE(os.stat(path).st_mode) == (0o660 if mode is None else mode)
            assert await check(path) == SERVING
            assert os.listdir(folder) == ["grpc"]
    finally:
        os.umask(umask)
    assert os.listdir(folder) == []


async def test_the_socket_of_a_running_process_is_not_replaced_and_that_of_an_ended_one_is(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        other.listen()
        with pytest.raises(CannotListen) as caught:
            async with serving(path):
                raise AssertionError("it runs")
        assert str(caught.value) == f"grpc: cannot listen on {path}: Address already in use"
    async with serving(path):
        assert await check(path) == SERVING


async def test_a_path_that_cannot_be_bound_is_a_failed_startup(folder: Path) -> None:
    (folder / "file").write_text("precious")
    for path, reason in {
        str(folder / "file"): "Address already in use",
        str(folder / "missing" / "grpc"): "No such file or directory",
        str(folder / ("long" * 40)): "AF_UNIX path too long",
    }.items():
        with pytest.raises(CannotListen) as caught:
            async with serving(path):
                raise AssertionError("it runs")
        assert str(caught.value).startswith(f"grpc: cannot listen on {path}: {reason}")
    assert (folder / "file").read_text() == "precious"
    assert os.listdir(folder) == ["file"]


async def test_a_socket_that_another_process_has_put_in_its_place_is_not_removed(path: str) -> None:
    async with serving(path):
        os.unlink(path)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(path)
    assert stat.S_ISSOCK(os.stat(path).st_mode)


async def test_a_server_that_cannot_start_leaves_the_others_and_the_address(port: int, path: str, folder: Path) -> None:
    with pytest.raises(CannotListen):
        async with serving(path, FOREIGN, f"127.0.0.1:{port}"):
            raise AssertionError("it runs")
    assert not os.listdir(folder)
    async with serving(path, f"127.0.0.1:{port}"):
        assert await check(path) == await check(port) == SERVING


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_forked_child_does_not_keep_the_address_of_a_process_that_has_died(kind: str, port: int, path: str) -> None:
    """It would accept connections that no process answers, with SO_REUSEPORT those of the successor too."""
    address: Any = ("127.0.0.1", port) if kind == "tcp" else path
    program = subprocess.Popen(
        [sys.executable, "-m", f"{__package__}.forking_with_grpc", f"127.0.0.1:{port}" if kind == "tcp" else path],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert program.stdout is not None
    try:
        child = int(program.stdout.readline())
        assert answer(f"127.0.0.1:{port}" if kind == "tcp" else path) == SERVING
        program.kill()
        program.wait(10.0)
        os.kill(child, 0)
        with socket.socket(socket.AF_INET if kind == "tcp" else socket.AF_UNIX) as client:
            with pytest.raises(ConnectionRefusedError):
                client.connect(address)
    finally:
        os.killpg(program.pid, signal.SIGKILL)
        program.wait(10.0)
        program.stdout.close()


def test_each_process_forks_with_a_server_that_is_not_started() -> None:
    """A server that is made before the fork of a worker has no part of gRPC that a fork would break."""
    with held_port() as port:
        address = f"127.0.0.1:{port}"
        program = f"""
import asyncio, os
from asgi_health import Health
from asgi_health.integrations.grpc import Grpc
import grpc

server = Grpc({address!r})
async def main():
    async with Health().running(integrations=[server]):
        await asyncio.sleep(60)
assert len(os.listdir("/proc/self/task")) == 1
if os.fork():
    os.wait()
else:
    asyncio.run(main())
"""
        process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, start_new_session=True)
        try:
            wait_until(lambda: answer(address) == SERVING, "the child answers")
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10.0)


ENDS = """
import asyncio
from asgi_health import HealthMiddleware
from asgi_health.integrations.grpc import Grpc

async def app(scope, receive, send):
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": b""}})

async def nothing(*_):
    return {{"type": "http.request"}}

async def main():
    scope = {{"type": "http", "method": "GET", "path": "/", "headers": []}}
    await HealthMiddleware(app, integrations=[Grpc({!r})])(scope, nothing, nothing)
    input()

asyncio.run(main())
"""


def test_a_process_that_ends_without_a_shutdown_ends_at_once_while_calls_come(port: int) -> None:
    """The executor of grpcio's examples delays the end of the interpreter, for ever where a call waits for gRPC."""
    address = f"127.0.0.1:{port}"
    ended = threading.Event()

    def call_again_and_again() -> None:
        with connected(address) as client:
            while not ended.is_set():
                client.check()

    program = subprocess.Popen(
        [sys.executable, "-c", ENDS.format(address)], cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    callers = [threading.Thread(target=call_again_and_again) for _ in range(4)]
    try:
        wait_until(lambda: answer(address) == SERVING, "it answers")
        for each in callers:
            each.start()
        _, errors = program.communicate("\n", timeout=30.0)
    finally:
        ended.set()
        for each in callers:
            each.join(10.0)
        program.kill()
    assert (program.returncode, errors) == (0, "")
