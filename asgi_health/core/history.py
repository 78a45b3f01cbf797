"""What is recorded of the past: the last results and changes of each check, the last changes of each probe, uptime.

Everything is bounded: a history takes the same memory after a year as after a day. Its arrays are made once, and each
run writes a few numbers into them. One thread at a time records, and any thread may read meanwhile: `past` copies, and
a copy that is made in the middle of a record shows the state before it.

All times are monotonic seconds.
"""

from array import array
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Protocol

from .status import Status

if TYPE_CHECKING:
    from .past import CheckPast, DayInParts, ProbePast, Uptime

_RawFlip = tuple[float, Status | None, Status, str, tuple[str, ...], int]
"""A ProbeFlip, without its import: a change may come when the process has no file descriptor left to import with."""

MAX_RESULTS = 120
"""Results kept per check: twenty minutes at the default interval."""

MAX_FLIPS = 50
"""Changes of status kept per check and per probe."""

MAX_NAMES = 3
"""Names of checks kept with a change of a probe; of the others the number is kept."""

BUCKET = 300
"""Seconds of one sum of uptime."""

HOUR, DAY = 3600 // BUCKET, 86_400 // BUCKET
"""Complete sums in the uptime of an hour and of a day. The sum that has begun is added to them."""

_SUMS = DAY + 1


class CheckHistory:
    """The last results and changes of status of one check, and its uptime. Never reset while the check exists.

    Uptime counts from the first result of a lifespan to its stop. In that time the check is up while its status is
    HEALTHY or DEGRADED by a result that is not stale.
    """

    __slots__ = ("_flip_count", "_flips", "_result_count", "_results", "_stopped", "_uptime")

    def __init__(self) -> None:
        # Three numbers for each result and each flip, next to each other: with a thousand checks, what a run costs is
        # the memory that it touches. One place more than is shown: a record in progress does not overwrite a result
        # that a reader copies.
        self._results = array("d", bytes(8 * 3 * (MAX_RESULTS + 1)))
        self._result_count = 0
        self._flips = array("d", bytes(8 * 3 * (MAX_FLIPS + 1)))
        self._flip_count = 0
        self._uptime = _Uptime()
        self._stopped = False

    def record(
        self, now: float, outcome: Status, duration: float, old: Status | None, new: Status, stale_at: float
    ) -> None:
        """Record a result.

        Args:
            now: When it came.
            outcome: Status of the result, before thresholds.
            duration: Duration of the run (seconds).
            old: Status of the check before it; None for the first result of a lifespan.
            new: Status of the check after it.
            stale_at: When the result grows stale, infinity for never.
        """
        results, count = self._results, self._result_count
        place = 3 * (count % (MAX_RESULTS + 1))
        results[place] = now
        results[place + 1] = outcome
        results[place + 2] = duration
        self._result_count = count + 1
        if new is not old:
            place = 3 * (self._flip_count % (MAX_FLIPS + 1))
            self._flips[place : place + 3] = array("d", (now, 0 if old is None else old, new))
            self._flip_count += 1
        if not self._stopped:
            self._uptime.turn(now, -inf if new is Status.UNHEALTHY else stale_at)

    def start(self, now: float) -> None:
        """Begin a lifespan: no time counts before its first result."""
        self._uptime.pause(now)
        self._stopped = False

    def stop(self, now: float) -> None:
        """End the lifespan: no time counts until the next one, whatever results still come."""
        self._uptime.pause(now)
        self._stopped = True

    def past(self, now: float) -> "CheckPast":
        """Return a copy of the history at `now`."""
        # Not at the top: a process whose history is never read needs none of it.
        from .past import CheckPast

        return CheckPast(
            self._uptime.of(now, HOUR),
            self._uptime.of(now, DAY),
            self._uptime.parts(now),
            self._copy_of_results(),
            self._copy_of_flips(),
        )

    # What another thread records during a copy has overwritten the oldest ones: the count is read again after it.

    def _copy_of_results(self) -> "array[float]":
        count, results = self._result_count, self._results[:]
        return _in_order(results, max(0, self._result_count - MAX_RESULTS), count)

    def _copy_of_flips(self) -> "array[float]":
        count, flips = self._flip_count, self._flips[:]
        return _in_order(flips, max(0, self._flip_count - MAX_FLIPS), count)


class ProbeChange(Protocol):
    """What a ProbeHistory reads of a transition of its probe."""

    @property
    def old(self) -> Status | None:
        """Status before."""
        ...

    @property
    def new(self) -> Status:
        """Status after."""
        ...

    @property
    def cause(self) -> str:
        """Why it changed."""
        ...

    @property
    def checks(self) -> tuple[str, ...]:
        """Names of the checks that make it so."""
        ...

    @property
    def at(self) -> float:
        """When it changed."""
        ...


class ProbeHistory:
    """The last changes of one probe, and its uptime.

    Uptime counts from the end of the app's own startup to the stop. In that time the probe is up while it answers 200:
    a drain counts as not up.
    """

    __slots__ = ("_flips", "_present", "_uptime")

    def __init__(self) -> None:
        self._flips: tuple[_RawFlip, ...] = ()
        self._present: tuple[Status, float] | None = None
        self._uptime = _Uptime()

    def record(self, change: ProbeChange) -> None:
        """Record a change of the probe's status."""
        at, new, names = change.at, change.new, change.checks
        flip = at, change.old, new, change.cause, names[:MAX_NAMES], max(0, len(names) - MAX_NAMES)
        self._flips = (*self._flips[-MAX_FLIPS + 1 :], flip)
        self._present = new, at
        if self._uptime.counts:
            self._uptime.turn(at, -inf if new is Status.UNHEALTHY else inf)

    def serve(self, status: Status, now: float) -> None:
        """Begin to count: the app's own startup is complete, and the probe has `status`."""
        if self._present is None or self._present[0] is not status:
            self._present = status, now
        self._uptime.turn(now, -inf if status is Status.UNHEALTHY else inf)

    def pause(self, now: float) -> None:
        """Stop counting until `serve`: a lifespan begins, or the app has stopped."""
        self._uptime.pause(now)

    def past(self, now: float) -> "ProbePast":
        """Return a copy of the history at `now`."""
        from .past import ProbeFlip, ProbePast

        status, since = self._present or (None, None)
        flips = tuple(map(ProbeFlip._make, self._flips))
        uptime = self._uptime
        return ProbePast(status, since, flips, uptime.of(now, HOUR), uptime.of(now, DAY), uptime.parts(now))


class _Period:
    """Sums of the past, and the period that goes on: up from `began` to `up_until`, and not up after that.

    Only `up_until` is ever changed, so that a reader who holds one has a consistent state. `newest` is the last sum,
    and `oldest` the first that is not empty; None while all are, as those of a check that has never failed.
    """

    __slots__ = ("began", "known", "newest", "oldest", "up", "up_until")

    def __init__(
        self,
        began: float | None,
        up_until: float,
        oldest: int | None,
        newest: int,
        known: "array[float]",
        up: "array[float]",
    ) -> None:
        self.began = began
        self.up_until = up_until
        self.oldest = oldest
        self.newest = newest
        self.known = known
        self.up = up


class _Uptime:
    """Seconds known and seconds up, in sums of five minutes, for a day."""

    __slots__ = ("_period",)

    def __init__(self) -> None:
        empty = array("d", bytes(8 * _SUMS))
        self._period = _Period(None, -inf, None, 0, empty, empty[:])

    @property
    def counts(self) -> bool:
        """Whether time counts at the moment."""
        return self._period.began is not None

    def turn(self, now: float, up_until: float) -> None:
        """Be up from `now` to `up_until`: -infinity for "not up", infinity for "until the next call"."""
        period = self._period
        if period.began is not None and (
            (now < period.up_until and now < up_until) or period.up_until == up_until == -inf
        ):
            period.up_until = up_until
        else:
            self._begin(now, now, up_until)

    def pause(self, now: float) -> None:
        """Count no time until the next `turn`."""
        if self._period.began is not None:
            self._begin(now, None, -inf)

    def of(self, now: float, sums: int) -> "Uptime":
        """Return the uptime of the last `sums` complete sums and the one that has begun, up to `now`."""
        from .past import Uptime

        period = self._period
        last = int(now // BUCKET)
        known = up = 0.0
        if period.oldest is not None:
            first = max(last - sums, period.newest - _SUMS + 1, period.oldest)
            end = min(last, period.newest)
            if first <= end:
                known, up = _sum(period.known, first, end), _sum(period.up, first, end)
        if period.began is not None and now > period.began:
            began = max(period.began, float((last - sums) * BUCKET))
            known += now - began
            up += max(0.0, min(now, period.up_until) - began)
        return Uptime(known, up)

    def parts(self, now: float) -> "DayInParts":
        """Return a function that divides the last day before `now` into parts. It reads what is known by now."""
        return partial(_day_in_parts, self._period, now)

    def _begin(self, now: float, began: float | None, up_until: float) -> None:
        """Add the period that has ended to the sums, and begin another."""
        old = self._period
        known, up = old.known[:], old.up[:]
        # A thread may have read its clock before another one that has recorded already.
        end = now if old.began is None else max(now, old.began)
        last = max(int(end // BUCKET), old.newest)
        for bucket in range(max(old.newest, last - _SUMS) + 1, last + 1):
            known[bucket % _SUMS] = up[bucket % _SUMS] = 0.0
        oldest = old.oldest
        if old.began is not None:
            begin = max(old.began, float((last - _SUMS + 1) * BUCKET))
            oldest = int(begin // BUCKET) if oldest is None else oldest
            _add(known, begin, end)
            _add(up, begin, min(end, old.up_until))
        self._period = _Period(None if began is None else end, up_until, oldest, last, known, up)


def _day_in_parts(period: _Period, now: float, count: int) -> "tuple[Uptime, ...]":
    """Return the uptime of the last `DAY` sums, the one that has begun included, in `count` parts, oldest first."""
    from .past import Uptime

    first = int(now // BUCKET) - DAY + 1
    known, up = array("d", bytes(8 * DAY)), array("d", bytes(8 * DAY))
    if period.oldest is not None:
        for bucket in range(
            max(first, period.newest - _SUMS + 1, period.oldest), min(first + DAY - 1, period.newest) + 1
        ):
            known[bucket - first] = period.known[bucket % _SUMS]
            up[bucket - first] = period.up[bucket % _SUMS]
    if period.began is not None:
        begin = max(period.began, float(first * BUCKET))
        for sums, end in ((known, now), (up, min(now, period.up_until))):
            # `_add` finds the place of a bucket by its number modulo the length of a ring: here the day begins at 0.
            _add(sums, begin - first * BUCKET, end - first * BUCKET)
    size = DAY // count
    return tuple(
        Uptime(sum(known[begin : begin + size]), sum(up[begin : begin + size]))
        for begin in range(0, size * count, size)
    )


def _in_order(ring: "array[float]", first: int, end: int) -> "array[float]":
    """Return the numbers of the entries from `first` to the one before `end`."""
    begin = 3 * first % len(ring)
    return (ring[begin:] + ring[:begin])[: 3 * (end - first)]


def _add(sums: "array[float]", begin: float, end: float) -> None:
    while begin < end:
        bucket = int(begin // BUCKET)
        edge = min(end, float((bucket + 1) * BUCKET))
        sums[bucket % _SUMS] += edge - begin
        begin = edge


def _sum(sums: "array[float]", first: int, last: int) -> float:
    begin, end = first % _SUMS, last % _SUMS + 1
    return sum(sums[begin:end]) if begin < end else sum(sums[begin:]) + sum(sums[:end])
