"""A program without a web server, in a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..servers.process import NOISE, ROOT
from ..servers.wire import ask
from ..support.waiting import wait_until
from .guard import guarded

EXAMPLES = ROOT / "docs" / "examples"
ADDRESS, QUEUE = "health.sock", "queue"
RELEASE = "release"  # a message that blocks the loop waits for this file
STALL_READY, STALL_LIVE = 0.5, 3.0  # far enough apart for a busy machine
EXIT = 10.0  # seconds until it must have ended


def note(folder: Path, event: str) -> None:
    with (folder / "events").open("a") as file:
        file.write(f"{event}\n")


@dataclass(frozen=True)
class Program:
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    @property
    def events(self) -> list[str]:
        file = self.folder / "events"
        return file.read_text().splitlines() if file.exists() else []

    def wait_for_status(self, target: str, status: int) -> None:
        wait_until(lambda: self.status(target) == status, f"{target} is {status}\n{self.log}", 30.0)

    def wait_for_event(self, event: str) -> None:
        wait_until(lambda: event in self.events, f"{event}\n{self.log}", 30.0)

    def status(self, target: str) -> int | None:
        """Return the status of the answer, None if there is none."""
        try:
            return ask(str(self.folder / ADDRESS), "GET", target).status
        except OSError:
            return None

    def send(self, message: str) -> None:
        """Put a message into the queue."""
        outside = self.folder / message
        outside.write_text(message)
        outside.rename(self.folder / QUEUE / message)

    def release(self) -> None:
        (self.folder / RELEASE).touch()

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def assert_quiet_exit(self) -> None:
        """Assert that it ends in time, with exit code 0, and without a complaint in its log."""
        try:
            code = self.process.wait(EXIT)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it still runs\n{self.log}") from None
        assert code == 0, self.log
        assert not [line for line in self.log.splitlines() if any(word in line for word in NOISE)], self.log
        assert self.status("/livez") is None


@contextmanager
def program(*command: str) -> Iterator[Program]:
    """Start a Python program and yield it when it is ready. `{folder}` in `command` is the folder with its queue."""
    with guarded() as folder:
        (folder / QUEUE).mkdir()
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *(part.format(folder=folder) for part in command)],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        running = Program(folder, process)
        try:
            wait_until(lambda: process.poll() is not None or running.status("/readyz") == 200, "it is ready", 30.0)
            assert process.poll() is None, running.log
            yield running
        finally:
            process.kill()
            process.wait()
