"""A server in a process of its own, which starts on a bound socket and never outlives its test."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..support.waiting import wait_until
from .apps import VARIABLE, Folder, Settings
from .servers import Server
from .wire import Address, Answer, ask

ROOT = Path(__file__).parents[2]
BOOT = 30.0  # seconds in which a server must answer
EXIT = 10.0  # seconds in which it must be gone after SIGTERM

# What no server may write to its standard error.
NOISE = ("Traceback", "was never awaited", "was destroyed but it is pending", "Exception ignored")


@dataclass(frozen=True)
class Exit:
    """How a server has ended.

    Attributes:
        server: The server.
        code: Its exit code; None: it still runs after `EXIT` seconds.
        alone: Whether the processes that it started have ended too.
        log: Its standard output and error.
        events: What its app has noted.
    """

    server: Server
    code: int | None
    alone: bool
    log: str
    events: list[str]

    @property
    def noise(self) -> list[str]:
        return [line for line in self.log.splitlines() if any(word in line for word in NOISE)]

    def assert_quiet(self) -> None:
        """Check that it ended in time, with all its processes, and has logged no traceback or warning."""
        assert self.code is not None, f"{self.server} still runs {EXIT} s after SIGTERM\n{self.log}"
        assert self.alone, f"{self.server} left processes behind\n{self.log}"
        assert not self.noise, f"{self.server} wrote\n{self.log}"


@dataclass
class Running:
    """A server that answers."""

    server: Server
    address: Address
    folder: Folder
    process: subprocess.Popen[bytes]
    deadline: float = 0.0  # for its exit, from the signal on

    def ask(self, method: str, target: str, *headers: tuple[str, str], body: bytes = b"") -> Answer:
        return ask(self.address, method, target, headers, body)

    def status(self, target: str) -> int:
        return self.ask("GET", target).status

    @property
    def log(self) -> str:
        return (self.folder.path / "log").read_text()

    def wait_for_status(self, target: str, status: int) -> None:
        wait_until(lambda: self.status(target) == status, lambda: f"{target} is {status}\n{self.log}")

    def wait_for_body(self, target: str, body: bytes) -> None:
        wait_until(lambda: self.ask("GET", target).body == body, lambda: f"{target} is {body!r}\n{self.log}")

    def terminate(self) -> None:
        """Send SIGTERM to its first process only, as an orchestrator does with a container."""
        self.process.send_signal(signal.SIGTERM)
        self.deadline = time.monotonic() + EXIT

    def wait_for_exit(self) -> Exit:
        try:
            code = self.process.wait(max(0.0, self.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return Exit(self.server, None, False, self.log, self.folder.events)
        return Exit(self.server, code, self._is_alone(), self.log, self.folder.events)

    def stop(self) -> Exit:
        self.terminate()
        return self.wait_for_exit()

    def _is_alone(self) -> bool:
        def gone() -> bool:
            try:
                os.killpg(self.process.pid, 0)
            except ProcessLookupError:
                return True
            return False

        try:
            wait_until(gone, "its process group is gone", timeout=5.0)
        except AssertionError:
            return False
        return True


@contextmanager
def launched(
    server: Server,
    *,
    app: str = "bare",
    health: bool = True,
    checks: tuple[str, ...] = (),
    prefix: tuple[str, ...] = (),
    **more: Any,
) -> Iterator[Running]:
    """Start a server, which may not answer yet, and kill all its processes at the end of the block.

    `prefix` is a command that executes the one that follows it.
    """
    with tempfile.TemporaryDirectory(prefix="asgi-health-") as name:
        folder = Path(name)
        settings = Settings(name, app, health, checks, **more)
        with _address(server, folder) as (address, inherited), (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [*prefix, *_command(server, address, inherited)],
                cwd=ROOT,
                env=os.environ | {VARIABLE: settings.dump(), "PYTHONUNBUFFERED": "1", "PYTHONHASHSEED": "0"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=inherited,
                start_new_session=True,
            )
        try:
            yield Running(server, address, Folder(folder), process)
        finally:
            _kill(process)


@contextmanager
def started(
    server: Server, *, app: str = "bare", health: bool = True, checks: tuple[str, ...] = (), **more: Any
) -> Iterator[Running]:
    """Start a server, and wait until it answers."""
    with launched(server, app=app, health=health, checks=checks, **more) as running:
        wait_for_boot(running)
        yield running


def wait_for_boot(running: Running) -> None:
    def answers() -> bool:
        if running.process.poll() is not None:
            raise AssertionError(f"ended with {running.process.returncode} before it answered\n{running.log}")
        try:
            # Not a probe, which would run the checks where there is no lifespan.
            return running.status("/ordinary") > 0
        except OSError:
            return False

    wait_until(answers, lambda: f"{running.server} answers\n{running.log}", BOOT)


@contextmanager
def _address(server: Server, folder: Path) -> Iterator[tuple[Address, tuple[int, ...]]]:
    """Return its address: a path in its own folder, or a socket bound here, so that no other process gets the port."""
    if server.on_unix_socket:
        yield str(folder / "socket"), ()
    else:
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
            yield listener.getsockname(), (listener.fileno(),)


def _command(server: Server, address: Address, inherited: tuple[int, ...]) -> list[str]:
    values = {"app": f"{__package__}.target:app", "unix": address, "fd": inherited[0] if inherited else None}
    return [sys.executable, "-m", *(part.format(**values) for part in server.command)]


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
