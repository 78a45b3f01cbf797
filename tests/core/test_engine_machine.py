"""An Engine under arbitrary histories: its promises hold after every step, in whatever order the steps come."""

from dataclasses import dataclass
from math import inf

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from asgi_health import Check, Probe, Status, Transition
from asgi_health.core.lifecycle import Phase
from asgi_health.core.maintenance import Maintenance
from asgi_health.core.schedule import Run

from ..support.core_cases import (
    LIFESPAN,
    RESULTS,
    checks,
    new_engine,
    no_deadline,
    replay,
    replayed,
    statuses,
)
from ..support.expected_check import ExpectedCheck

NAMES = "abcd"
PASSED = (Status.HEALTHY, Status.DEGRADED)


@dataclass
class Observed:
    """A check, what its results make of it, and its present run."""

    expected: ExpectedCheck
    run: Run | None = None

    @property
    def check(self) -> Check:
        return self.expected.check


class EngineMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.jitter = 0.5
        self.observed: dict[str, Observed] = {}
        self.left_behind: list[Run] = []
        self.removed: set[Run] = set()
        self.drained = self.stopped = False
        self.in_lifespan = self.started = self.startup_passed = False
        self.engine = new_engine(random=lambda: self.jitter)
        self.stalled: frozenset[Probe] = frozenset()
        self.maintenance: dict[str | None, Maintenance] = {}
        self.replay = replayed(self.engine)
        self.transitions: list[Transition] = []
        self.engine.on_transition(self.transitions.append)

    @initialize(first=checks("a"), serving=st.booleans())
    def begin_with_a_check(self, first: Check, serving: bool) -> None:
        self.add(first)
        if serving:
            self.serve()

    # -- what an app does

    @rule(check=st.sampled_from(NAMES).flatmap(checks))
    def add(self, check: Check) -> None:
        if check.name in self.observed:
            return
        self.engine.add(check, self.now)
        self.observed[check.name] = Observed(ExpectedCheck(check))
        self.update_startup()

    @rule(data=st.data())
    @precondition(lambda self: self.observed)
    def remove(self, data: st.DataObject) -> None:
        observed = self.observed.pop(data.draw(st.sampled_from(sorted(self.observed))))
        self.engine.remove(observed.check.name, self.now)
        self.maintenance.pop(observed.check.name, None)
        if observed.run is not None:
            self.left_behind.append(observed.run)
            self.removed.add(observed.run)
        self.update_startup()

    @rule()
    def serve(self) -> None:
        self.engine.serve(self.now)
        self.started = True
        self.update_startup()

    @rule()
    def drain(self) -> None:
        self.engine.drain(self.now)
        self.drained = True

    @rule()
    def stop(self) -> None:
        self.engine.stop(self.now)
        self.stopped = True

    @rule()
    def finish(self) -> None:
        self.engine.finish(LIFESPAN)
        self.in_lifespan = False

    @rule()
    def start(self) -> None:
        self.engine.start(LIFESPAN, self.now)
        if self.in_lifespan:
            return
        self.in_lifespan = True
        self.drained &= not self.stopped
        self.stalled = frozenset()
        self.stopped = self.started = self.startup_passed = False
        for observed in self.observed.values():
            observed.expected = ExpectedCheck(observed.check)

    @rule(stalled=st.frozensets(st.sampled_from(Probe)))
    def the_loop_is_blocked(self, stalled: frozenset[Probe]) -> None:
        self.stalled = stalled
        self.engine.set_stalled(stalled, self.now)

    @rule(data=st.data(), quarters=st.integers(1, 120))
    def begin_maintenance(self, data: st.DataObject, quarters: int) -> None:
        name = data.draw(st.sampled_from([None, *sorted(self.observed)]))
        self.maintenance[name] = self.engine.maintain(name, quarters / 4, "why", self.now)
        self.update_startup()

    @rule(data=st.data())
    @precondition(lambda self: self.maintenance)
    def end_maintenance(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.maintenance, key=str)))
        self.engine.end_maintenance(self.maintenance.pop(name), self.now)

    def in_maintenance(self, name: str | None) -> bool:
        maintenance = self.maintenance.get(name)
        return maintenance is not None and self.now < maintenance.until

    # -- what a runner does

    @rule(at_most=st.integers(1, 4))
    def wake_up(self, at_most: int) -> None:
        turns = 0
        while self.engine.next_wake() <= self.now:
            turns += 1
            assert turns <= len(NAMES) + 2, "busy loop"
            due = self.engine.due(self.now, at_most=at_most)
            assert len(due.start) <= at_most
            for run in due.cancel:
                if run not in self.removed:
                    assert run.expired
                    assert run.deadline <= self.now
                    self.observed[run.check.name].expected.record(Status.UNHEALTHY, self.now)
            for run in due.start:
                observed = self.observed[run.check.name]
                assert observed.run is None, "two runs of one check at a time"
                assert run.check is observed.check
                observed.run = run
        for observed in self.observed.values():
            if observed.run is not None and observed.run.expired:
                observed.expected.record_unseen_failures(self.now)
            elif any(run.check.name == observed.check.name and run.deadline <= self.now for run in self.left_behind):
                observed.expected.may_have_failed = True  # it waited for that run, which is late

    @rule(data=st.data(), status=statuses)
    @precondition(lambda self: any(observed.run for observed in self.observed.values()))
    def a_run_ends(self, data: st.DataObject, status: Status) -> None:
        name = data.draw(st.sampled_from(sorted(name for name, observed in self.observed.items() if observed.run)))
        observed = self.observed[name]
        run, observed.run = observed.run, None
        assert run is not None
        if not run.expired:
            observed.expected.record(status if self.now < run.deadline else Status.UNHEALTHY, self.now)
        self.engine.record(run, RESULTS[status], self.now)
        self.update_startup()

    @rule(data=st.data(), status=statuses)
    @precondition(lambda self: self.left_behind)
    def a_run_of_a_removed_check_ends(self, data: st.DataObject, status: Status) -> None:
        run = self.left_behind.pop(data.draw(st.integers(0, len(self.left_behind) - 1)))
        version = self.engine.version
        self.engine.record(run, RESULTS[status], self.now)
        assert self.engine.version == version

    @rule(quarters=st.integers(1, 60), jitter=st.floats(0.0, 0.99))
    def time_passes(self, quarters: int, jitter: float) -> None:
        self.now += quarters / 4
        self.jitter = jitter

    @rule()
    @precondition(lambda self: self.now < self.engine.next_wake() < inf)
    def time_passes_to_the_next_event(self) -> None:
        self.now = self.engine.next_wake()

    def update_startup(self) -> None:
        needed = [
            each
            for each in self.counted_for(Probe.STARTUP)
            if each.check.critical and not self.in_maintenance(each.check.name)
        ]
        if self.started and all(each.expected.has_passed for each in needed):
            self.startup_passed = True

    def counted_for(self, probe: Probe) -> list[Observed]:
        return [each for each in self.observed.values() if probe is Probe.HEALTH or probe in each.check.probes]

    # -- what must hold after each step

    @invariant()
    def readiness_passes_on_fresh_passes_only(self) -> None:
        if self.engine.report(Probe.READINESS, self.now).status in PASSED:
            assert self.started
            assert not self.drained
            assert not self.stopped
            assert self.engine.phase is Phase.SERVING
            assert self.startup_passed
            assert not self.in_maintenance(None)
            critical = [
                each
                for each in self.counted_for(Probe.READINESS)
                if each.check.critical and not self.in_maintenance(each.check.name)
            ]
            assert not any(each.expected.must_not_pass(self.now) for each in critical)
        if self.engine.report(Probe.STARTUP, self.now).status in PASSED:
            assert self.startup_passed

    @invariant()
    def healthy_means_that_all_checks_are(self) -> None:
        for probe in (Probe.READINESS, Probe.HEALTH):
            if self.engine.report(probe, self.now).status is Status.HEALTHY:
                assert not any(each.expected.must_not_pass(self.now) for each in self.counted_for(probe))

    @invariant()
    def the_probe_status_decays_as_the_report_does(self) -> None:
        for probe in Probe:
            status = self.engine.probe_status(probe)
            for moment in (self.now, self.now + 0.25, self.now + 20.0, status.valid_until, self.now + 1e6):
                reported = self.engine.report(probe, moment).status
                if moment == inf or moment < self.now:
                    continue
                if (
                    self.engine.maintenance_of(None) is not None
                ):  # its end makes a probe better, which the engine does in its own time
                    assert status.at(moment) >= reported
                else:
                    assert status.at(moment) is reported

    @invariant()
    def the_transitions_replay_to_the_state(self) -> None:
        self.engine.pass_on_decay(self.now)
        replay(self.replay, self.transitions)
        self.transitions.clear()
        assert self.replay == replayed(self.engine)
        for probe in Probe:
            status = self.engine.probe_status(probe).at(self.now)
            known = self.engine.known(probe)
            assert known.status is (Status.UNHEALTHY if probe in self.stalled else status)
            assert known.since <= self.now
            assert (known.reason is None) is (known.status is Status.HEALTHY)

    @invariant()
    def only_failed_liveness_checks_restart_the_process(self) -> None:
        if self.engine.report(Probe.LIVENESS, self.now).status is Status.UNHEALTHY:
            counted = self.counted_for(Probe.LIVENESS)
            assert any(each.check.critical and each.expected.may_have_failed for each in counted)

    @invariant()
    def every_check_has_a_run_or_a_planned_one(self) -> None:
        waiting = [each for each in self.observed.values() if each.run is None and not each.expected.is_finished]
        if waiting:
            assert self.engine.next_start() < inf


TestEngine = EngineMachine.TestCase
TestEngine.settings = settings(no_deadline, max_examples=80, stateful_step_count=40)
