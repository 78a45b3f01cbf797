"""What counts as a problem of an app, from an engine without a runner."""

import pytest

from asgi_health import Check, Health, Status, degraded
from asgi_health.core.engine import Engine
from asgi_health.core.result import HEALTHY, Result
from asgi_health.core.status import Probe
from asgi_health.health import engine_of
from asgi_health.integrations.alerts.incidents import Problem
from asgi_health.integrations.alerts.problems import EVENT_LOOP, Problems, is_stalled, problems_of
from asgi_health.runtime.loop_figures import LoopFigures

AHEAD = 5000.0
"""Seconds by which the clock of the caller is ahead of that of the engine."""

FAILED = Result(Status.UNHEALTHY, "refused")


async def pass_() -> None:
    """Pass."""


class App:
    """An engine whose checks get their results from the test."""

    def __init__(self, *checks: Check) -> None:
        self.now = 100.0
        self.engine: Engine = engine_of(Health(checks, clock=lambda: self.now))
        self.engine.start(object(), self.now)
        self.engine.serve(self.now)

    def record(self, results: dict[str, Result]) -> None:
        for run in self.engine.due(self.now).start:
            self.engine.record(run, results[run.check.name], self.now)

    def problems(self, minimum: Status = Status.UNHEALTHY) -> dict[str, Problem | None]:
        found = problems_of(self.engine, LoopFigures(), minimum, self.now + AHEAD)
        assert found is not None
        return dict(found.found)


def test_a_check_without_a_result_is_not_judged() -> None:
    assert App(Check("a", pass_)).problems() == {EVENT_LOOP: None}


def test_a_failure_is_a_problem_since_its_first_run() -> None:
    app = App(Check("a", pass_, failure_threshold=1), Check("b", pass_))
    app.record({"a": FAILED, "b": HEALTHY})
    app.now = 130.0
    assert app.problems() == {
        EVENT_LOOP: None,
        "a": Problem(Status.UNHEALTHY, "check", "refused", 100.0 + AHEAD, critical=True, failures=1),
        "b": None,
    }


def test_a_result_that_has_grown_stale_is_a_problem_since_then() -> None:
    app = App(Check("a", pass_, interval=10, timeout=2))
    app.record({"a": HEALTHY})
    assert found(app).until == 132.0 + AHEAD
    app.now = 150.0
    problem = app.problems()["a"]
    assert problem is not None
    assert (problem.cause, problem.status, problem.since) == ("stale", Status.UNHEALTHY, 132.0 + AHEAD)
    assert problem.message == "stale: not confirmed for more than 32.0 s"


def test_a_failure_that_has_grown_stale_is_the_same_incident() -> None:
    app = App(Check("a", pass_, interval=10, timeout=2))
    app.record({"a": FAILED})
    app.now = 150.0
    problem = app.problems()["a"]
    assert problem is not None
    assert (problem.cause, problem.since, problem.failures) == ("stale", 100.0 + AHEAD, 1)


def test_a_check_of_startup_alone_may_fail_for_five_minutes() -> None:
    app = App(Check("warmup", pass_, probes=(Probe.STARTUP,), max_age=1000.0))
    app.record({"warmup": Result(Status.UNHEALTHY, "40 % of the index is loaded")})
    assert app.problems() == {EVENT_LOOP: None}
    assert found(app).until == 400.0 + AHEAD
    app.now = 400.0
    assert app.problems()["warmup"] is not None


@pytest.mark.parametrize("minimum", [Status.DEGRADED, Status.UNHEALTHY])
def test_the_minimum_decides_about_warnings_and_optional_checks(minimum: Status) -> None:
    app = App(Check("warns", pass_), Check("optional", pass_, critical=False), Check("fails", pass_))
    app.record({"warns": degraded("90 %"), "optional": FAILED, "fails": FAILED})
    wrong = {name for name, problem in app.problems(minimum).items() if problem is not None}
    assert wrong == ({"warns", "optional", "fails"} if minimum is Status.DEGRADED else {"fails"})


def test_a_check_that_recovers_says_nothing_new() -> None:
    app = App(Check("a", pass_, success_threshold=3, retry_interval=1))
    app.record({"a": FAILED})
    app.now += 5
    app.record({"a": HEALTHY})
    problem = app.problems()["a"]
    assert problem is not None
    assert problem.message == ""


def test_nothing_is_judged_before_the_start_and_after_the_end() -> None:
    engine = engine_of(Health({"a": pass_}, clock=lambda: 0.0))
    assert problems_of(engine, LoopFigures(), Status.UNHEALTHY, 0.0) is None
    app = App(Check("a", pass_))
    app.engine.stop(app.now)
    assert problems_of(app.engine, LoopFigures(), Status.UNHEALTHY, 0.0) is None


def found(app: App, minimum: Status = Status.UNHEALTHY) -> Problems:
    problems = problems_of(app.engine, LoopFigures(), minimum, app.now + AHEAD)
    assert problems is not None
    return problems


def test_a_drain_mutes_everything() -> None:
    app = App(Check("a", pass_))
    assert found(app).muted == frozenset()
    app.engine.drain(app.now)
    assert found(app).muted == {"a", EVENT_LOOP}


def test_a_maintenance_of_the_app_mutes_everything_until_its_end() -> None:
    app = App(Check("a", pass_))
    app.record({"a": HEALTHY})
    app.engine.maintain(None, 20.0, "", app.now)
    assert found(app).muted == {"a", EVENT_LOOP}
    assert found(app).until == app.now + 20.0 + AHEAD
    app.now += 20.0
    assert found(app).muted == frozenset()


@pytest.mark.parametrize("minimum", [Status.DEGRADED, Status.UNHEALTHY])
def test_a_check_in_maintenance_is_muted_and_does_not_count_as_recovered(minimum: Status) -> None:
    app = App(Check("a", pass_), Check("b", pass_))
    app.record({"a": FAILED, "b": FAILED})
    app.engine.maintain("a", 20.0, "", app.now)
    problems = found(app, minimum)
    assert problems.muted == {"a"}
    assert problems.found["a"] is not None
    app.now += 5
    app.record({"a": HEALTHY, "b": HEALTHY})
    assert found(app, minimum).found["a"] is None


def test_while_a_probe_is_stalled_the_loop_is_the_only_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    app = App(Check("a", pass_))
    app.record({"a": FAILED})
    app.now = 500.0
    monkeypatch.setattr(LoopFigures, "loop_lag", lambda self, now: 6.0)
    assert not is_stalled(app.engine)
    app.engine.set_stalled(frozenset({Probe.READINESS}), app.now)
    problems = app.problems()
    assert list(problems) == [EVENT_LOOP]
    stall = problems[EVENT_LOOP]
    assert stall is not None
    assert (stall.cause, stall.since) == ("stalled", 494.0 + AHEAD)
    app.engine.set_stalled(frozenset(), app.now)
    assert not is_stalled(app.engine)


def test_while_the_loop_is_late_and_until_checks_could_run_again_stale_results_are_not_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = App(Check("a", pass_, timeout=2), Check("fresh", pass_, max_age=100))
    app.record({"a": FAILED, "fresh": HEALTHY})
    app.now += 40
    monkeypatch.setattr(LoopFigures, "loop_lag", lambda self, now: 0.6)
    problems = found(app)
    assert problems.late
    assert dict(problems.found) == {EVENT_LOOP: None, "fresh": None}
    assert problems.until == app.now + 3.0 + AHEAD
    monkeypatch.undo()
    last_late = app.now + AHEAD
    for seconds, judged in ((2.9, False), (3.0, True)):
        app.now = last_late - AHEAD + seconds
        later = problems_of(app.engine, LoopFigures(), Status.UNHEALTHY, app.now + AHEAD, last_late)
        assert later is not None
        assert not later.late
        assert ("a" in later.found) is judged
