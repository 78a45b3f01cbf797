"""The registry that owns the checks, their states, the schedule and the phase.

Sans-IO, in the manner of h11's Connection: whoever has a loop and a clock asks `due`, runs what it is told to run, and
hands what came out to `record`. Nothing here waits.
"""

from collections.abc import Callable, Iterable, Mapping
from math import inf
from random import random as uniform
from threading import RLock
from time import monotonic
from typing import Unpack

from .check import Check, CheckFunction
from .entry import CheckOptions, Entry, F, listed
from .lifecycle import Life, Phase
from .logger import logger
from .report import Report, report_checks
from .require import require_type
from .result import Result
from .schedule import Orders, Run, Timers, pause
from .stalls import NO_STALLS
from .standing import Standing
from .state import UNKNOWN, advance
from .status import Probe, Status
from .tally import Outlook, finished
from .transition import Transition

LEFT_BEHIND = 2
"""Runs of removed checks of one name that have not ended: from then on a new check of that name waits for the last."""


class Health:
    """The checks of one app and how they stand.

    `checks` is ``{name: function}`` or an iterable of Check. Two instances share nothing. Every method may be called
    from any thread, `drain` from a signal handler too. `clock` (monotonic seconds) stands in where a caller gives no
    `now`, and is the clock of whoever runs the checks; `random` (in [0, 1)) moves the pauses between runs.

    Raises ValueError for a duplicate name, ValueError or TypeError for a check that could not work.
    """

    def __init__(
        self,
        checks: Mapping[str, CheckFunction] | Iterable[Check] = (),
        *,
        clock: Callable[[], float] = monotonic,
        random: Callable[[], float] = uniform,
    ) -> None:
        self.clock = clock
        self._random = random
        self._lock = RLock()
        self._entries: dict[str, Entry] = {}
        self._dues = Timers()
        self._deadlines = Timers()
        self._cancelled: list[Run] = []
        self._left: list[Run] = []
        self._subscribers: list[Callable[[Transition], object]] = []
        self._life = Life()
        self._standing = Standing(self._life)
        self._stalls = NO_STALLS
        self.runner: object | None = None
        """Whoever runs these checks: one, however many middlewares share this Health. Not looked at here."""
        for check in listed(checks):
            self.add(check)

    # -- what an app calls

    def add(self, check: Check) -> None:
        """Look after `check` from now on; its first run is due at once. Raises ValueError for a name that is taken."""
        require_type("health: what is added", check, Check)
        with self._lock:
            if check.name in self._entries:
                raise ValueError(f"check {check.name!r}: the name is taken; names are unique in a Health")
            entry = Entry(check)
            entry.run = self._left_behind(check)
            self._entries[check.name] = entry
            self._dues.set(check.name, -inf if entry.run is None else entry.run.deadline)
            self._standing.put(check, entry.state)
            self._standing.tell()

    def remove(self, name: str) -> None:
        """Forget the check; a run under way is cancelled and counts no longer. Raises KeyError for an unknown name.

        A run that ignores this goes on, and a new check of the same name has runs of its own meanwhile. Of
        `LEFT_BEHIND` runs that do not end the last is waited for, so that no number of such cycles collects threads.
        """
        with self._lock:
            if name not in self._entries:
                raise KeyError(f"check {name!r}: there is no check of that name")
            entry = self._entries.pop(name)
            self._dues.set(name, inf)
            self._deadlines.set(name, inf)
            if entry.run is not None:
                entry.run.expired = True
                self._cancelled.append(entry.run)
                self._left.append(entry.run)
            self._standing.drop(name)
            self._standing.tell()

    def check(self, name: str, **options: Unpack[CheckOptions]) -> Callable[[F], F]:
        """Add the decorated function as a check; the options are those of Check, after `run`."""
        require_type('health: the name in @health.check("name")', name, str)

        def decorate(function: F) -> F:
            self.add(Check(name, function, **options))
            return function

        return decorate

    def subscribe(self, callback: Callable[[Transition], object]) -> Callable[[], None]:
        """Call `callback` with a Transition after each change of a check's status; return what ends that.

        It is called where the change was recorded, on the event loop as a rule: it must not block. An exception of
        its own is logged and changes nothing. Subscribing the same callback again has no effect.
        """
        if not callable(callback):
            raise TypeError(f"health: subscribe takes a function (transition), not {callback!r}")
        with self._lock:
            if callback not in self._subscribers:
                self._subscribers = [*self._subscribers, callback]

        def unsubscribe() -> None:
            with self._lock:
                self._subscribers = [each for each in self._subscribers if each != callback]

        return unsubscribe

    def report(self, probe: Probe | None = None, *, exclude: Iterable[str] = (), now: float | None = None) -> Report:
        """Return all that is known about `probe`, None for all checks together, without the checks in `exclude`."""
        if probe is not None:
            require_type("health: probe", probe, Probe)
        if isinstance(exclude, str):
            raise TypeError(f"health: exclude takes an iterable of names, not the one string {exclude!r}")
        # One call into C takes the values, so that a thread that adds a check meanwhile does not get in the way.
        return self._report(probe, tuple(self._entries.values()), self.phase, frozenset(exclude), now)

    def report_check(self, name: str, probe: Probe | None = None, *, now: float | None = None) -> Report:
        """Return the report of one check alone, as it counts for `probe`. Raises KeyError for an unknown name."""
        entry = self._entries.get(name)
        if entry is None:
            raise KeyError(f"check {name!r}: there is no check of that name")
        return self._report(probe, (entry,), None, frozenset(), now)

    def drain(self) -> None:
        """Turn readiness unhealthy, for good, while everything else goes on: the process is about to stop.

        This announces it and stops nothing. A SIGTERM that a Drain holds back is passed on when the delay is over,
        counted from the moment at which the first of all reasons to drain came up.
        """
        self._life.drain(self.clock())
        with self._lock:
            self._standing.turned()

    @property
    def phase(self) -> Phase:
        """Where the process stands."""
        return self._life.phase

    @property
    def phase_since(self) -> float | None:
        """When the phase began (seconds of `clock`); None while nobody has told of a life."""
        return self._life.since

    @property
    def checks(self) -> tuple[Check, ...]:
        """The checks, in the order in which they were added."""
        return tuple(entry.check for entry in tuple(self._entries.values()))

    # -- what tells of the app's own life

    def begin(self, life: object = None) -> bool:
        """The app begins to start: forget what was known before, so that a second life starts from nothing.

        `life` is what tells one life from another. The first call for a life counts, and returns True; later ones for
        the same life change nothing.
        """
        with self._lock:
            if not self._life.begin(life, self.clock()):
                return False
            self._stalls = NO_STALLS
            for entry in self._entries.values():
                entry.state = UNKNOWN
                self._dues.set(entry.check.name, -inf if entry.run is None else entry.run.deadline)
                if entry.run is not None:
                    entry.run.expired = True  # it speaks for the life before, and is waited for within its deadline
                    self._deadlines.set(entry.check.name, inf)
                self._standing.put(entry.check, UNKNOWN)
            self._standing.begun()
        return True

    def serve(self) -> None:
        """The app's own startup is complete. One that drains already stays so."""
        with self._lock:
            self._life.started = True
            self._life.enter(Phase.SERVING, self.clock())
            self._standing.begun()

    def stop(self) -> None:
        """The app is about to shut down, and its checks before it."""
        with self._lock:
            self._life.enter(Phase.STOPPED, self.clock())
            self._standing.turned()

    def hold(self, held: bool) -> None:
        """Drain while `held`, and be ready again when it is over: a file that comes and goes."""
        with self._lock:
            self._life.hold(held, self.clock())
            self._standing.turned()

    def stalled(self, seconds: float) -> None:
        """Take note that the app's event loop had no turn for `seconds`."""
        with self._lock:
            self._stalls = self._stalls.and_one(seconds)
            self._standing.touch()

    def end(self, life: object = None) -> bool:
        """Nobody tells of this life any more: the app has shut down, or its lifespan has crashed and it serves on.

        Returns False when it is not the present life: a loop that was lost may be collected at any later moment.
        """
        with self._lock:
            return self._life.end(life)

    def lives_in(self, life: object) -> bool:
        """Tell whether `life` is the present one: somebody tells of it."""
        return self._life.is_of(life)

    @property
    def life(self) -> object:
        """The present life, or the last one when it is over."""
        return self._life.of

    @property
    def going_on(self) -> bool:
        """Whether a life has begun and is not over."""
        return self._life.going_on

    @property
    def started(self) -> bool:
        """Whether the app's own startup is complete."""
        return self._life.started

    @property
    def lives(self) -> int:
        """How many lives have begun. None: nobody tells of them, and a request is the proof that the app serves."""
        return self._life.count

    # -- what runs the checks

    def due(self, now: float, *, at_most: int = 1_000_000) -> Orders:
        """Return what to start and what to cancel at `now`, and record the failure of each run past its deadline.

        Of a check whose run is past its deadline and has not ended, no second one starts. Instead each time one would
        have been due counts as one more failure, so that its thresholds are reached as if it had been run.
        At most `at_most` runs are started; the others stay due.
        """
        start: list[Run] = []
        transitions: list[Transition] = []
        with self._lock:
            cancel, self._cancelled = self._cancelled, []
            for name in self._deadlines.pop(now):
                entry = self._entries[name]
                if entry.run is not None:
                    entry.run.expired = True
                    cancel.append(entry.run)
                    transitions += self._fail(entry, entry.run, _timed_out(entry.check), now)
            while len(start) < at_most and (first := self._dues.pop_first(now)) is not None:
                entry = self._entries[first]
                if entry.run is None:
                    run = entry.run = Run(entry.check, now)
                    self._deadlines.set(first, run.deadline)
                    start.append(run)
                else:
                    late = f"still running after {now - entry.run.started:.1f} s (timeout {entry.check.timeout:.1f} s)"
                    transitions += self._fail(entry, entry.run, late, now)
        self._tell(transitions)
        return Orders(tuple(start), tuple(cancel))

    def record(self, run: Run, result: Result, now: float, error: BaseException | None = None) -> None:
        """Take note that `run` has ended with `result`, because of `error` where there was one.

        What arrives at its deadline or later is a failure whatever it says. What arrives for a run that has been
        given up, or for a check that has been removed, changes nothing but that the check may be run again.
        """
        transitions: list[Transition] = []
        with self._lock:
            entry = self._ended(run)
            if entry is None:
                return
            self._deadlines.set(run.check.name, inf)
            if run.expired:
                if entry.state.time is None:  # it was the run of another life, or of a check that has been removed
                    self._dues.set(entry.check.name, -inf)
                else:
                    self._plan(entry, now)
                return
            if now >= run.deadline:
                result, error = Result(Status.UNHEALTHY, _timed_out(run.check)), None
            transitions = self._apply(entry, result, now, now - run.started, error)
        self._tell(transitions)

    def abandon(self, run: Run) -> None:
        """Take note that `run` has ended because nobody wants to know any more: it says nothing about the check."""
        with self._lock:
            entry = self._ended(run)
            if entry is not None:
                self._deadlines.set(run.check.name, inf)
                self._dues.set(run.check.name, inf if finished(run.check, entry.state) else -inf)

    def next_due(self) -> float:
        """Return when the next run has to start (monotonic seconds), infinity for never."""
        with self._lock:
            return self._dues.next()

    def next_deadline(self) -> float:
        """Return when the next run under way will be late (monotonic seconds), infinity for never."""
        with self._lock:
            return self._deadlines.next()

    def next_wake(self) -> float:
        """Return when `due` has something to say again (monotonic seconds), infinity for never."""
        with self._lock:
            return -inf if self._cancelled else min(self._dues.next(), self._deadlines.next())

    def watch(self, callback: Callable[[], object]) -> None:
        """Call `callback`, from whatever thread, after a change of an outlook, of the checks or of the schedule.

        For those who run checks or keep answers ready: it must not block or raise.
        """
        with self._lock:
            self._standing.watch(callback)

    def changed(self) -> None:
        """Tell the watchers that something has changed that is not kept here: who runs the checks."""
        with self._lock:
            self._standing.tell()

    def outlook(self, probe: Probe | None) -> Outlook:
        """Return how `probe` (None: everything together) stands, and how that decays while nothing new arrives."""
        return self._standing.outlooks[probe]

    def concerns(self, probe: Probe | None) -> bool:
        """Tell whether a run could change `probe`: a check counts for it, or startup checks hold it back."""
        return self._standing.concerns(probe)

    def undecided(self, probe: Probe | None) -> bool:
        """Tell whether `probe` is unhealthy for want of first results, and of nothing else."""
        return self._standing.undecided(probe)

    @property
    def version(self) -> int:
        """A number that is another one after every change that a report could show."""
        return self._standing.version

    # -- inside, with the lock held

    def _apply(
        self, entry: Entry, result: Result, now: float, duration: float, error: BaseException | None = None
    ) -> list[Transition]:
        old = entry.state
        new = entry.state = advance(entry.check, old, result, now, duration)
        self._plan(entry, now)
        self._standing.put(entry.check, new)
        if new.status is old.status or new.status is None:
            return []
        failures = max(old.failures, new.failures)
        return [Transition(entry.check.name, old.status, new.status, result, old.since, now, failures, error)]

    def _ended(self, run: Run) -> Entry | None:
        if run in self._left:
            self._left.remove(run)
        entry = self._entries.get(run.check.name)
        if entry is None or entry.run is not run:
            return None
        entry.run = None
        return entry

    def _left_behind(self, check: Check) -> Run | None:
        """Return the run of a removed check that `check` has to wait for, if there are too many."""
        runs = [run for run in self._left if run.check.name == check.name]
        if len(runs) < LEFT_BEHIND:
            return None
        self._left.remove(runs[-1])
        return runs[-1]

    def _fail(self, entry: Entry, run: Run, message: str, now: float) -> list[Transition]:
        return self._apply(entry, Result(Status.UNHEALTHY, message), now, now - run.started)

    def _plan(self, entry: Entry, now: float) -> None:
        done = finished(entry.check, entry.state)
        self._dues.set(entry.check.name, inf if done else now + pause(entry.check, entry.state, self._random()))

    # -- inside, without it

    def _tell(self, transitions: list[Transition]) -> None:
        for transition in transitions:
            for callback in self._subscribers:
                try:
                    callback(transition)
                except KeyboardInterrupt:
                    raise
                except BaseException:  # one that asks a cancelled task for its result raises CancelledError
                    logger.exception("a subscriber failed on the change of check %r", transition.name)

    def _report(
        self,
        probe: Probe | None,
        entries: Iterable[Entry],
        phase: Phase | None,
        exclude: frozenset[str],
        now: float | None,
    ) -> Report:
        return report_checks(
            probe,
            [(entry.check, entry.state) for entry in entries if probe is None or probe in entry.check.probes],
            phase=phase,
            since=self._life.since,
            stalls=self._stalls,
            started=self._life.started,
            passed=self._life.passed,
            exclude=exclude,
            now=self.clock() if now is None else now,
        )


def _timed_out(check: Check) -> str:
    return f"timed out after {check.timeout:.1f} s"
