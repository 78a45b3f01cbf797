"""The slots of the workers: which of them belong to processes that exist."""

import time
from collections.abc import Iterable
from typing import NamedTuple

from ..core.workers import Worker
from .codec import decode
from .processes import ProcessIdentity, exists

GONE_AFTER = 4.0
"""Seconds of silence after which a worker counts as gone where its process cannot be seen: it belongs to another
container, or to the one before a restart of this one. A longer time would make a new container fail because of the old
one, and the platform restart it again."""


MAX_AHEAD = 60.0
"""Seconds by which no worker publishes ahead of the clock. One that seems to is from an earlier boot, on a system that
does not identify its boots."""


class Slot(NamedTuple):
    """A slot as it is written; each value may be of any type where the file is damaged."""

    key: bytes
    pid: int
    started: int | None
    namespace: bytes | None
    row: bytes

    @property
    def process(self) -> object:
        """What is equal for the slots of one process."""
        return self.pid, self.started, self.namespace


class Slots:
    """The slots that this process has read last, so that each is parsed once.

    Args:
        own: This process.
    """

    def __init__(self, own: ProcessIdentity) -> None:
        self._own = own
        self._known: dict[bytes, tuple[Slot, Worker]] = {}

    def living(self, slots: Iterable[Slot]) -> tuple[list[Worker], list[Slot]]:
        """Return the workers that exist, and the slots of others.

        The process of a slot is looked for when the slot is new, or has not changed since the last time: one that has
        changed was written by a process that existed a moment ago.
        """
        now = time.monotonic()
        read: list[tuple[Slot, Worker]] = []
        others: list[Slot] = []
        latest: dict[object, float] = {}
        for slot in slots:
            known = self._known.get(slot.key)
            try:
                worker = decode(slot.row, None if known is None else (known[0].row, known[1]))
            except (AttributeError, TypeError, ValueError):  # it is damaged
                others.append(slot)
                continue
            if worker.updated > now + MAX_AHEAD:
                others.append(slot)
                continue
            read.append((slot, worker))
            latest[slot.process] = max(latest.get(slot.process, worker.updated), worker.updated)
        living: dict[bytes, tuple[Slot, Worker]] = {}
        for slot, worker in read:
            known = self._known.get(slot.key)
            changed = known is not None and known[0] != slot
            try:
                if changed or self._is_living(slot, worker, now, latest[slot.process]):
                    living[slot.key] = slot, worker
                    continue
            except (AttributeError, TypeError, ValueError):
                pass  # so are values of other types than those written
            others.append(slot)
        self._known = living
        return [worker for _, worker in living.values()], others

    def _is_living(self, slot: Slot, worker: Worker, now: float, latest: float) -> bool:
        if worker.updated < latest - GONE_AFTER and slot.started is not None:
            # Its process goes on, in another lifespan: this one could not delete its slot at its end.
            return False
        namespace = None if slot.namespace is None else slot.namespace.decode()
        found = exists(ProcessIdentity(slot.pid, slot.started, namespace), self._own)
        # A process that is stopped (SIGSTOP) exists, and counts as blocked however long ago it published something.
        return worker.updated >= now - GONE_AFTER if found is None else found
