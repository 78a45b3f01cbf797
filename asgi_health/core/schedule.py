"""Which runs are due, and when the next one is."""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import inf

from .check import JITTER, Check
from .state import CheckState
from .status import Status


class Run:
    """One run of one check, from its start to its real end; compared by identity.

    The result of a run that is `expired` no longer counts: its deadline has passed, its check was removed, or a new
    lifespan has begun. The check gets no second run until `Engine.record` or `Engine.abandon` ends this one.
    """

    __slots__ = ("check", "deadline", "expired", "started")

    def __init__(self, check: Check, started: float) -> None:
        self.check = check
        self.started = started
        self.deadline = started + check.timeout
        self.expired = False


@dataclass(frozen=True, slots=True)
class DueRuns:
    """The runs that the caller of `Engine.due` has to start and to cancel.

    Attributes:
        start: Runs to start.
        cancel: Runs whose result no longer counts: late ones, and those of removed checks.
    """

    start: tuple[Run, ...]
    cancel: tuple[Run, ...]


class Timers:
    """One moment per key, and the earliest of all: a heap whose outdated entries are skipped at the top."""

    __slots__ = ("_heap", "_when")

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []
        self._when: dict[str, float] = {}

    def set(self, key: str, when: float) -> None:
        """Set the moment of `key` to `when`; infinity removes the key."""
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
            # A signal handler may have popped an entry in between: then this is another one, and is pushed back.
            outdated = heappop(heap) if heap else (when, key)
            if outdated != (when, key):
                heappush(heap, outdated)
        return inf

    def passed(self, now: float) -> tuple[str, ...]:
        """Return the keys whose moment has come, and keep them."""
        return tuple(key for key, when in self._when.items() if when <= now)

    def pop_first(self, now: float) -> str | None:
        """Remove and return the key with the earliest moment, None when no moment has come."""
        if self.next() > now:
            return None
        _, key = heappop(self._heap)
        del self._when[key]
        return key

    def pop(self, now: float) -> Iterator[str]:
        """Remove and yield, earliest first, the keys whose moment has come."""
        while (key := self.pop_first(now)) is not None:
            yield key


def pause(check: Check, state: CheckState, random: float) -> float:
    """Return the seconds from the end of a run to the next one; `random` in [0, 1) gives the jitter.

    Settled: `interval`. Unknown or inside a streak: `retry_interval`. Settled as unhealthy: `retry_interval`, doubled
    from run to run up to `interval`, so that a fleet does not overload a dependency that is recovering.
    """
    if state.settled and state.status is not Status.UNHEALTHY:
        seconds = check.interval
    else:
        # 2 ** 64 retry intervals are longer than any interval; an unbounded exponent would overflow the float.
        seconds = min(check.interval, check.retry_interval * 2.0 ** min(state.retries, 64))
    return seconds * (1 - JITTER + 2 * JITTER * random)
