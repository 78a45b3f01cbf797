"""Run the command in a process of its own, and serve it scripted answers."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..servers.process import BOOT, ROOT
from ..support.waiting import wait_until

SCRIPT = Path(sys.executable).with_name("asgi-health")

# Without PYTHONUNBUFFERED, so that a test sees if the command does not flush its output at the end.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}

Handler = Callable[[socket.socket], None]
"""Handles one connection of a server, which closes it afterwards."""


@dataclass(frozen=True)
class Completed:
    """The exit code and the output of a process that has ended."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The only line on stderr."""
        (line,) = self.err.splitlines()
        assert self.err == f"{line}\n"
        return line


def run(
    *arguments: str,
    command: tuple[str, ...] = (sys.executable, "-m", "asgi_health"),
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
) -> Completed:
    """Run the command until it ends."""
    done = subprocess.run(
        [*command, *arguments],
        cwd=cwd,
        env=ENVIRONMENT | dict(env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Completed(done.returncode, done.stdout, done.stderr)


@contextmanager
def interruptible() -> Iterator[None]:
    """Make processes that are started in the block react to SIGINT, even if the tests ignore it.

    A shell makes a job that it starts with `&` ignore SIGINT, and child processes inherit that. They do not inherit a
    handler.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def listening(handle: Handler, listener: socket.socket | None = None) -> Iterator[socket.socket]:
    """Run a server in a thread. It passes its connections to `handle`, one after the other."""
    with listener or socket.create_server(("127.0.0.1", 0)) as opened:

        def serve() -> None:
            while True:
                try:
                    connection, _ = opened.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(10.0)
                    try:
                        handle(connection)
                    except OSError:  # the probe has closed the connection
                        pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield opened
        finally:
            opened.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextmanager
def scripted(handle: Handler) -> Iterator[str]:
    """Run such a server and return its URL."""
    with listening(handle) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


def respond_with(response: bytes) -> Handler:
    """Return a handler that reads the request and sends `response`."""

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(response)

    return handle


def read_request(connection: socket.socket) -> bytes:
    """Return the head of the request."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            break
        data += piece
    return data


def respond_slowly(head: bytes, piece: bytes) -> Handler:
    """Return a handler that sends `head` and then `piece` again and again, for 20 seconds."""

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(head)
        for _ in range(1000):
            connection.sendall(piece)
            time.sleep(0.02)

    return handle


@contextmanager
def uvicorn(app: str, *arguments: str, listener: socket.socket | None = None) -> Iterator[None]:
    """Run uvicorn with `app`, on `listener` or on the address in `arguments`."""
    inherited = () if listener is None else ("--fd", str(listener.fileno()))
    with subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "--log-level", "warning", *inherited, *arguments, app],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=() if listener is None else (listener.fileno(),),
    ) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(10.0)


def wait_for_socket(path: Path) -> None:
    """Return when the socket exists."""
    wait_until(path.exists, f"{path} exists", BOOT)
