"""Which incidents there are, and what about them is news. Sans-IO: `now` is always an argument (monotonic seconds).

The caller shows `observe` what fails at the present moment, and takes from `news` what people must know. A change that
the caller has missed shows at its next look.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from math import inf
from types import MappingProxyType
from typing import Literal

from ...core.status import Status

Cause = Literal["check", "stale", "stalled"]
State = Literal["open", "flapping", "recovered"]

NO_CHANGES: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a check, or with the event loop.

    Attributes:
        status: DEGRADED or UNHEALTHY: the effect on the app.
        cause: ``check``: a result. ``stale``: no new result. ``stalled``: the event loop is blocked.
        message: What the check says.
        since: When it began (monotonic seconds).
        critical: Whether the failure of the check fails a probe.
        failures: Failed runs in a row; 0 where runs do not count.
    """

    status: Status
    cause: Cause
    message: str
    since: float
    critical: bool = True
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One incident in the news.

    Attributes:
        subject: Name of the check, or ``event loop``.
        state: What has become of it.
        problem: What is wrong, or what was wrong last.
        began: When it began (monotonic seconds).
        ended: When it ended (monotonic seconds); None where it goes on.
        is_new: Whether the entry says something new; False in a reminder.
        changes: Number of times that it began or ended, as far as `state` depends on it.
    """

    subject: str
    state: State
    problem: Problem
    began: float
    ended: float | None = None
    is_new: bool = True
    changes: int = 0


@dataclass(frozen=True, slots=True)
class News:
    """What people must know now.

    Attributes:
        entries: The incidents that the news is about, the worst first.
        open: Subjects of all incidents that go on after this news, the worst first.
    """

    entries: tuple[Entry, ...]
    open: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """How soon and how often there is news. All but `flap_changes` in seconds.

    Attributes:
        wait: Time from a change to its news. What changes meanwhile is in the same news, and what is over by then is in
            none.
        repeat: Time from one news to a reminder of what is still open; infinity for none.
        max_gap: Longest time between two news while changes go on. It begins at `wait` and doubles with each news.
        flap_changes: Number of changes within `flap_window` that make an incident a flapping one.
        flap_window: See `flap_changes`.
        flap_quiet: Time without a change after which an incident flaps no more.
    """

    wait: float = 2.0
    repeat: float = 600.0
    max_gap: float = 60.0
    flap_changes: int = 6
    flap_window: float = 600.0
    flap_quiet: float = 300.0


@dataclass(slots=True)
class _Record:
    """What is known about one subject.

    Attributes:
        problem: What is wrong at present; None for nothing.
        last: What is wrong, or was wrong last.
        began: When the incident began. What ends and begins again before there was news of its end goes on.
        noticed: When it was first observed.
        ended: When it ended; None while it goes on.
        named: The worst status that news has named since `began`; None for no news.
        worse_since: When it was first observed to be worse than `named`.
        changes: Moments of the last changes.
        count: Number of changes since it was last quiet.
        flapping: Whether it begins and ends again and again.
        flapping_named: Whether news has said so.
        muted: Whether nothing is news but the end of the incident.
    """

    last: Problem
    changes: deque[float]
    problem: Problem | None = None
    began: float = 0.0
    noticed: float = 0.0
    ended: float | None = None
    named: Status | None = None
    worse_since: float | None = None
    count: int = 0
    flapping: bool = False
    flapping_named: bool = False
    muted: bool = False


class Incidents:
    """The incidents of one app, from the observations of one caller.

    Args:
        limits: How soon and how often there is news.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._records: dict[str, _Record] = {}
        self._recent = 0.0
        self._last_news = -inf
        self._next_news = -inf
        self._next_reminder = inf

    # -- what happens

    def observe(
        self,
        now: float,
        problems: Mapping[str, Problem | None],
        changes: Mapping[str, int] = NO_CHANGES,
        *,
        muted: Collection[str] = (),
    ) -> None:
        """Take note of what is wrong at `now`.

        Args:
            now: The present moment.
            problems: What is wrong with each subject; None for nothing. A subject that is not named is not judged: what
                was known about it stays.
            changes: How often each subject began or ended to have a problem since the last call, where the caller
                knows. It counts for flapping alone.
            muted: Subjects about which nothing is news but the end of an incident, until the next call. Their problems
                are not judged meanwhile. Incidents that are still open when that ends are in a reminder then.
        """
        released = [each for subject, each in self._records.items() if each.muted and subject not in muted]
        for subject, each in self._records.items():
            each.muted = subject in muted
        for subject, problem in problems.items():
            record = self._records.get(subject)
            if problem is None:
                if record is not None:
                    self._note(record, None, now, changes.get(subject, 0))
            elif subject not in muted:
                if record is None:
                    record = _Record(problem, deque(maxlen=self._limits.flap_changes))
                    self._records[subject] = record
                self._note(record, problem, now, changes.get(subject, 0))
        if any(each.named is not None and each.problem is not None for each in released):
            # At the end of a maintenance people learn what is still wrong, although they knew it before.
            self._next_reminder = min(self._next_reminder, max(now + self._limits.wait, self._next_news))

    def remove(self, subject: str, now: float, message: str) -> None:
        """End the incident of a subject that no longer exists, with `message` in place of what it said last."""
        record = self._records.get(subject)
        if record is None:
            return
        record.last = replace(record.last, message=message)
        record.problem = None
        record.ended = now if record.ended is None else record.ended
        record.flapping = record.flapping_named = False
        record.changes.clear()

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subjects that something is known about."""
        return tuple(self._records)

    def _note(self, record: _Record, problem: Problem | None, now: float, changes: int) -> None:
        turned = (record.problem is None) is not (problem is None)
        if record.changes and now - record.changes[-1] > self._limits.flap_window:
            record.count = 0
        for _ in range(min(max(changes, turned), self._limits.flap_changes)):
            record.changes.append(now)
        record.count += max(changes, turned)
        if problem is not None:
            if record.problem is None:
                if record.named is None and not record.flapping and not self._has_lasted(record):
                    record.began, record.noticed = min(problem.since, now), now
                record.ended = None
            if record.named is None or problem.status <= record.named:
                record.worse_since = None
            elif record.worse_since is None:
                record.worse_since = now
            # A check that recovers says only that it does.
            record.last = problem if problem.message else replace(problem, message=record.last.message)
        elif turned:
            record.ended = now
        record.problem = problem
        full = len(record.changes) == self._limits.flap_changes
        if not record.flapping and full and now - record.changes[0] <= self._limits.flap_window:
            record.flapping = True
            record.began = min(record.began, record.changes[0])

    # -- what is news

    @property
    def next_news(self) -> float:
        """When `news` returns something if nothing else happens; infinity for never."""
        first = min((self._due(record) for record in self._records.values()), default=inf)
        reminder = self._next_reminder if self._has_reminder() else inf
        return min(max(first, self._next_news), reminder)

    def news(self, now: float, *, last: bool = False) -> News | None:
        """Return what people must know at `now`, or None. It is news once.

        Args:
            now: The present moment.
            last: Whether this is the last call: what is due by itself does not wait for the end of a gap.
        """
        self._prune(now)
        due = any(self._due(record) <= now for record in self._records.values())
        due = due and (last or now >= self._next_news)
        reminder = now >= self._next_reminder and self._has_reminder() and not last
        if not (due or reminder):
            return None
        entries = [
            entry
            for subject, record in self._records.items()
            if (entry := self._entry(subject, record, now, reminder=reminder)) is not None
        ]
        if due:
            self._count_news(now)
        going_on = [
            Entry(subject, "open", record.last, record.began)
            for subject, record in self._records.items()
            if record.named is not None
        ]
        self._next_reminder = now + self._limits.repeat if going_on else inf
        if not entries:
            return None
        return News(worst_first(entries), tuple(each.subject for each in worst_first(going_on)))

    def _has_reminder(self) -> bool:
        return any(record.named is not None and not record.muted for record in self._records.values())

    def _due(self, record: _Record) -> float:
        """Return when the record is news by itself; infinity for never."""
        wait = self._limits.wait
        if record.flapping:
            if record.muted and (record.problem is not None or not record.flapping_named):
                return inf
            return record.changes[-1] + self._limits.flap_quiet if record.flapping_named else -inf
        if record.problem is not None:
            if record.muted:
                return inf
            if record.named is None:
                return record.noticed + wait
            return inf if record.worse_since is None else record.worse_since + wait
        if record.ended is None:
            return inf
        if record.named is not None:
            return record.ended + wait
        return record.ended if self._has_lasted(record) else inf

    def _has_lasted(self, record: _Record) -> bool:
        """Return whether an incident that has ended without news was long enough to be news."""
        return record.ended is not None and record.ended - record.noticed >= self._limits.wait

    def _entry(self, subject: str, record: _Record, now: float, *, reminder: bool) -> Entry | None:
        """Return the entry of a record and take it as read, None if it has nothing to say."""
        due = self._due(record)
        if record.flapping:
            if due <= now and record.flapping_named:
                record.flapping = record.flapping_named = False
                record.changes.clear()
                record.count = 0
            elif due <= now or (reminder and not record.muted):
                is_new = not record.flapping_named
                record.flapping_named = True
                record.named = max(record.last.status, record.named or Status.HEALTHY)
                return Entry(subject, "flapping", record.last, record.began, is_new=is_new, changes=record.count)
            else:
                return None
        elif due == inf and not (reminder and self._is_open(record)):
            return None
        if record.problem is not None:
            entry = Entry(subject, "open", record.last, record.began, is_new=due < inf)
            record.named = max(record.problem.status, record.named or Status.HEALTHY)
            record.worse_since = None
            return entry
        ended = now if record.ended is None else record.ended
        entry = Entry(subject, "recovered", record.last, record.began, ended)
        record.named = record.worse_since = record.ended = None
        return entry

    def _is_open(self, record: _Record) -> bool:
        """Return whether a reminder names the record, unless it flaps."""
        return record.problem is not None and record.named is not None and not record.muted

    def _count_news(self, now: float) -> None:
        """Make the gap to the next news longer than the last one, unless that was long ago."""
        limits = self._limits
        self._recent = max(0.0, self._recent - (now - self._last_news) / limits.max_gap) + 1
        # The exponent has a bound, because 2.0 ** 1024 is an error.
        gap = min(limits.max_gap, limits.wait * 2 ** min(self._recent - 1, 60))
        self._last_news = now
        self._next_news = now + max(limits.wait, gap)

    def _prune(self, now: float) -> None:
        """Forget what is over, and has not changed for so long that it cannot flap."""
        window = self._limits.flap_window
        over = [
            subject
            for subject, record in self._records.items()
            if record.problem is None
            and record.named is None
            and not record.flapping
            and not self._has_lasted(record)
            and not (record.changes and now - record.changes[-1] <= window)
        ]
        for subject in over:
            del self._records[subject]


def worst_first(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Return the entries in the order of a message: what goes on first, then the worst, then the oldest."""
    states = ("open", "flapping", "recovered")
    return tuple(
        sorted(
            entries,
            key=lambda each: (states.index(each.state), -each.problem.status, -each.problem.critical, each.began),
        )
    )
