"""The engine: the checks of one app, their states, the schedule of their runs and the phase of the app.

Sans-IO, in the manner of h11's Connection: the caller has the event loop and the clock. It asks `due` what to run, runs
it, and passes the outcome to `record`. Nothing here waits, and `now` is always an argument (monotonic seconds).
"""

from collections.abc import Callable
from math import inf
from threading import RLock

from .aggregate import ProbeStatus
from .check import Check
from .check_slot import CheckSlot
from .failure_category import categorize
from .forced_result import ForcedResult
from .host_membership import HostMembership
from .lifecycle import Lifecycle, Phase
from .maintenance import Maintenance
from .maintenances import Maintenances
from .probe_statuses import OnChange, ProbeStatuses, Statuses
from .probe_transitions import Known
from .recorder import Recorder
from .reporter import Reporter
from .result import Result
from .run_schedule import RunSchedule
from .runs import Runs, timed_out
from .schedule import DueRuns, Run
from .stalls import PastStalls, StallRecord, StallTimes
from .status import Probe, Status
from .transition import Transition
from .transition_feed import TransitionFeed
from .workers import Host, Worker


class Engine:
    """Decide which checks run when, and what their results make of each probe.

    Every method may be called from any thread, `drain` from a signal handler too.

    Args:
        clock: The clock (monotonic seconds) from which callers take `now`. The engine itself never reads it.
        random: Returns a number in [0, 1), which varies the pause before the next run.
    """

    def __init__(self, clock: Callable[[], float], random: Callable[[], float]) -> None:
        self.clock = clock
        self._lock = RLock()
        slots: dict[str, CheckSlot] = {}
        lifecycle = Lifecycle()
        statuses = ProbeStatuses(lifecycle)
        maintenances = Maintenances(slots, statuses)
        feed = TransitionFeed(statuses, maintenances)
        schedule = RunSchedule(slots, random)
        recorder = Recorder(statuses, feed, schedule)
        membership = HostMembership(slots, lifecycle, statuses, feed, schedule, recorder)
        stalls = StallRecord()
        reporter = Reporter(slots, lifecycle, statuses, feed, schedule, maintenances, membership, stalls)
        self._slots, self._lifecycle, self._probe_statuses, self._feed = slots, lifecycle, statuses, feed
        self._schedule, self._recorder, self._runs = schedule, recorder, Runs(slots, schedule, recorder, membership)
        self._maintenances, self._membership, self._stalls = maintenances, membership, stalls
        # What reads and takes no lock has its signature and its description there.
        self.report = reporter.report
        self.report_check = reporter.report_check
        self.report_of = reporter.report_of
        self.summarize = reporter.summarize
        self.with_past = reporter.with_past
        self.with_probe_past = reporter.with_probe_past
        self.effective_status = feed.effective_status
        self.depends_on_runs = statuses.depends_on_runs
        self.awaits_first_results = statuses.awaits_first_results
        self.is_current = lifecycle.is_current
        self.maintenance_of = maintenances.of
        self.maintenances = maintenances.present
        self.leads = membership.leads
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
                self._feed.pass_on_decay(now)
            slot = CheckSlot(check)
            slot.delegated = self._membership.delegates(check)
            self._slots[check.name] = slot
            self._schedule.add(slot)
            self._probe_statuses.update(check, slot.state)
            self._probe_statuses.notify()
            if now is not None:
                self._feed.pass_on(now)

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
                self._feed.pass_on_decay(now)
            slot = self._slots.pop(name)
            self._schedule.remove(slot)
            self._maintenances.discard(name)
            self._recorder.forget(slot, slot.state.since if now is None else now)
            self._probe_statuses.discard(name)
            self._probe_statuses.notify()
            if now is not None:
                self._feed.pass_on(now)

    @property
    def checks(self) -> tuple[Check, ...]:
        """The checks, in the order in which they were added."""
        return tuple(slot.check for slot in tuple(self._slots.values()))

    @property
    def slots(self) -> tuple[CheckSlot, ...]:
        """The checks with their states and counts, for readers alone. Takes no lock."""
        return tuple(self._slots.values())

    # -- statuses

    def probe_status(self, probe: Probe) -> ProbeStatus:
        """Return the status of `probe`, and how it decays while no new result arrives."""
        return self._probe_statuses.current[probe]

    @property
    def statuses(self) -> Statuses:
        """The status of each probe at the present moment."""
        return self._probe_statuses.current

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
            self._feed.subscribe(callback)

    def on_change(self, callback: OnChange) -> None:
        """Call `callback` with the statuses of all probes after they, the checks or the schedule have changed.

        It is called in the thread that made the change, and must neither block nor raise. A bound method does not keep
        its object alive.
        """
        with self._lock:
            self._probe_statuses.on_change(callback)

    def pass_on_decay(self, now: float) -> None:
        """Pass on the transitions of the probes whose results have grown stale, or whose maintenance has ended."""
        if now >= min(self._feed.next_decay, self._membership.until):
            with self._lock:
                self._membership.expire(now)
                self._feed.pass_on_decay(now)

    @property
    def next_decay(self) -> float:
        """When the next probe gets worse because a result grows stale (monotonic seconds), infinity for never."""
        return self._feed.probes.next_decay

    def known(self, probe: Probe) -> Known:
        """Return the status that the last transition of `probe` left behind, the reason for it and its beginning."""
        return self._feed.probes.known[probe]

    def names_behind(self, probe: Probe, known: Known, now: float) -> tuple[str, ...]:
        """Return the names of the checks that give `probe` the status in `known`; empty where no check does."""
        if known.reason is None:
            return ()
        with self._lock:
            return self._probe_statuses.names(probe, known.status, known.reason, now)

    def transition_count(self, probe: Probe) -> int:
        """Return the number of transitions of `probe` so far, in all lifespans."""
        return self._feed.probes.counts[probe]

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

    def start(self, lifespan: object, now: float) -> bool:
        """Begin a lifespan: every check starts again from no result.

        Only the first call for a lifespan has an effect and returns True.
        """
        with self._lock:
            self._feed.pass_on_decay(now)
            if not self._lifecycle.start(lifespan, now):
                return False
            self._feed.restart(now)
            self._stalls.restart()
            self._membership.restart()
            for slot in self._slots.values():
                slot.history.start(now)
                slot.delegated = False
                self._schedule.restart(slot)
                self._recorder.restart(slot, now)
            self._probe_statuses.refresh()
            self._feed.pass_on(now)
        return True

    def serve(self, now: float) -> None:
        """Enter the phase SERVING: the app's own startup is complete. A drain that has begun goes on."""
        with self._lock:
            if not self._lifecycle.lifespan_count:
                self._feed.probes.restart(now)
            self._maintenances.end_passed(now)
            self._lifecycle.app_started = True
            self._lifecycle.enter(Phase.SERVING, now)
            self._probe_statuses.refresh()
            self._feed.serve(now)
            self._feed.pass_on(now)

    def stop(self, now: float) -> None:
        """Enter the phase STOPPED: the checks end, and then the app shuts down."""
        with self._lock:
            self._feed.pass_on_decay(now)
            self._lifecycle.enter(Phase.STOPPED, now)
            self._probe_statuses.refresh_readiness()
            self._feed.pass_on(now)
            self._feed.pause(now)
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
            self._feed.pass_on_decay(now)
            self._probe_statuses.refresh_readiness()
            self._feed.pass_on(now)

    def set_temporary_drain(self, active: bool, now: float) -> None:
        """Make readiness unhealthy while `active` is the last value set: a drain file appears and disappears."""
        with self._lock:
            self._feed.pass_on_decay(now)
            self._lifecycle.set_temporary_drain(active, now)
            self._probe_statuses.refresh_readiness()
            self._feed.pass_on(now)

    def set_stalled(self, probes: frozenset[Probe], now: float) -> None:
        """Pass on that the blocked event loop makes `probes` unhealthy, until the next call.

        The statuses stay as they are: only the listener can answer while the loop is blocked, and it adds the stall.
        """
        with self._lock:
            if probes != self._feed.stalled:
                self._feed.pass_on_decay(now)
                self._feed.stalled = probes
                self._feed.pass_on(now)

    def maintain(self, name: str | None, seconds: float, reason: str, now: float) -> Maintenance:
        """Begin a maintenance of `seconds`, in place of the present one of the same check, or of the app for None.

        Raises KeyError for an unknown name.
        """
        with self._lock:
            if name is not None and name not in self._slots:
                raise KeyError(f"check {name!r}: there is no check of that name")
            self._feed.pass_on_decay(now)
            maintenance = Maintenance(name, reason, now, now + seconds)
            self._maintenances.set(name, maintenance)
            self._feed.pass_on(now)
            return maintenance

    def end_maintenance(self, maintenance: Maintenance, now: float) -> bool:
        """End `maintenance` before its time, and return True; False when it is not the present one any more."""
        with self._lock:
            self._feed.pass_on_decay(now)
            present = self._maintenances.of(maintenance.check) is maintenance
            if present:
                self._maintenances.set(maintenance.check, None)
            self._feed.pass_on(now)
            return present

    def adopt_maintenance(self, name: str | None, maintenance: Maintenance | None, now: float) -> None:
        """Use the maintenance that another worker of the host has begun, or end the present one for None.

        No effect where there is no check of that name.
        """
        with self._lock:
            if name is None or name in self._slots:
                self._feed.pass_on_decay(now)
                self._maintenances.set(name, maintenance)
                self._feed.pass_on(now)

    # -- the host

    @property
    def host(self) -> Host | None:
        """The workers of the host, this one too; None without a board, and while it cannot be used."""
        return self._membership.host

    @property
    def own_statuses(self) -> Statuses:
        """The status of each probe without the other workers of the host. Another object after each change."""
        return self._probe_statuses.own

    @property
    def drain_ordered(self) -> bool:
        """Whether it drains by an order, which is one for all workers of the host."""
        return self._lifecycle.drain_ordered_at is not None

    def await_host(self, now: float, until: float) -> None:
        """Wait for `set_host`, or until `until` (monotonic seconds): others may run the checks of the host, or start.

        The app has not started meanwhile, and is not ready.
        """
        with self._lock:
            self._membership.wait(until, now)
            self._feed.pass_on(now)

    def set_host(self, host: Host | None, now: float, until: float = inf, leads_until: float = -inf) -> None:
        """Count the other workers of the host, and use the results of the one that runs the checks of the host.

        Args:
            host: The workers; None for this one alone, which then runs the checks of the host itself.
            now: The present moment (monotonic seconds).
            until: When `host` is too old to count (monotonic seconds).
            leads_until: Until when this worker runs the checks of the host (monotonic seconds).
        """
        with self._lock:
            self._feed.pass_on_decay(now)
            self._membership.set(host, until, leads_until, now)
            self._feed.pass_on(now)

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
        """Return what this worker publishes: see `HostMembership.own_worker`."""
        with self._lock:
            return self._membership.own_worker(
                key, pid, now, started=started, beat=beat, stall_times=stall_times, leads=leads
            )

    @property
    def stalls(self) -> PastStalls:
        """The stalls of the app's event loop in all lifespans; a report has those of the present one."""
        return self._stalls.of_all

    def record_stall(self, seconds: float) -> None:
        """Record that the app's event loop was blocked for `seconds`."""
        with self._lock:
            self._stalls.record(seconds)
            self._probe_statuses.bump_version()

    # -- runs

    def due(self, now: float, *, at_most: int = 1_000_000) -> DueRuns:
        """Return the runs to start and to cancel at `now`, and record a failure for each run past its deadline.

        A check whose run is past its deadline and has not ended gets no second run. Instead, each time one would have
        been due counts as one more failure, so that its thresholds are reached as if it had been run.
        At most `at_most` runs are returned to start; the others stay due.
        """
        with self._lock:
            self._membership.expire(now)
            self._feed.pass_on_decay(now)
            runs = self._runs.due(now, at_most)
            self._feed.pass_on(now)
        return runs

    def record(self, run: Run, result: Result, now: float, error: BaseException | None = None) -> None:
        """Record that `run` has ended with `result`, because of `error` where there was one.

        A result that arrives at its deadline or later is a failure, whatever it says. The result of a run that was
        given up, or of a check that has been removed, only makes the next run possible.
        """
        # Without the lock, because it reads texts of exceptions, which are code of the app.
        failure = categorize(result.message, error) if result.status is Status.UNHEALTHY else None
        with self._lock:
            slot = self._runs.end(run, now)
            if slot is None:
                return
            if now >= run.deadline:
                result, error, failure = Result(Status.UNHEALTHY, timed_out(run.check)), None, "timeout"
            self._feed.pass_on_decay(now)
            self._recorder.record(slot, result, now, now - run.started, failure, error)
            self._feed.pass_on(now)

    def abandon(self, run: Run) -> None:
        """Record that `run` has ended because it was given up: that says nothing about its check."""
        with self._lock:
            self._runs.abandon(run)

    def next_start(self) -> float:
        """Return when the next run has to start (monotonic seconds), infinity for never."""
        with self._lock:
            return self._schedule.starts.next()

    def next_deadline(self) -> float:
        """Return when the next run in progress will be late (monotonic seconds), infinity for never."""
        with self._lock:
            return self._schedule.deadlines.next()

    def next_wake(self) -> float:
        """Return when `due` will return something again (monotonic seconds), infinity for never."""
        with self._lock:
            return min(self._schedule.next_wake(), self._membership.until, self._feed.next_decay)

    def force(self, name: str, result: Result, now: float | None) -> Callable[[float | None], None]:
        """Count `result` in place of every result of the check `name`, at once and from now on, for tests of apps.

        Returns a function that ends it at a moment: the check gets the status back that it had, and runs at once.
        `now` is as in `add`. Raises KeyError for an unknown name.
        """
        with self._lock:
            if name not in self._slots:
                raise KeyError(f"check {name!r}: there is no check of that name")
            slot = self._slots[name]
            forced = ForcedResult(slot, result, self._lifecycle, self._recorder, self._schedule)
            if now is not None:
                self._feed.pass_on_decay(now)
                forced.record(now)
                self._feed.pass_on(now)

        def end(now: float | None) -> None:
            with self._lock:
                if self._slots.get(name) is slot and forced.end() and now is not None:
                    self._feed.pass_on_decay(now)
                    forced.restore(now)
                    self._probe_statuses.notify()
                    self._feed.pass_on(now)

        return end
