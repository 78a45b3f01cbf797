"""The engine alone, with every fault in between: thousands of checks for half an hour, and some for a day."""

from random import Random
from statistics import mean

import pytest

from asgi_health import Probe, Status
from asgi_health.core.report import CheckReport
from asgi_health.core.status import worst

from ..support.deep_size import deep_size
from .behaviour import random_checks
from .simulated_app import EPSILON, SimulatedApp

HOUR = 3600.0


def compare_readiness(app: SimulatedApp) -> bool:
    """Compare readiness with the expected checks, and return whether it passes."""
    passes = app.engine.probe_status(Probe.READINESS).at(app.now) is not Status.UNHEALTHY
    expected = [each.expected for each in app.critical_for_readiness]
    if passes:
        assert app.startup_passed
        assert not any(each.must_not_pass(app.now) for each in expected)
    else:
        assert not app.startup_passed or any(
            each.must_not_pass(app.now) or each.has_unseen_failures for each in expected
        )
    return passes


def compare_all_probes(app: SimulatedApp) -> None:
    """Compare each probe with a count of all checks, and find checks that are no longer run."""
    for probe in Probe:
        status = app.engine.probe_status(probe)
        for moment in (app.now, app.now + 60.0, app.now + 1e5):
            assert status.at(moment) is app.engine.report(probe, moment).status
    for observed in app.observed.values():
        check, run = observed.check, observed.run
        longest = 1.1 * check.interval
        if run is None:
            late = app.now - observed.ended
            stalled = app.seconds_stalled_since(observed.ended)
            assert observed.expected.is_finished or late <= longest + stalled + EPSILON, "the check is no longer run"
        elif run.expired:
            overdue = app.now - run.deadline - app.seconds_stalled_since(run.deadline)
            if overdue > check.failure_threshold * longest:
                (line,) = app.engine.report_check(check.name, Probe.HEALTH, app.now).checks
                assert line.status is Status.UNHEALTHY, "a run that hangs is not a failure"


@pytest.mark.parametrize(
    ("count", "longest", "share", "hours"),
    [pytest.param(3000, 600.0, 0.004, 0.4, id="thousands"), pytest.param(40, 600.0, 0.4, 25.0, id="a day")],
)
def test_readiness_passes_exactly_when_it_may(
    seed: int, count: int, longest: float, share: float, hours: float
) -> None:
    random = Random(seed)
    checks = random_checks(random, count, longest=longest, critical=share)
    app = SimulatedApp(random, checks, stall_every=300.0, replace_every=600.0)
    steps = {True: 0, False: 0}
    for step, _ in enumerate(app.advance(hours * HOUR)):
        steps[compare_readiness(app)] += 1
        if step % (20 + count) == 0:
            compare_all_probes(app)
    assert steps[True] > 100, "a simulation that never passes shows nothing"
    assert steps[False] > 0
    app.engine.drain(app.now)
    for _ in app.advance(600.0):
        assert app.engine.probe_status(Probe.READINESS).at(app.now) is Status.UNHEALTHY


class SeenUptime:
    """The uptime of each check and of readiness, summed up from what the engine shows after each step."""

    def __init__(self, app: SimulatedApp) -> None:
        self.app = app
        self.seen = app.now
        self.readiness = app.engine.probe_status(Probe.READINESS)
        self.known = dict.fromkeys([*app.observed, ""], 0.0)
        self.up = dict.fromkeys([*app.observed, ""], 0.0)
        self.shown, self.observed = self._shown(), dict(app.observed)

    def look(self) -> None:
        """Sum up the time since the last step, in which only the age of results has changed."""
        engine, now = self.app.engine, self.app.now
        for name, check in self.shown.items():
            if self.observed[name] is not self.app.observed[name]:  # it was replaced
                self.known[name] = self.up[name] = 0.0
            elif check.state.status is not None:
                self.known[name] += now - self.seen
                if check.state.status is not Status.UNHEALTHY:
                    self.up[name] += max(0.0, min(now, check.stale_at) - self.seen)
        self.known[""] += now - self.seen
        if self.readiness.status is not Status.UNHEALTHY:
            self.up[""] += max(0.0, min(now, self.readiness.unhealthy_at) - self.seen)
        readiness = engine.probe_status(Probe.READINESS)
        self.seen, self.readiness = now, readiness
        self.shown, self.observed = self._shown(), dict(self.app.observed)

    def _shown(self) -> dict[str, CheckReport]:
        return {check.name: check for check in self.app.engine.report(Probe.HEALTH, self.app.now).checks}


def test_uptime_is_what_the_engine_has_shown(seed: int) -> None:
    random = Random(seed)
    checks = random_checks(random, 15, longest=120.0, critical=0.2)
    app = SimulatedApp(random, checks, stall_every=300.0, replace_every=1800.0)
    uptime = SeenUptime(app)
    for _ in app.advance(6 * HOUR):
        uptime.look()
    report = app.engine.report(Probe.HEALTH, app.now, history=True)
    for check in report.checks:
        assert check.history is not None
        assert check.history.day.known == pytest.approx(uptime.known[check.name], abs=0.01)
        assert check.history.day.up == pytest.approx(uptime.up[check.name], abs=0.01)
    readiness = app.engine.report(Probe.READINESS, app.now, history=True).history
    assert readiness is not None
    assert readiness.day.known == pytest.approx(uptime.known[""], abs=0.01)
    assert readiness.day.up == pytest.approx(uptime.up[""], abs=0.01)
    assert 0 < sum(uptime.up.values()) < sum(uptime.known.values())


def test_after_a_day_the_engine_holds_no_more_memory_than_after_an_hour(seed: int) -> None:
    random = Random(seed)
    checks = random_checks(random, 20, longest=120.0, critical=0.5)
    app = SimulatedApp(random, checks, stall_every=300.0, replace_every=120.0)
    sizes: dict[int, list[int]] = {1: [], 24: []}
    for step, _ in enumerate(app.advance(25 * HOUR)):
        hour = int((app.now - app.begin) // HOUR)
        if hour in sizes and step % 10 == 0:
            sizes[hour].append(deep_size(app.engine))
    assert app.runs > 10_000
    # On average: outdated entries of a heap are dropped together, from time to time.
    assert mean(sizes[24]) == pytest.approx(mean(sizes[1]), rel=0.05)


def test_without_faults_every_probe_stays_healthy(seed: int) -> None:
    # The opposite of the tests above: an engine that never passes would pass them.
    random = Random(seed)
    checks = random_checks(random, 200, longest=60.0, critical=1.0)
    app = SimulatedApp(random, checks, stall_every=1e9, replace_every=1e9)
    for observed in app.observed.values():
        observed.behaviour.keep("healthy")
    settled = app.now + max(check.timeout for check in checks)
    for _ in app.advance(0.5 * HOUR):
        if app.now > settled:
            assert worst(app.engine.probe_status(probe).at(app.now) for probe in Probe) is Status.HEALTHY
