"""What is due and when to wake next."""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import inf

from .check import JITTER, Check
from .state import CheckState
from .status import Status


class Run:
    """One run of one check, from its start to its real end; compared by identity.

    A run whose deadline has passed is `expired`: its failure has been recorded, and no second run starts until
    whoever runs it says that it ended.
    """

    __slots__ = ("check", "deadline", "expired", "started")

    def __init__(self, check: Check, started: float) -> None:
        self.check = check
        self.started = started
        self.deadline = started + check.timeout
        self.expired = False


@dataclass(frozen=True, slots=True)
class Orders:
    """What whoever runs the checks has to do now."""

    start: tuple[Run, ...]
    cancel: tuple[Run, ...]
    """Runs whose answer no longer counts: late ones, and those of removed checks."""


class Timers:
    """One moment per key, the earliest of them at hand: a heap whose outdated entries are skipped when they surface."""

    __slots__ = ("_heap", "_when")

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []
        self._when: dict[str, float] = {}

    def set(self, key: str, when: float) -> None:
        """Move the moment of `key` to `when`; infinity takes it out."""
        if when == inf:
            self._when.pop(key, None)
            return
        self._when[key] = when
        heappush(self._heap, (when, key))
        if len(self._heap) > 2 * len(self._when) + 64:
            self._heap = [(moment, name) for name, moment in self._when.items()]
            heapify(self._heap)

    def next(self) -> float:
        """Return the earliest moment, infinity when there is none."""
        heap = self._heap
        while heap:
            when, key = heap[0]
            if self._when.get(key) == when:
                return when
            # A signal handler may have come in between and done the same: then this is another entry, and goes back.
            outdated = heappop(heap) if heap else (when, key)
            if outdated != (when, key):
                heappush(heap, outdated)
        return inf

    def pop_first(self, now: float) -> str | None:
        """Take out and return the key whose moment came first, None when none has come."""
        if self.next() > now:
            return None
        _, key = heappop(self._heap)
        del self._when[key]
        return key

    def pop(self, now: float) -> Iterator[str]:
        """Take out and yield, earliest first, the keys whose moment has come."""
        while (key := self.pop_first(now)) is not None:
            yield key


def pause(check: Check, state: CheckState, random: float) -> float:
    """Return the seconds from the end of a run to the next one; `random` in [0, 1) gives the jitter.

    Settled: `interval`. Unknown or inside a streak: `retry_interval`. Settled as unhealthy: `retry_interval`, doubled
    from run to run up to `interval`, so that a fleet does not hammer a dependency that tries to come back.
    """
    if state.settled and state.status is not Status.UNHEALTHY:
        seconds = check.interval
    else:
        # 2 ** 64 retry intervals are longer than any interval; an unbounded exponent would overflow the float.
        seconds = min(check.interval, check.retry_interval * 2.0 ** min(state.retries, 64))
    return seconds * (1 - JITTER + 2 * JITTER * random)
