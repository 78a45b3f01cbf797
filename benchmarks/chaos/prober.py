"""A probe every tenth of a second, each on a connection of its own, as a kubelet asks."""

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.servers.wire import Answer, Parser, request

EVERY = 0.1
"""Seconds between two probes of one path."""
TIMEOUT = 2.0
"""Seconds after which a probe has no answer."""


@dataclass(frozen=True)
class Probe:
    """One probe: when it was sent, when it was over (monotonic seconds), and its status; None for no answer.

    `starting`: the answer came from a worker that had just begun, and whose checks had no results yet. No worker is
    healthy before, whatever the others are.
    """

    path: str
    began: float
    ended: float
    status: int | None
    starting: bool = False


@dataclass
class Record:
    """The probes so far, and by how many seconds one was sent too late, at most, because the machine was busy."""

    probes: list[Probe] = field(default_factory=list[Probe])
    latest: float = 0.0


@contextmanager
def probing(address: tuple[str, int], paths: Sequence[str]) -> Iterator[Record]:
    """Send probes until the end of the block."""
    record, stop = Record(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_probe_all(address, paths, record, stop)), name="prober")
    thread.start()
    try:
        yield record
    finally:
        stop.set()
        thread.join()


async def _probe_all(address: tuple[str, int], paths: Sequence[str], record: Record, stop: threading.Event) -> None:
    due = time.monotonic()
    async with asyncio.TaskGroup() as group:
        while not stop.is_set():
            for path in paths:
                group.create_task(_probe(address, path, record))
            due += EVERY
            await asyncio.sleep(due - time.monotonic())
            late = time.monotonic() - due
            record.latest = max(record.latest, late)
            if late > EVERY:
                due = time.monotonic()


async def _probe(address: tuple[str, int], path: str, record: Record) -> None:
    began, answer = time.monotonic(), None
    with suppress(OSError):  # TimeoutError is one
        async with asyncio.timeout(TIMEOUT):
            answer = await _ask(address, path)
    status = None if answer is None else answer.status
    starting = answer is not None and b'"notes":["starting"]' in answer.body
    record.probes.append(Probe(path, began, time.monotonic(), status, starting))


async def _ask(address: tuple[str, int], path: str) -> Answer | None:
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(request("GET", path, [("connection", "close")]))
        return Parser(await reader.read(), closed=True).next("GET")
    finally:
        writer.close()
