"""The command in a process of its own, and servers for it that say what a test wants."""

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

# What is not written out at the end must be seen to be missing.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}

Handler = Callable[[socket.socket], None]
"""What a server does with one connection; it is closed afterwards."""


@dataclass(frozen=True)
class Ended:
    """How a process has ended."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line on stderr."""
        (line,) = self.err.splitlines()
        assert self.err == f"{line}\n"
        return line


def run(
    *arguments: str,
    command: tuple[str, ...] = (sys.executable, "-m", "asgi_health"),
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
) -> Ended:
    """Run the command to its end."""
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
    return Ended(done.returncode, done.stdout, done.stderr)


@contextmanager
def interruptible() -> Iterator[None]:
    """What is started in the block can be interrupted, also where these tests cannot.

    A shell makes what it starts with `&` ignore SIGINT, as nohup does, and that is inherited; a handler is not.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def listening(handle: Handler, listener: socket.socket | None = None) -> Iterator[socket.socket]:
    """A server in a thread that gives its connections to `handle`, one after the other."""
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
                    except OSError:  # the probe has had enough
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
    """The URL of a server that gives each connection to `handle`."""
    with listening(handle) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


def saying(answer: bytes) -> Handler:
    """Read the request and answer with these bytes."""

    def handle(connection: socket.socket) -> None:
        request(connection)
        connection.sendall(answer)

    return handle


def request(connection: socket.socket) -> bytes:
    """Read a request to its end."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            break
        data += piece
    return data


def trickling(head: bytes, piece: bytes) -> Handler:
    """Answer with `head` and then with one `piece` after the other, slower than anybody wants to wait."""

    def handle(connection: socket.socket) -> None:
        request(connection)
        connection.sendall(head)
        for _ in range(1000):
            connection.sendall(piece)
            time.sleep(0.02)

    return handle


@contextmanager
def served(app: str, *arguments: str, listener: socket.socket | None = None) -> Iterator[None]:
    """A uvicorn that answers with `app`, on `listener` or where the arguments say."""
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
    """Return when somebody listens there."""
    wait_until(path.exists, f"{path} exists", BOOT)
