"""One host: a server with several workers, faults of one worker at a time, and what the host answers."""

import os
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from tests.servers.process import Running
from tests.servers.wire import Address, Connection
from tests.support.waiting import wait_until

from ..rolling.backend import launched
from .app import SHARED, HostFolder, Settings
from .servers import WorkersServer

PROBES = 60
"""Probes that a host is asked at a time, each on a connection of its own."""


@dataclass
class Host:
    """A server, and the numbers of its worker processes."""

    running: Running
    server: WorkersServer
    folder: HostFolder
    ended: set[int] = field(default_factory=set[int])
    """Workers that have ended, as far as noticed."""

    @classmethod
    def of(cls, running: Running, server: WorkersServer) -> "Host":
        """Return the host that is `running`."""
        return cls(running, server, HostFolder(running.folder.path))

    # -- its workers

    @property
    def pids(self) -> list[int]:
        """The workers that have begun to start and exist, in the order of their starts."""
        noted = [int(event.split()[1]) for event in self.folder.events if event.startswith("worker ")]
        self.ended.update(pid for pid in noted if pid not in self.ended and not _exists(pid))
        return [pid for pid in noted if pid not in self.ended]

    def wait_for_workers(self, number: int) -> None:
        """Wait until that number of have begun to start."""
        wait_until(lambda: len(self.pids) == number, lambda: f"{number} workers\n{self.running.log}")

    def runs(self) -> list[tuple[int, float]]:
        """Return the runs of the check of the host so far: the worker, and the moment (monotonic seconds)."""
        noted = [event.split() for event in self.folder.events if event.startswith(f"{SHARED} ")]
        return [(int(pid), float(at)) for _, pid, at in noted]

    def slots(self) -> int:
        """Return how many workers are on the board, also those that do not count any more."""
        with closing(sqlite3.connect(self.folder.board)) as connection:
            tables = connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 'worker%'").fetchall()
            return sum(connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for (name,) in tables)

    # -- faults

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        self.ended.add(pid)

    @contextmanager
    def sick(self, pid: int) -> Iterator[None]:
        """Make a check of that worker fail until the end of the block."""
        self.folder.sick(pid).touch()
        try:
            yield
        finally:
            self.folder.sick(pid).unlink()

    @contextmanager
    def blocked(self, pid: int) -> Iterator[None]:
        """Block the event loop of that worker, from the run of its check until the end of the block."""
        before = self.folder.events.count(f"blocked {pid}")
        os.mkfifo(self.folder.block(pid))
        wait_until(lambda: self.folder.events.count(f"blocked {pid}") > before, lambda: self.running.log)
        try:
            yield
        finally:
            os.close(os.open(self.folder.block(pid), os.O_WRONLY))

    @contextmanager
    def stopped(self, pid: int) -> Iterator[None]:
        """Stop that worker by SIGSTOP until the end of the block."""
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    # -- its answers

    def wait_for_answers(self, path: str, status: int, *, silent: int | None = None) -> None:
        """Wait until each worker by itself, and all of 60 probes to the host, answer `path` with `status`.

        Args:
            path: The path of a probe.
            status: The status.
            silent: The worker that is blocked or stopped, if any, which answers nothing at the address of the host.
        """
        seen: object = None

        def all_answer() -> bool:
            nonlocal seen
            answers = {pid: status_of(self.folder.listener(pid), path) for pid in self.pids if pid != silent}
            seen = answers
            if set(answers.values()) != {status}:
                return False
            with ThreadPoolExecutor(6) as pool:
                found = Counter(pool.map(lambda _: status_of(self.running.address, path), range(PROBES)))
            seen = answers, found
            if silent is not None and self.server.queues_apart:
                return set(found) <= {status, None} and status in found
            return found == {status: PROBES}

        wait_until(all_answer, lambda: f"{path} is {status}, found {seen}\n{self.running.log}")


@contextmanager
def started(server: WorkersServer, address: Address, settings: Settings) -> Iterator[Host]:
    """Start a host, whose workers may not answer yet. All its processes have ended after the block."""
    server = server.with_workers(server.workers)
    assert not isinstance(address, str)
    with launched(server, address, settings) as running:
        yield Host.of(running, server)


def status_of(address: Address, path: str, timeout: float = 1.0) -> int | None:
    """Return the status of one probe, on a connection of its own; None for no answer."""
    try:
        with Connection(address, timeout) as connection:
            return connection.ask("GET", path, [("connection", "close")]).status
    except OSError:
        return None


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
