"""A Health under arbitrary histories: whatever happens in whatever order, the promises hold after each step."""

from dataclasses import dataclass, field
from math import inf

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from asgi_health import Check, Health, Probe, Status
from asgi_health.core.lifecycle import Phase
from asgi_health.core.schedule import Run

from ..support.core_cases import PROBES, RESULTS, checks, patient, statuses

NAMES = "abcd"
GOOD = (Status.HEALTHY, Status.DEGRADED)


@dataclass
class Known:
    """What somebody who only watches knows of one check."""

    check: Check
    run: Run | None = None
    history: list[Status] = field(default_factory=list)
    """Results known to have been recorded; the failures of a run that does not end are missing."""
    latest: float = -inf
    """No result can have been recorded after this moment."""
    may_have_failed: bool = False

    def may_be_well(self, now: float) -> bool:
        """Tell whether a green light may rest on this check."""
        recent = self.history[-self.check.failure_threshold :]
        failed = len(recent) == self.check.failure_threshold and set(recent) == {Status.UNHEALTHY}
        passed = any(status in GOOD for status in self.history)
        done = self.check.probes == (Probe.STARTUP,)
        return passed and not failed and (done or now - self.latest < self.check.stale_after)


class HealthMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.jitter = 0.5
        self.known: dict[str, Known] = {}
        self.abandoned: list[Run] = []
        self.removed: set[Run] = set()
        self.drained = self.stopped = False
        self.living = self.started = self.startup_passed = False
        self.health = Health(clock=lambda: self.now, random=lambda: self.jitter)

    @initialize(first=checks("a"), serving=st.booleans())
    def begin_with_a_check(self, first: Check, serving: bool) -> None:
        self.add(first)
        if serving:
            self.serve()

    # -- what an app does

    @rule(check=st.sampled_from(NAMES).flatmap(checks))
    def add(self, check: Check) -> None:
        if check.name in self.known:
            return
        self.health.add(check)
        self.known[check.name] = Known(check)
        self.look_at_startup()

    @rule(data=st.data())
    @precondition(lambda self: self.known)
    def remove(self, data: st.DataObject) -> None:
        known = self.known.pop(data.draw(st.sampled_from(sorted(self.known))))
        self.health.remove(known.check.name)
        if known.run is not None:
            self.abandoned.append(known.run)
            self.removed.add(known.run)
        self.look_at_startup()

    @rule()
    def serve(self) -> None:
        self.health.serve()
        self.started = True
        self.look_at_startup()

    @rule()
    def drain(self) -> None:
        self.health.drain()
        self.drained = True

    @rule()
    def stop(self) -> None:
        self.health.stop()
        self.stopped = True

    @rule()
    def end(self) -> None:
        self.health.end()
        self.living = False

    @rule()
    def begin(self) -> None:
        self.health.begin()
        if self.living:
            return
        self.living = True
        self.drained &= not self.stopped
        self.stopped = self.started = self.startup_passed = False
        for known in self.known.values():
            known.history, known.latest, known.may_have_failed = [], -inf, False

    # -- what a runner does

    @rule(at_most=st.integers(1, 4))
    def wake_up(self, at_most: int) -> None:
        turns = 0
        while self.health.next_wake() <= self.now:
            turns += 1
            assert turns <= len(NAMES) + 2, "busy loop"
            orders = self.health.due(self.now, at_most=at_most)
            assert len(orders.start) <= at_most
            for run in orders.cancel:
                if run not in self.removed:
                    assert run.expired
                    assert run.deadline <= self.now
                    self.took(self.known[run.check.name], Status.UNHEALTHY)
            for run in orders.start:
                known = self.known[run.check.name]
                assert known.run is None, "two runs of one check at a time"
                assert run.check is known.check
                known.run = run
        for known in self.known.values():
            if known.run is not None and known.run.expired:
                known.latest, known.may_have_failed = self.now, True

    @rule(data=st.data(), status=statuses)
    @precondition(lambda self: any(known.run for known in self.known.values()))
    def a_run_ends(self, data: st.DataObject, status: Status) -> None:
        name = data.draw(st.sampled_from(sorted(name for name, known in self.known.items() if known.run)))
        known = self.known[name]
        run, known.run = known.run, None
        assert run is not None
        if not run.expired:
            self.took(known, status if self.now < run.deadline else Status.UNHEALTHY)
        self.health.record(run, RESULTS[status], self.now)
        self.look_at_startup()

    @rule(data=st.data(), status=statuses)
    @precondition(lambda self: self.abandoned)
    def an_abandoned_run_ends(self, data: st.DataObject, status: Status) -> None:
        run = self.abandoned.pop(data.draw(st.integers(0, len(self.abandoned) - 1)))
        version = self.health.version
        self.health.record(run, RESULTS[status], self.now)
        assert self.health.version == version

    @rule(quarters=st.integers(1, 60), jitter=st.floats(0.0, 0.99))
    def time_passes(self, quarters: int, jitter: float) -> None:
        self.now += quarters / 4
        self.jitter = jitter

    @rule()
    @precondition(lambda self: self.now < self.health.next_wake() < inf)
    def time_passes_to_the_next_event(self) -> None:
        self.now = self.health.next_wake()

    def took(self, known: Known, status: Status) -> None:
        known.history.append(status)
        known.latest = self.now
        known.may_have_failed |= status is Status.UNHEALTHY

    def look_at_startup(self) -> None:
        asked = [known for known in self.known.values() if Probe.STARTUP in known.check.probes and known.check.critical]
        if self.started and all(any(status in GOOD for status in known.history) for known in asked):
            self.startup_passed = True

    # -- what must hold after each step

    @invariant()
    def green_rests_on_fresh_evidence(self) -> None:
        green = self.health.report(Probe.READINESS, now=self.now).status in GOOD
        critical = [
            known for known in self.known.values() if known.check.critical and Probe.READINESS in known.check.probes
        ]
        if green:
            assert self.started
            assert not self.drained
            assert not self.stopped
            assert self.health.phase is Phase.SERVING
            assert self.startup_passed
            assert all(known.may_be_well(self.now) for known in critical)
        if self.health.report(Probe.STARTUP, now=self.now).status in GOOD:
            assert self.startup_passed

    @invariant()
    def healthy_rests_on_all_checks(self) -> None:
        for probe in (Probe.READINESS, None):
            if self.health.report(probe, now=self.now).status is Status.HEALTHY:
                counted = [known for known in self.known.values() if probe is None or probe in known.check.probes]
                assert all(known.may_be_well(self.now) for known in counted)

    @invariant()
    def the_outlook_is_the_report_of_later(self) -> None:
        for probe in PROBES:
            outlook = self.health.outlook(probe)
            for moment in (self.now, self.now + 0.25, self.now + 20.0, outlook.until, self.now + 1e6):
                if self.now <= moment < inf:
                    assert outlook.at(moment) is self.health.report(probe, now=moment).status

    @invariant()
    def only_liveness_checks_that_failed_restart_the_process(self) -> None:
        if self.health.report(Probe.LIVENESS, now=self.now).status is Status.UNHEALTHY:
            counted = [known for known in self.known.values() if Probe.LIVENESS in known.check.probes]
            assert any(known.check.critical and known.may_have_failed for known in counted)

    @invariant()
    def nothing_is_forgotten(self) -> None:
        # Every check has a run under way, or one that is planned, unless it is done.
        waiting = [known for known in self.known.values() if known.run is None]
        finished = [
            known for known in waiting if known.check.probes == (Probe.STARTUP,) and Status.HEALTHY in known.history
        ]
        if len(waiting) > len(finished):
            assert self.health.next_due() < inf


TestHealth = HealthMachine.TestCase
TestHealth.settings = settings(patient, max_examples=80, stateful_step_count=40)
