"""The engine: the checks of one app, their states, the schedule of their runs and the phase of the app.

Sans-IO, in the manner of h11's Connection: the caller has the event loop and the clock. It asks `due` what to run, runs
it, and passes the outcome to `record`. Nothing here waits, and `now` is always an argument (monotonic seconds).
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from math import inf
from threading import RLock

from .aggregate import ProbeStatus, is_finished, stale_at
from .check import Check
from .failure_category import Category, categorize
from .history import CheckHistory, ProbeHistory
from .lifecycle import Lifecycle, Phase
from .maintenance import Maintenance
from .probe_statuses import OnChange, ProbeStatuses, Statuses
from .probe_transitions import Known, ProbeTransitions, effective_status
from .report import CheckReport, ProbeSummary, Report, build_report, sum_up
from .result import Result
from .run_counts import RunCounts
from .schedule import DueRuns, Run, Timers, pause
from .stalls import NO_STALLS, PastStalls, StallTimes
from .state import UNKNOWN, CheckState, advance
from .status import Probe, Status
from .transition import CheckTransition, Reason, Transition
from .workers import NAMES_OF_CHECKS, NO_OTHERS, UNKNOWN_OTHERS, Host, OtherWorkers, Worker, WorkerProbe

MAX_RUNS_LEFT_BEHIND = 2
"""Unfinished runs of removed checks of one name. From then on a new check of that name waits for the latest of them."""

NEXT_TURN = 0.5
"""Seconds for which what is known of the other workers still counts when it is found to be too old long after it was:
the process was stopped (SIGSTOP) until now, and reads of them next."""

LATE = 0.1
"""Seconds after which it was found long after."""

APP = ""
"""In place of the name of a check, which is never empty, for the maintenance of the app."""


class CheckSlot:
    """A check, its state, its present run, its history, its maintenance, and the counts of its runs."""

    __slots__ = ("check", "counts", "delegated", "forced", "history", "maintenance", "run", "state")

    def __init__(self, check: Check) -> None:
        self.check = check
        self.counts = RunCounts()
        self.state: CheckState = UNKNOWN
        self.history = CheckHistory()
        self.run: Run | None = None
        self.maintenance: Maintenance | None = None
        self.delegated = False
        """Whether another worker of the host runs it."""
        self.forced: Result | None = None

    @property
    def maintained_until(self) -> float:
        """Until when its failures count as degraded (monotonic seconds), minus infinity where they do not."""
        return -inf if self.maintenance is None else self.maintenance.until


class Engine:
    """Decide which checks run when, and what their results make of each probe.

    Every method may be called from any thread, `drain` from a signal handler too.

    Args:
        clock: The clock (monotonic seconds) from which callers take `now`. The engine itself never reads it.
        random: Returns a number in [0, 1), which varies the pause before the next run.
    """

    def __init__(self, clock: Callable[[], float], random: Callable[[], float]) -> None:
        self.clock = clock
        self._random = random
        self._lock = RLock()
        self._slots: dict[str, CheckSlot] = {}
        self._start_times = Timers()
        self._deadlines = Timers()
        self._to_cancel: list[Run] = []
        self._left_behind: list[Run] = []
        self._on_transition: tuple[Callable[[Transition], object], ...] = ()
        self._transitions: deque[Transition] = deque()
        self._passing_on = False
        self._lifecycle = Lifecycle()
        self._probe_statuses = ProbeStatuses(self._lifecycle)
        self._probe_transitions = ProbeTransitions(self._probe_statuses.current)
        self._stalled: frozenset[Probe] = frozenset()
        self._app_maintenance: Maintenance | None = None
        self._maintenance_ends = Timers()
        self._next_maintenance_end = inf
        self._host: Host | None = None
        self._host_until = inf
        self._awaits_next_turn = False
        self._leads_until = inf
        self._stalls = self._all_stalls = NO_STALLS
        self._probe_histories = {probe: ProbeHistory() for probe in Probe}
        self.runner: object | None = None
        """What runs the checks: one runner, however many middlewares share the engine. The engine never uses it."""
        self.publisher: object | None = None
        """What calls the subscribers: one publisher. The engine never uses it."""

    # -- checks

    def add(self, check: Check, now: float | None) -> None:
        """Add `check`; its first run is due at once. Raises ValueError for a name that is taken.

        `now` is None while the app does not run: what changes is passed on when it starts.
        """
        with self._lock:
            if check.name in self._slots:
                raise ValueError(f"check {check.name!r}: the name is taken; names are unique in a Health")
            if now is not None:
                self._pass_on_decay(now)
            slot = CheckSlot(check)
            slot.run = self._take_run_to_wait_for(check)
            slot.delegated = self._is_delegated(check, None if self._host is None else self._host.leading_worker)
            self._slots[check.name] = slot
            self._set_start(slot, -inf if slot.run is None else slot.run.deadline)
            self._probe_statuses.update(check, slot.state)
            self._probe_statuses.notify()
            if now is not None:
                self._pass_on(now)

    def remove(self, name: str, now: float | None) -> None:
        """Remove the check and cancel its run. Raises KeyError for an unknown name. `now` is as in `add`.

        A run that ignores its cancellation goes on, and a new check of the same name has its own runs meanwhile. When
        `MAX_RUNS_LEFT_BEHIND` of them go on, the next check waits for the latest, so that adding and removing a check
        again and again does not accumulate threads.
        """
        with self._lock:
            if name not in self._slots:
                raise KeyError(f"check {name!r}: there is no check of that name")
            if now is not None:
                self._pass_on_decay(now)
            slot = self._slots.pop(name)
            self._start_times.set(name, inf)
            self._deadlines.set(name, inf)
            self._maintenance_ends.set(name, inf)
            self._next_maintenance_end = self._maintenance_ends.next()
            if slot.run is not None:
                slot.run.expired = True
                self._to_cancel.append(slot.run)
                self._left_behind.append(slot.run)
            self._forget(slot, slot.state.since if now is None else now)
            self._probe_statuses.discard(name)
            self._probe_statuses.notify()
            if now is not None:
                self._pass_on(now)

    @property
    def checks(self) -> tuple[Check, ...]:
        """The checks, in the order in which they were added."""
        return tuple(slot.check for slot in tuple(self._slots.values()))

    @property
    def slots(self) -> tuple[CheckSlot, ...]:
        """The checks with their states and counts, for readers alone. Takes no lock."""
        return tuple(self._slots.values())

    # -- reports

    def report(
        self,
        probe: Probe,
        now: float,
        *,
        exclude: Iterable[str] = (),
        groups: frozenset[str] = frozenset(),
        history: bool = False,
    ) -> Report:
        """Return everything known about `probe`.

        Args:
            probe: The probe.
            now: The moment to report on (monotonic seconds).
            exclude: Names of checks to leave out.
            groups: Groups whose checks alone are in the report; empty for all checks.
            history: Whether the report holds the past too.
        """
        # One call into C takes the values, so that a thread may add a check meanwhile.
        slots = tuple(self._slots.values())
        if groups:
            slots = tuple(slot for slot in slots if slot.check.group in groups)
        excluded = frozenset(exclude)
        left_out = excluded if not groups else excluded.union(self._slots) - {slot.check.name for slot in slots}
        report = self._report(probe, slots, self.phase, excluded, now, left_out)
        if groups:
            report = replace(report, groups=tuple(sorted(groups)))
        if not history:
            return report
        return self.with_probe_past(self._with_history(report, slots))

    def report_check(self, name: str, probe: Probe, now: float, *, history: bool = False) -> Report:
        """Return the report of one check alone, as it counts for `probe`. Raises KeyError for an unknown name."""
        slot = self._slots.get(name)
        if slot is None:
            raise KeyError(f"check {name!r}: there is no check of that name")
        report = self._report(probe, (slot,), None, frozenset(), now)
        return self._with_history(report, (slot,)) if history else report

    def report_of(self, checks: tuple[CheckReport, ...], now: float) -> Report:
        """Return the report of HEALTH from those of its checks, which a reader has kept since they last changed.

        It takes a tenth of the time of `report`: 0.1 ms for a thousand checks.
        """
        lifecycle = self._lifecycle
        report = sum_up(
            Probe.HEALTH,
            checks,
            phase=self.phase,
            since=lifecycle.since,
            stalls=self._stalls,
            maintenance=self._app_maintenance,
            spared=[
                each.name
                for each in checks
                if each.maintenance is not None and each.critical and each.status is Status.UNHEALTHY
            ],
            app_started=lifecycle.app_started,
            startup_passed=lifecycle.startup_passed,
            startup_failures=self._probe_statuses.startup_failures(now),
            host=self._host,
            others=self._others(self._host, Probe.HEALTH),
            now=now,
        )
        return self.with_probe_past(report)

    def with_past(self, check: CheckReport, now: float) -> CheckReport:
        """Return `check` with its past up to `now`; without it when the check has been removed meanwhile.

        For a reader that goes on with other work between the checks of a report: a thousand take 10 ms.
        """
        slot = self._slots.get(check.name)
        return check if slot is None or slot.check is not check.check else self._with_check_history(check, slot, now)

    def with_probe_past(self, report: Report) -> Report:
        """Return the report of a probe with the past of the probe, and without that of its checks."""
        return replace(report, history=self._probe_histories[report.probe].past(report.now))

    def summarize(self, probe: Probe, now: float) -> ProbeSummary:
        """Return the status of `probe` with its past, without its checks: for the four probes next to each other."""
        known = self.known(probe)
        status, reason = self.effective_status(probe, now)
        culprits = () if reason is None else self._probe_statuses.names(probe, status, reason, now)
        since = known.since if known.status is status and self._lifecycle.since is not None else None
        return ProbeSummary(probe, status, reason, culprits, since, self._probe_histories[probe].past(now))

    def probe_status(self, probe: Probe) -> ProbeStatus:
        """Return the status of `probe`, and how it decays while no new result arrives."""
        return self._probe_statuses.current[probe]

    def effective_status(self, probe: Probe, now: float) -> tuple[Status, Reason | None]:
        """Return the status of `probe` at `now` and the reason for it, a blocked event loop included. Takes no lock.

        For readers in other threads, which answer for the app while its loop is blocked.
        """
        status, reason, _ = effective_status(self._probe_statuses.current[probe], probe in self._stalled, now)
        return status, reason

    @property
    def statuses(self) -> Statuses:
        """The status of each probe at the present moment."""
        return self._probe_statuses.current

    def depends_on_runs(self, probe: Probe) -> bool:
        """Return whether a run could change `probe`: a check counts for it, or it is unhealthy."""
        return self._probe_statuses.depends_on_runs(probe)

    def awaits_first_results(self, probe: Probe) -> bool:
        """Return whether `probe` is unhealthy only because checks have had no result yet."""
        return self._probe_statuses.awaits_first_results(probe)

    @property
    def version(self) -> int:
        """A number that differs after every change that a report could show."""
        return self._probe_statuses.version

    # -- callbacks

    def on_transition(self, callback: Callable[[Transition], object]) -> None:
        """Call `callback` with each transition of a check or a probe, in the order in which they happen.

        It is called with the lock held, in the thread that made the change, which may be in a signal handler: it must
        neither block, raise, take a lock, nor start a thread. An ``append`` of a deque is enough.
        """
        with self._lock:
            self._on_transition = (*self._on_transition, callback)

    def on_change(self, callback: OnChange) -> None:
        """Call `callback` with the statuses of all probes after they, the checks or the schedule have changed.

        It is called in the thread that made the change, and must neither block nor raise. A bound method does not keep
        its object alive.
        """
        with self._lock:
            self._probe_statuses.on_change(callback)

    def pass_on_decay(self, now: float) -> None:
        """Pass on the transitions of the probes whose results have grown stale, or whose maintenance has ended."""
        if now >= min(self._probe_transitions.next_decay, self._next_maintenance_end, self._host_until):
            with self._lock:
                self._expire_host(now)
                self._pass_on_decay(now)

    @property
    def next_decay(self) -> float:
        """When the next probe gets worse because a result grows stale (monotonic seconds), infinity for never."""
        return self._probe_transitions.next_decay

    def known(self, probe: Probe) -> Known:
        """Return the status that the last transition of `probe` left behind, the reason for it and its beginning."""
        return self._probe_transitions.known[probe]

    def names_behind(self, probe: Probe, known: Known, now: float) -> tuple[str, ...]:
        """Return the names of the checks that give `probe` the status in `known`; empty where no check does."""
        if known.reason is None:
            return ()
        with self._lock:
            return self._probe_statuses.names(probe, known.status, known.reason, now)

    def transition_count(self, probe: Probe) -> int:
        """Return the number of transitions of `probe` so far, in all lifespans."""
        return self._probe_transitions.counts[probe]

    def notify(self) -> None:
        """Call the callbacks of `on_change`, after a change outside of the engine: the runner has started or ended."""
        with self._lock:
            self._probe_statuses.notify()

    # -- phases

    @property
    def phase(self) -> Phase:
        """The present phase of the app."""
        return self._lifecycle.phase

    @property
    def phase_since(self) -> float | None:
        """When the phase began (monotonic seconds), None before the app starts."""
        return self._lifecycle.since

    @property
    def lifespan(self) -> object:
        """The identity of the present lifespan, or of the last one when it is over."""
        return self._lifecycle.lifespan

    @property
    def in_lifespan(self) -> bool:
        """Whether a lifespan has begun and is not over."""
        return self._lifecycle.in_lifespan

    @property
    def lifespan_count(self) -> int:
        """Number of lifespans started. 0: the server sends no lifespan, so the first request counts as startup."""
        return self._lifecycle.lifespan_count

    @property
    def app_started(self) -> bool:
        """Whether the app's own startup is complete."""
        return self._lifecycle.app_started

    def is_current(self, lifespan: object) -> bool:
        """Return whether `lifespan` is the present one and is not over."""
        return self._lifecycle.is_current(lifespan)

    def start(self, lifespan: object, now: float) -> bool:
        """Begin a lifespan: every check starts again from no result.

        Only the first call for a lifespan has an effect and returns True.
        """
        with self._lock:
            self._pass_on_decay(now)
            if not self._lifecycle.start(lifespan, now):
                return False
            self._probe_transitions.restart(now)
            self._stalls = NO_STALLS
            self._stalled = frozenset()
            self._host, self._host_until, self._leads_until = None, inf, inf
            self._probe_statuses.forget_others()
            for probe_history in self._probe_histories.values():
                probe_history.pause(now)
            for slot in self._slots.values():
                self._forget(slot, now)
                slot.history.start(now)
                slot.delegated = False
                self._set_start(slot, -inf if slot.run is None else slot.run.deadline)
                if slot.run is not None:
                    slot.run.expired = True  # its result belongs to the former lifespan
                    self._deadlines.set(slot.check.name, inf)
                self._probe_statuses.update(slot.check, UNKNOWN, slot.maintained_until)
            self._probe_statuses.refresh()
            self._pass_on(now)
        return True

    def serve(self, now: float) -> None:
        """Enter the phase SERVING: the app's own startup is complete. A drain that has begun goes on."""
        with self._lock:
            if not self._lifecycle.lifespan_count:
                self._probe_transitions.restart(now)
            self._end_maintenance(now)
            self._lifecycle.app_started = True
            self._lifecycle.enter(Phase.SERVING, now)
            self._probe_statuses.refresh()
            for probe, history in self._probe_histories.items():
                history.serve(self._probe_statuses.current[probe].at(now), now)
            self._pass_on(now)

    def stop(self, now: float) -> None:
        """Enter the phase STOPPED: the checks end, and then the app shuts down."""
        with self._lock:
            self._pass_on_decay(now)
            self._lifecycle.enter(Phase.STOPPED, now)
            self._probe_statuses.refresh_readiness()
            self._pass_on(now)
            for history in self._probe_histories.values():
                history.pause(now)
            for slot in self._slots.values():
                slot.history.stop(now)

    def finish(self, lifespan: object) -> bool:
        """End a lifespan: the app has shut down, or its lifespan has crashed and it serves on without one.

        Returns False when it is not the present lifespan: a lost loop may be collected at any later moment.
        """
        with self._lock:
            return self._lifecycle.finish(lifespan)

    def drain(self, now: float, *, ordered: bool = True, ordered_at: float | None = None) -> None:
        """Make readiness unhealthy until a lifespan that follows a shutdown. May be called from a signal handler.

        Args:
            now: The present moment (monotonic seconds).
            ordered: Whether all workers of the host drain. A signal may be meant for this worker alone.
            ordered_at: When another worker got the order; None for now. A worker that starts later does not follow it.
        """
        self._lifecycle.drain(now, ordered_at=(now if ordered_at is None else ordered_at) if ordered else None)
        with self._lock:
            self._pass_on_decay(now)
            self._probe_statuses.refresh_readiness()
            self._pass_on(now)

    def set_temporary_drain(self, active: bool, now: float) -> None:
        """Make readiness unhealthy while `active` is the last value set: a drain file appears and disappears."""
        with self._lock:
            self._pass_on_decay(now)
            self._lifecycle.set_temporary_drain(active, now)
            self._probe_statuses.refresh_readiness()
            self._pass_on(now)

    def set_stalled(self, probes: frozenset[Probe], now: float) -> None:
        """Pass on that the blocked event loop makes `probes` unhealthy, until the next call.

        The statuses stay as they are: only the listener can answer while the loop is blocked, and it adds the stall.
        """
        with self._lock:
            if probes != self._stalled:
                self._pass_on_decay(now)
                self._stalled = probes
                self._pass_on(now)

    def maintain(self, name: str | None, seconds: float, reason: str, now: float) -> Maintenance:
        """Begin a maintenance of `seconds`, in place of the present one of the same check, or of the app for None.

        Raises KeyError for an unknown name.
        """
        with self._lock:
            if name is not None and name not in self._slots:
                raise KeyError(f"check {name!r}: there is no check of that name")
            self._pass_on_decay(now)
            maintenance = Maintenance(name, reason, now, now + seconds)
            self._set_maintenance(name, maintenance)
            self._pass_on(now)
            return maintenance

    def end_maintenance(self, maintenance: Maintenance, now: float) -> bool:
        """End `maintenance` before its time, and return True; False when it is not the present one any more."""
        with self._lock:
            self._pass_on_decay(now)
            present = self.maintenance_of(maintenance.check) is maintenance
            if present:
                self._set_maintenance(maintenance.check, None)
            self._pass_on(now)
            return present

    def adopt_maintenance(self, name: str | None, maintenance: Maintenance | None, now: float) -> None:
        """Use the maintenance that another worker of the host has begun, or end the present one for None.

        No effect where there is no check of that name.
        """
        with self._lock:
            if name is None or name in self._slots:
                self._pass_on_decay(now)
                self._set_maintenance(name, maintenance)
                self._pass_on(now)

    def maintenance_of(self, name: str | None) -> Maintenance | None:
        """Return the present maintenance of the check `name`, or of the app for None."""
        if name is None:
            return self._app_maintenance
        slot = self._slots.get(name)
        return None if slot is None else slot.maintenance

    def maintenances(self, now: float) -> tuple[Maintenance, ...]:
        """Return the maintenances that are present at `now`: that of the app first. Takes no lock."""
        found = (self._app_maintenance, *(slot.maintenance for slot in self.slots))
        return tuple(each for each in found if each is not None and now < each.until)

    # -- the host

    @property
    def host(self) -> Host | None:
        """The workers of the host, this one too; None without a board, and while it cannot be used."""
        return self._host

    @property
    def _awaits_host(self) -> bool:
        return self._host is None and self._host_until < inf

    @property
    def own_statuses(self) -> Statuses:
        """The status of each probe without the other workers of the host. Another object after each change."""
        return self._probe_statuses.own

    @property
    def drain_ordered(self) -> bool:
        """Whether it drains by an order, which is one for all workers of the host."""
        return self._lifecycle.drain_ordered_at is not None

    def leads(self, now: float) -> bool:
        """Return whether this worker speaks for the host at `now`: it sends alerts.

        True without a board, and while it cannot be used; False until the first turn at it.
        """
        host = self._host
        return self._host_until == inf if host is None else host.leader == host.own and now < self._leads_until

    def await_host(self, now: float, until: float) -> None:
        """Wait for `set_host`, or until `until` (monotonic seconds): others may run the checks of the host, or start.

        The app has not started meanwhile, and is not ready.
        """
        with self._lock:
            self._host, self._host_until = None, until
            self._delegate(now)
            self._probe_statuses.set_others(UNKNOWN_OTHERS)
            self._pass_on(now)

    def set_host(self, host: Host | None, now: float, until: float = inf, leads_until: float = -inf) -> None:
        """Count the other workers of the host, and use the results of the one that runs the checks of the host.

        Args:
            host: The workers; None for this one alone, which then runs the checks of the host itself.
            now: The present moment (monotonic seconds).
            until: When `host` is too old to count (monotonic seconds).
            leads_until: Until when this worker runs the checks of the host (monotonic seconds).
        """
        with self._lock:
            self._pass_on_decay(now)
            self._set_host(host, until, leads_until, now)
            self._pass_on(now)

    def own_worker(
        self,
        key: str,
        pid: int,
        now: float,
        *,
        started: float,
        beat: float | None,
        stall_times: StallTimes,
        leads: bool,
    ) -> Worker:
        """Return what this worker publishes: its own statuses, without those of the others.

        Args:
            key: Its key.
            pid: Number of its process.
            now: The present moment (monotonic seconds).
            started: When its lifespan began (monotonic seconds).
            beat: When its event loop last ran (monotonic seconds); None where nothing measures that.
            stall_times: How long its event loop may be blocked.
            leads: Whether it runs the checks of the host.
        """
        with self._lock:
            lifecycle = self._lifecycle
            return Worker(
                key,
                pid,
                started,
                now,
                beat,
                lifecycle.phase,
                lifecycle.startup_passed,
                lifecycle.drain_ordered_at,
                stall_times,
                {probe: self._own_probe(probe, now) for probe in Probe},
                {slot.check.name: slot.state for slot in self._host_slots()} if leads else None,
            )

    @property
    def stalls(self) -> PastStalls:
        """The stalls of the app's event loop in all lifespans; a report has those of the present one."""
        return self._all_stalls

    def record_stall(self, seconds: float) -> None:
        """Record that the app's event loop was blocked for `seconds`."""
        with self._lock:
            self._stalls = self._stalls.plus(seconds)
            self._all_stalls = self._all_stalls.plus(seconds)
            self._probe_statuses.bump_version()

    # -- runs

    def due(self, now: float, *, at_most: int = 1_000_000) -> DueRuns:
        """Return the runs to start and to cancel at `now`, and record a failure for each run past its deadline.

        A check whose run is past its deadline and has not ended gets no second run. Instead, each time one would have
        been due counts as one more failure, so that its thresholds are reached as if it had been run.
        At most `at_most` runs are returned to start; the others stay due.
        """
        start: list[Run] = []
        with self._lock:
            self._expire_host(now)
            self._pass_on_decay(now)
            cancel, self._to_cancel = self._to_cancel, []
            for name in self._deadlines.pop(now):
                slot = self._slots[name]
                if slot.run is not None:
                    slot.run.expired = True
                    cancel.append(slot.run)
                    if self._runs_here(slot, now):
                        self._fail(slot, slot.run, "timeout", timed_out(slot.check), now)
            while len(start) < at_most and (first := self._start_times.pop_first(now)) is not None:
                slot = self._slots[first]
                if not self._runs_here(slot, now):
                    slot.delegated = True  # until this worker has renewed its lease
                    continue
                if slot.run is None:
                    run = slot.run = Run(slot.check, now)
                    self._deadlines.set(first, run.deadline)
                    start.append(run)
                else:
                    late = f"still running after {now - slot.run.started:.1f} s (timeout {slot.check.timeout:.1f} s)"
                    self._fail(slot, slot.run, "overrun", late, now)
            self._pass_on(now)
        return DueRuns(tuple(start), tuple(cancel))

    def record(self, run: Run, result: Result, now: float, error: BaseException | None = None) -> None:
        """Record that `run` has ended with `result`, because of `error` where there was one.

        A result that arrives at its deadline or later is a failure, whatever it says. The result of a run that was
        given up, or of a check that has been removed, only makes the next run possible.
        """
        # Without the lock, because it reads texts of exceptions, which are code of the app.
        failure = categorize(result.message, error) if result.status is Status.UNHEALTHY else None
        with self._lock:
            slot = self._finish_run(run)
            if slot is None:
                return
            self._deadlines.set(run.check.name, inf)
            if run.expired:
                if slot.state.time is None:  # a run of another lifespan, or of a check that has been removed
                    self._set_start(slot, -inf)
                else:
                    self._schedule_next(slot, now)
                return
            if not self._runs_here(slot, now):  # the lease of this worker has ended during the run
                slot.delegated = True
                return
            if now >= run.deadline:
                result, error, failure = Result(Status.UNHEALTHY, timed_out(run.check)), None, "timeout"
            self._pass_on_decay(now)
            self._apply(slot, result, now, now - run.started, failure, error)
            self._pass_on(now)

    def abandon(self, run: Run) -> None:
        """Record that `run` has ended because it was given up: that says nothing about its check."""
        with self._lock:
            slot = self._finish_run(run)
            if slot is not None:
                self._deadlines.set(run.check.name, inf)
                self._set_start(slot, inf if is_finished(run.check, slot.state) else -inf)

    def next_start(self) -> float:
        """Return when the next run has to start (monotonic seconds), infinity for never."""
        with self._lock:
            return self._start_times.next()

    def next_deadline(self) -> float:
        """Return when the next run in progress will be late (monotonic seconds), infinity for never."""
        with self._lock:
            return self._deadlines.next()

    def next_wake(self) -> float:
        """Return when `due` will return something again (monotonic seconds), infinity for never."""
        with self._lock:
            if self._to_cancel:
                return -inf
            return min(
                self._start_times.next(),
                self._deadlines.next(),
                self._next_maintenance_end,
                self._host_until,
                self._probe_transitions.next_decay,
            )

    def force(self, name: str, result: Result, now: float | None) -> Callable[[float | None], None]:
        """Count `result` in place of every result of the check `name`, at once and from now on, for tests of apps.

        Returns a function that ends it at a moment: the check gets the status back that it had, and runs at once.
        `now` is as in `add`. Raises KeyError for an unknown name.
        """
        with self._lock:
            if name not in self._slots:
                raise KeyError(f"check {name!r}: there is no check of that name")
            slot = self._slots[name]
            before, outer, lifespan_count = slot.state, slot.forced, self._lifecycle.lifespan_count
            slot.forced = result
            self._settle(slot, result, now)

        def end(now: float | None) -> None:
            with self._lock:
                if self._slots.get(name) is not slot or slot.forced is not result:
                    return
                slot.forced = outer
                if now is None:
                    return
                if before.status is None or self._lifecycle.lifespan_count != lifespan_count:
                    self._forget(slot, now)
                    self._probe_statuses.update(slot.check, UNKNOWN, slot.maintained_until)
                    self._pass_on(now)
                else:
                    self._settle(slot, Result(before.status), now)
                self._set_start(slot, -inf if slot.run is None else slot.run.deadline)
                self._probe_statuses.notify()

        return end

    # -- private, called with the lock held

    def _settle(self, slot: CheckSlot, result: Result, now: float | None) -> None:
        """Record `result` as often as the thresholds ask for. `now` is as in `add`."""
        if now is None:
            return
        self._pass_on_decay(now)
        failure = categorize(result.message, None) if result.status is Status.UNHEALTHY else None
        self._apply(slot, result, now, 0.0, failure)
        while slot.state.status is not result.status:
            self._apply(slot, result, now, 0.0, failure)
        self._pass_on(now)

    def _apply(
        self,
        slot: CheckSlot,
        result: Result,
        now: float,
        duration: float,
        failure: Category | None,
        error: BaseException | None = None,
    ) -> None:
        if slot.forced is not None:
            result, error = slot.forced, None
        old = slot.state
        new = slot.state = advance(slot.check, old, result, now, duration)
        self._schedule_next(slot, now)
        slot.counts.record(duration, failure, changed=new.status is not old.status)
        if new.status is not old.status:  # before the probes' statuses, whose transitions follow it
            failures = max(old.failures, new.failures)
            self._transitions.append(
                CheckTransition(slot.check.name, old.status, new.status, result, old.since, now, failures, error)
            )
        self._probe_statuses.update(slot.check, new, slot.maintained_until)
        if new.status is not None:
            slot.history.record(now, result.status, duration, old.status, new.status, stale_at(slot.check, new))

    def _forget(self, slot: CheckSlot, now: float) -> None:
        old, slot.state = slot.state, UNKNOWN
        if old.status is not None:
            since = min(old.since, now)
            self._transitions.append(CheckTransition(slot.check.name, old.status, None, None, since, now, 0))

    def _fail(self, slot: CheckSlot, run: Run, failure: Category, message: str, now: float) -> None:
        self._apply(slot, Result(Status.UNHEALTHY, message), now, now - run.started, failure)

    def _schedule_next(self, slot: CheckSlot, now: float) -> None:
        finished = is_finished(slot.check, slot.state)
        self._set_start(slot, inf if finished else now + pause(slot.check, slot.state, self._random()))

    def _set_start(self, slot: CheckSlot, when: float) -> None:
        self._start_times.set(slot.check.name, inf if slot.delegated else when)

    def _host_slots(self) -> list[CheckSlot]:
        return [slot for slot in self._slots.values() if slot.check.scope == "host"]

    def _runs_here(self, slot: CheckSlot, now: float) -> bool:
        """Return whether this worker may run the check: also a lease that it could not renew has an end."""
        return not slot.delegated and (slot.check.scope == "process" or now < self._leads_until)

    def _is_delegated(self, check: Check, leader: Worker | None) -> bool:
        """Return whether another worker runs `check`: `leader`, if it has a check of that name."""
        if check.scope == "process":
            return False
        host = self._host
        if host is None:
            return self._awaits_host
        if leader is None:
            return True
        # A worker that has become the leader may not have published its results yet.
        return leader.key != host.own and (leader.results is None or check.name in leader.results)

    def _delegate(self, now: float) -> None:
        """Leave the checks of the host to the worker that runs them, or run them here from now on."""
        leader = None if self._host is None else self._host.leading_worker
        for slot in self._host_slots():
            delegated = self._is_delegated(slot.check, leader)
            if delegated and not slot.delegated:
                slot.delegated = True
                self._set_start(slot, inf)
                if slot.run is not None and not slot.run.expired:
                    slot.run.expired = True
                    self._to_cancel.append(slot.run)
            elif slot.delegated and not delegated:
                slot.delegated = False
                start = self._start_after_others(slot, now)
                # One that never ends must count as a failure each time the next one is due.
                self._set_start(slot, start if slot.run is None else max(start, slot.run.deadline))

    def _start_after_others(self, slot: CheckSlot, now: float) -> float:
        """Return when to run a check whose last result came from another worker: as if that one still ran it."""
        if slot.state.time is None:
            return -inf
        if is_finished(slot.check, slot.state):
            return inf
        return max(now, slot.state.time + pause(slot.check, slot.state, self._random()))

    def _set_host(self, host: Host | None, until: float, leads_until: float, now: float) -> None:
        former, self._host = self._host, host
        self._host_until, self._awaits_next_turn = until, False
        leads = host is None or host.leader == host.own
        self._leads_until = inf if host is None else leads_until
        leader = None if host is None or leads else host.leading_worker
        if leader is not None and leader.results is not None:
            for slot in self._host_slots():
                state = leader.results.get(slot.check.name)
                if state is None or state is slot.state or state.time is None or slot.forced is not None:
                    continue
                if state != slot.state:
                    self._adopt(slot, state, now)
        self._delegate(now)
        self._probe_statuses.set_others({} if host is None else host.probes)
        if (None if former is None else former.shown) != (None if host is None else host.shown):
            self._probe_statuses.bump_version()
            self._probe_statuses.notify()

    def _expire_host(self, now: float) -> None:
        """Count this worker alone when what it knows of the others is too old."""
        if now < self._host_until:
            return
        if self._host is not None and now > self._host_until + LATE and not self._awaits_next_turn:
            self._awaits_next_turn, self._host_until = True, now + NEXT_TURN
        else:
            self._set_host(None, inf, -inf, now)
            self._pass_on(now)

    def _adopt(self, slot: CheckSlot, state: CheckState, now: float) -> None:
        """Use the state of a check that another worker runs; its times are those of that worker's runs."""
        old, slot.state = slot.state, state
        assert state.status is not None
        assert state.result is not None
        if state.status is not old.status:
            at = max(old.since, state.since)
            failures = max(old.failures, state.failures)
            self._transitions.append(
                CheckTransition(slot.check.name, old.status, state.status, state.result, old.since, at, failures)
            )
        self._probe_statuses.update(slot.check, state, slot.maintained_until)
        if state.time != old.time:
            stale, duration = stale_at(slot.check, state), state.duration or 0.0
            slot.history.record(now, state.result.status, duration, old.status, state.status, stale)

    def _own_probe(self, probe: Probe, now: float) -> WorkerProbe:
        status, reason, began = effective_status(self._probe_statuses.own[probe], probe in self._stalled, now)
        if reason is None:
            return WorkerProbe(status, since=now)
        names = self._probe_statuses.names(probe, status, reason, now)
        if reason == "check" and status is Status.UNHEALTHY:  # also those that would make it so without the others
            names += self._probe_statuses.names(probe, status, "stale", now)
        return WorkerProbe(status, reason, names[:NAMES_OF_CHECKS], now if began is None else began)

    def _finish_run(self, run: Run) -> CheckSlot | None:
        """Return the slot whose present run `run` was, None when there is none any more."""
        if run in self._left_behind:
            self._left_behind.remove(run)
        slot = self._slots.get(run.check.name)
        if slot is None or slot.run is not run:
            return None
        slot.run = None
        return slot

    def _take_run_to_wait_for(self, check: Check) -> Run | None:
        """Return the run of a removed check that `check` has to wait for, None when there are few."""
        runs = [run for run in self._left_behind if run.check.name == check.name]
        if len(runs) < MAX_RUNS_LEFT_BEHIND:
            return None
        self._left_behind.remove(runs[-1])
        return runs[-1]

    def _set_maintenance(self, name: str | None, maintenance: Maintenance | None) -> None:
        self._maintenance_ends.set(name or APP, inf if maintenance is None else maintenance.until)
        self._next_maintenance_end = self._maintenance_ends.next()
        if name is None:
            self._app_maintenance = maintenance
            self._probe_statuses.set_app_in_maintenance(maintenance is not None)
        else:
            slot = self._slots[name]
            slot.maintenance = maintenance
            self._probe_statuses.update(slot.check, slot.state, slot.maintained_until)
            self._probe_statuses.notify()

    def _end_maintenance(self, now: float) -> None:
        """End each maintenance whose time is over at `now`."""
        if now >= self._next_maintenance_end:
            for name in self._maintenance_ends.pop(now):
                self._set_maintenance(name or None, None)

    def _pass_on_decay(self, now: float) -> None:
        """Pass on what has grown stale, or has ended, by `now`. Called before each change, which would hide it."""
        if now >= self._next_maintenance_end:
            self._end_maintenance(now)
            self._pass_on(now)
        elif now >= self._probe_transitions.next_decay:
            self._pass_on(now)

    def _pass_on(self, now: float) -> None:
        """Pass on the transitions of checks, and then those of the probes that they have changed."""
        probes = self._probe_transitions
        # Almost every run of a check ends here: its result has changed no status, and none has grown stale.
        if not self._transitions and probes.are_known(self._probe_statuses.current, self._stalled, now):
            return
        # A signal handler may start a drain at any point of this, in this very thread. Its own call returns at once and
        # leaves its transitions to the interrupted one, so that every callback receives them in the same order.
        while not self._passing_on:
            self._passing_on = True
            statuses = self._probe_statuses.current
            try:
                changes = probes.changes(statuses, self._stalled, now, self._probe_statuses.names)
                for change in changes:
                    self._probe_histories[change.probe].record(change)
                self._transitions.extend(changes)
                while self._transitions:
                    transition = self._transitions.popleft()
                    for callback in self._on_transition:
                        callback(transition)
            finally:
                self._passing_on = False
            if statuses is self._probe_statuses.current:
                return

    # -- private, called without the lock

    def _report(
        self,
        probe: Probe,
        slots: Iterable[CheckSlot],
        phase: Phase | None,
        exclude: frozenset[str],
        now: float,
        left_out: frozenset[str] = frozenset(),
    ) -> Report:
        host = self._host
        if host is not None:
            host = host.without(left_out, probe)
        return build_report(
            probe,
            [
                (each.check, each.state, each.maintenance)
                for each in slots
                if probe is Probe.HEALTH or probe in each.check.probes
            ],
            phase=phase,
            since=self._lifecycle.since,
            stalls=self._stalls,
            maintenance=self._app_maintenance,
            app_started=self._lifecycle.app_started,
            startup_passed=self._lifecycle.startup_passed,
            startup_failures=self._probe_statuses.startup_failures(now),
            host=host,
            others=self._others(host, probe),
            exclude=exclude,
            now=now,
        )

    def _others(self, host: Host | None, probe: Probe) -> OtherWorkers:
        """Return what the other workers of `host` make of `probe`."""
        if host is None:
            return UNKNOWN_OTHERS[probe] if self._awaits_host else NO_OTHERS
        if probe is Probe.STARTUP and self._probe_statuses.host_started:
            return NO_OTHERS
        return host.probes[probe]

    def _with_history(self, report: Report, slots: Iterable[CheckSlot]) -> Report:
        by_name = {slot.check.name: slot for slot in slots}
        checks = tuple(self._with_check_history(each, by_name[each.name], report.now) for each in report.checks)
        return replace(report, checks=checks)

    def _with_check_history(self, check: CheckReport, slot: CheckSlot, now: float) -> CheckReport:
        run = slot.run
        # Not `replace`, which takes as long as everything else in it.
        return CheckReport(
            check.name,
            check.status,
            check.output,
            check.critical,
            check.state,
            check.check,
            check.contribution,
            check.stale_at,
            slot.history.past(now),
            self._start_times.get(check.name),
            None if run is None else run.started,
            check.maintenance,
            check.run_by,
        )


def timed_out(check: Check) -> str:
    """Return the message of a run of `check` that had no result by its deadline."""
    return f"timed out after {check.timeout:.1f} s"
