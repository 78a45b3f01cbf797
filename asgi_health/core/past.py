"""Copies of histories, as reports hold them. Immutable. All times are monotonic seconds."""

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from math import floor
from typing import NamedTuple

from .status import Status

_STATUS: dict[float, Status] = {float(status): status for status in Status}
"""Each status by its number, as the arrays hold it. Half the time of `Status(number)`; 0 stands for None."""


@dataclass(frozen=True, slots=True)
class Uptime:
    """For how long something was up.

    Attributes:
        known: Seconds that count: not those before the first result of a lifespan, nor those after its stop.
        up: Seconds of them in which it was up.
    """

    known: float
    up: float

    @property
    def percent(self) -> float | None:
        """Share of `up` in percent, rounded down to thousandths: 100.0 means all of it. None: nothing is known."""
        return floor(self.up / self.known * 100_000) / 1000 if self.known else None


class PastResult(NamedTuple):
    """One result of a check.

    Attributes:
        time: When it was recorded (monotonic seconds).
        status: Its status, before thresholds.
        duration: Duration of the run (seconds).
    """

    time: float
    status: Status
    duration: float


class CheckFlip(NamedTuple):
    """One change of a check's status.

    Attributes:
        at: When it changed (monotonic seconds).
        old: Status before; None for the first result of a lifespan.
        new: Status after.
    """

    at: float
    old: Status | None
    new: Status


class ProbeFlip(NamedTuple):
    """One change of a probe's status.

    Attributes:
        at: When it changed (monotonic seconds).
        old: Status before; None when there was none.
        new: Status after.
        cause: Why it changed.
        checks: Names of the first three checks that made it so.
        more: Number of the others.
    """

    at: float
    old: Status | None
    new: Status
    cause: str
    checks: tuple[str, ...]
    more: int


DayInParts = Callable[[int], tuple[Uptime, ...]]
"""Returns the uptime of the last day in a number of equal parts, oldest first. The last part has just begun or goes on.
The number divides 288, the number of five minutes in a day."""


@dataclass(frozen=True, slots=True)
class CheckPast:
    """The history of a check at one moment.

    Attributes:
        hour: Uptime of the last hour: of twelve complete spans of five minutes, and of the one that has begun.
        day: Uptime of the last day, in the same way.
        day_in_parts: Returns the uptime of the last day in a number of equal parts; made when it is called.
    """

    hour: Uptime
    day: Uptime
    day_in_parts: DayInParts = field(repr=False, compare=False)
    _results: "array[float]" = field(repr=False)
    _flips: "array[float]" = field(repr=False)

    @property
    def results(self) -> tuple[PastResult, ...]:
        """The last 120 results, oldest first."""
        # Made when they are read: a page about a thousand checks shows none of its 120,000 results.
        times, outcomes, durations = (self._results[place::3] for place in range(3))
        return tuple(
            PastResult(time, _STATUS[outcome], duration)
            for time, outcome, duration in zip(times, outcomes, durations, strict=True)
        )

    @property
    def flips(self) -> tuple[CheckFlip, ...]:
        """The last 50 changes of status, oldest first."""
        return self.last_flips(len(self._flips))

    def last_flips(self, count: int) -> tuple[CheckFlip, ...]:
        """Return the last `count` of `flips`, oldest first."""
        flips = self._flips[-3 * count :]
        return tuple(
            CheckFlip(flips[place], _STATUS.get(flips[place + 1]), _STATUS[flips[place + 2]])
            for place in range(0, len(flips), 3)
        )


@dataclass(frozen=True, slots=True)
class ProbePast:
    """The history of a probe at one moment.

    Attributes:
        status: Status after the last change; None before the app has started.
        since: When it began (monotonic seconds); None before the app has started.
        flips: The last 50 changes of status, oldest first.
        hour: Uptime of the last hour: of twelve complete spans of five minutes, and of the one that has begun.
        day: Uptime of the last day, in the same way.
        day_in_parts: Returns the uptime of the last day in a number of equal parts; made when it is called.
    """

    status: Status | None
    since: float | None
    flips: tuple[ProbeFlip, ...]
    hour: Uptime
    day: Uptime
    day_in_parts: DayInParts = field(repr=False, compare=False)
