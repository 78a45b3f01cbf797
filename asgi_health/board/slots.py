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


class Slot(NamedTuple):
    """A slot as it is written; each value may be of any type where the file is damaged."""

    key: bytes
    pid: int
    started: int | None
    namespace: bytes | None
    row: bytes


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
        living: dict[bytes, tuple[Slot, Worker]] = {}
        others: list[Slot] = []
        for slot in slots:
            known = self._known.get(slot.key)
            try:
                worker = decode(slot.row, None if known is None else (known[0].row, known[1]))
                changed = known is not None and known[0] != slot
                if changed or self._is_living(slot, worker, now):
                    living[slot.key] = slot, worker
                    continue
            except (AttributeError, TypeError, ValueError):
                pass  # it is damaged; so are values of other types than those written
            others.append(slot)
        self._known = living
        return [worker for _, worker in living.values()], others

    def _is_living(self, slot: Slot, worker: Worker, now: float) -> bool:
        namespace = None if slot.namespace is None else slot.namespace.decode()
        found = exists(ProcessIdentity(slot.pid, slot.started, namespace), self._own)
        # A process that is stopped (SIGSTOP) exists, and counts as blocked however long ago it published something.
        return worker.updated >= now - GONE_AFTER if found is None else found
