"""The slots of the workers: which of them belong to processes that exist."""

import time
from collections.abc import Iterable
from typing import NamedTuple

from ..core.workers import Worker
from .codec import decode
from .processes import ProcessIdentity, exists

GONE_AFTER = 30.0
"""Seconds beyond the stall time of liveness after which a worker counts as gone where its process cannot be seen."""


class Slot(NamedTuple):
    """A slot as it is written; each value may be of any type where the file is damaged."""

    key: bytes
    pid: int
    started: int | None
    namespace: bytes | None
    row: bytes


class Slots:
    """The slots that this process has read, so that each is parsed once, and checked outside of the transaction.

    Args:
        own: This process.
    """

    def __init__(self, own: ProcessIdentity) -> None:
        self._own = own
        self._known: dict[bytes, tuple[Slot, Worker | None]] = {}

    def examine(self, slots: Iterable[Slot]) -> None:
        """Parse the slots, and look for the process of each that is new, or that has not changed since the last time.

        One that has changed was written by a process that existed a moment ago.
        """
        now = time.monotonic()
        examined: dict[bytes, tuple[Slot, Worker | None]] = {}
        for slot in slots:
            known = self._known.get(slot.key)
            worker = self._decode(slot, known)
            if worker is not None and (known is None or known[0] == slot) and not self._is_living(slot, worker, now):
                worker = None
            examined[slot.key] = slot, worker
        self._known = examined

    def living(self, slots: Iterable[Slot]) -> tuple[list[Worker], list[bytes]]:
        """Return the workers that exist, and the keys of the slots of others."""
        workers: list[Worker] = []
        others: list[bytes] = []
        for slot in slots:
            known = self._known.get(slot.key)
            worker = known[1] if known is not None and known[0] == slot else self._decode(slot, known)
            if worker is None:
                others.append(slot.key)
            else:
                workers.append(worker)
        return workers, others

    def _decode(self, slot: Slot, known: tuple[Slot, Worker | None] | None) -> Worker | None:
        parsed = None if known is None or known[1] is None else (known[0].row, known[1])
        try:
            return decode(slot.row, parsed)
        except (TypeError, ValueError):
            return None

    def _is_living(self, slot: Slot, worker: Worker, now: float) -> bool:
        try:
            namespace = None if slot.namespace is None else slot.namespace.decode()
            found = exists(ProcessIdentity(slot.pid, slot.started, namespace), self._own)
        except (AttributeError, TypeError, ValueError):
            return False
        # A process that is stopped (SIGSTOP) exists, and counts as blocked however long ago it published something.
        return worker.updated >= now - worker.stall_times.live - GONE_AFTER if found is None else found
