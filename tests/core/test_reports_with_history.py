"""Reports with the past: what the engine records, when it counts, and why a probe has its status."""

from dataclasses import FrozenInstanceError
from math import inf

import pytest

from asgi_health import (
    Check,
    Health,
    Probe,
    ProbeTransition,
    Result,
    Status,
    Transition,
    degraded,
    healthy,
    unhealthy,
)
from asgi_health.core.engine import Engine
from asgi_health.core.past import CheckPast
from asgi_health.core.report import CheckReport, Report
from asgi_health.core.stalls import Stall
from asgi_health.health import engine_of

from ..support.core_cases import LIFESPAN, check, new_engine, run_check, serving_engine, start_run

HEALTHY, DEGRADED, UNHEALTHY = Status


def of_check(engine: Engine, now: float, name: str = "a") -> CheckReport:
    return engine.report_check(name, Probe.HEALTH, now, history=True).checks[0]


def past_of(engine: Engine, now: float) -> CheckPast:
    past = of_check(engine, now).history
    assert past is not None
    return past


def hour(engine: Engine, now: float) -> tuple[float, float]:
    uptime = past_of(engine, now).hour
    return uptime.known, uptime.up


# -- what is recorded


def test_a_report_has_a_history_only_when_it_is_asked_for() -> None:
    health = Health([check("a")], clock=lambda: 10.0, random=lambda: 0.5)
    engine_of(health).serve(0.0)
    run_check(engine_of(health), healthy(), 0.0)
    plain, full = health.report(), health.report(history=True)
    assert (plain.history, plain.checks[0].history, plain.checks[0].next_start) == (None, None, None)
    assert full.history is not None
    assert full.checks[0].history is not None
    assert [each.status for each in full.checks[0].history.results] == [HEALTHY]
    with pytest.raises(FrozenInstanceError):
        full.checks[0].history.hour = full.checks[0].history.day  # type: ignore[misc]


def test_a_history_does_not_change_after_it_was_read() -> None:
    engine = serving_engine(check("a", failure_threshold=1))
    run_check(engine, healthy(), 0.0)
    past = past_of(engine, 5.0)
    before = past.results, past.flips, past.hour
    run_check(engine, unhealthy("down"), 10.0)
    assert (past.results, past.flips, past.hour) == before


def test_results_have_the_status_before_thresholds_and_flips_that_after_them() -> None:
    engine = serving_engine(check("a", failure_threshold=2, retry_interval=10.0))
    for now, result in ((0.0, healthy()), (11.0, unhealthy("x")), (22.0, unhealthy("x")), (33.0, degraded("slow"))):
        run = start_run(engine, now)
        engine.record(run, result, now + 0.5)
    past = past_of(engine, 34.0)
    assert [each.status for each in past.results] == [HEALTHY, UNHEALTHY, UNHEALTHY, DEGRADED]
    assert {each.duration for each in past.results} == {0.5}
    assert past.flips == ((0.5, None, HEALTHY), (22.5, HEALTHY, UNHEALTHY), (33.5, UNHEALTHY, DEGRADED))


def test_a_run_past_its_deadline_is_a_result() -> None:
    engine = serving_engine(check("a", timeout=2.0))
    start_run(engine, 0.0)
    engine.due(2.0)
    assert past_of(engine, 2.0).results == ((2.0, UNHEALTHY, 2.0),)


def test_a_removed_check_loses_its_history() -> None:
    engine = serving_engine(check("a"))
    run_check(engine, healthy(), 0.0)
    engine.remove("a", 0.0)
    engine.add(check("a"), 0.0)
    assert past_of(engine, 1.0).results == ()
    assert hour(engine, 1.0) == (0.0, 0.0)


def test_a_new_lifespan_keeps_the_history_of_a_check() -> None:
    engine = new_engine(check("a"))
    first, second = object(), object()
    for lifespan, began in ((first, 0.0), (second, 200.0)):
        engine.start(lifespan, began)
        engine.serve(began + 5.0)
        run_check(engine, healthy(), began + 10.0)
        engine.stop(began + 30.0)
        engine.finish(lifespan)
    assert [each.time for each in past_of(engine, 300.0).results] == [10.0, 210.0]
    past = past_of(engine, 300.0)
    assert past.flips == ((10.0, None, HEALTHY), (210.0, None, HEALTHY))
    assert hour(engine, 300.0) == (40.0, 40.0)


def test_uptime_counts_from_the_first_result_to_the_stop() -> None:
    engine = new_engine(check("a", timeout=2.0))
    engine.start(LIFESPAN, 0.0)
    engine.serve(0.0)
    run = start_run(engine, 1.0)
    assert hour(engine, 1.5) == (0.0, 0.0)
    engine.record(run, healthy(), 2.0)
    assert hour(engine, 12.0) == (10.0, 10.0)
    engine.stop(12.0)
    assert hour(engine, 100.0) == (10.0, 10.0)


def test_the_last_result_is_up_until_it_is_stale() -> None:
    engine = serving_engine(check("a", interval=10.0, timeout=2.0))
    run_check(engine, healthy(), 0.0)
    assert hour(engine, 32.0) == (32.0, 32.0)
    assert hour(engine, 50.0) == (50.0, 32.0)


def test_a_failure_below_the_threshold_does_not_make_a_stale_check_up() -> None:
    engine = serving_engine(check("a", interval=10.0, timeout=2.0))
    run_check(engine, healthy(), 0.0)
    run_check(engine, unhealthy("x"), 50.0)
    assert hour(engine, 60.0) == (60.0, 32.0)


def test_a_startup_check_that_has_passed_stays_up() -> None:
    engine = serving_engine(check("a", probes=(Probe.STARTUP,)))
    run_check(engine, healthy(), 0.0)
    assert hour(engine, 3000.0) == (3000.0, 3000.0)
    assert (of_check(engine, 3000.0).next_start, of_check(engine, 3000.0).stale_at) == (None, inf)


def test_a_report_with_history_shows_the_next_run_and_the_one_in_progress() -> None:
    engine = serving_engine(check("a", interval=10.0))
    assert of_check(engine, 0.0).next_start == -inf
    run = start_run(engine, 0.0)
    assert (of_check(engine, 1.0).next_start, of_check(engine, 1.0).run_started) == (None, 0.0)
    engine.record(run, healthy(), 1.0)
    assert (of_check(engine, 1.0).next_start, of_check(engine, 1.0).run_started) == (11.0, None)


def test_a_report_with_history_takes_no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = serving_engine(check("a"))
    run_check(engine, healthy(), 0.0)

    class Refused:
        def __enter__(self) -> None:
            raise AssertionError("the lock was taken")

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(engine, "_lock", Refused())
    assert engine.report(Probe.READINESS, 1.0, history=True).history is not None
    assert engine.report_check("a", Probe.READINESS, 1.0, history=True).checks[0].history is not None


# -- probes


def test_the_uptime_of_a_probe_counts_from_the_end_of_the_startup_to_the_stop() -> None:
    engine = new_engine(check("a"))
    engine.start(LIFESPAN, 0.0)

    def uptime(probe: Probe, now: float) -> tuple[float, float]:
        past = engine.report(probe, now, history=True).history
        assert past is not None
        return past.hour.known, past.hour.up

    assert uptime(Probe.LIVENESS, 5.0) == (0.0, 0.0)
    engine.serve(10.0)
    run_check(engine, healthy(), 12.0)
    engine.stop(20.0)
    assert uptime(Probe.LIVENESS, 50.0) == (10.0, 10.0)
    assert uptime(Probe.READINESS, 50.0) == (10.0, 8.0)
    engine.finish(LIFESPAN)
    engine.start(object(), 60.0)
    assert uptime(Probe.LIVENESS, 70.0) == (10.0, 10.0)


def test_a_drain_is_in_the_history_of_the_probes_that_it_turns() -> None:
    engine = serving_engine(check("a"))
    engine.drain(5.0)
    shown = {probe: engine.report(probe, 10.0, history=True).history for probe in Probe}
    assert {probe: len(past.flips) for probe, past in shown.items() if past is not None} == {
        probe: int(probe is not Probe.LIVENESS)
        for probe in Probe  # startup has passed before
    }


# -- reasons


def reason(report: Report) -> tuple[str | None, tuple[str, ...]]:
    return report.reason, report.culprits


def engine_with(*checks_and_results: tuple[Check, Result]) -> Engine:
    engine = serving_engine(*(each for each, _ in checks_and_results))
    given = {each.name: result for each, result in checks_and_results}
    for run in engine.due(0.0).start:
        engine.record(run, given[run.check.name], 0.0)
    return engine


def test_a_healthy_probe_has_no_reason() -> None:
    engine = engine_with((check("a"), healthy()))
    assert {reason(engine.report(probe, 1.0)) for probe in Probe} == {(None, ())}


def test_the_checks_that_give_a_probe_its_status_are_its_culprits() -> None:
    given = [(check("a"), unhealthy("x")), (check("b", critical=False), unhealthy("x")), (check("c"), unhealthy("x"))]
    engine = engine_with(*given, (check("d"), healthy()))
    assert reason(engine.report(Probe.READINESS, 1.0)) == ("check", ("a", "c"))
    assert reason(engine.report(Probe.READINESS, 1.0, exclude=("a", "c"))) == ("check", ("b",))
    assert reason(engine.report(Probe.READINESS, 1.0, exclude=("a", "b", "c"))) == (None, ())
    assert reason(engine.report(Probe.LIVENESS, 1.0)) == (None, ())


def test_old_results_alone_are_the_reason_stale() -> None:
    engine = engine_with((check("a"), healthy()), (check("b"), healthy()))
    run = next(each for each in engine.due(20.0).start if each.check.name == "b")
    engine.record(run, healthy(), 20.0)
    assert reason(engine.report(Probe.READINESS, 40.0)) == ("stale", ("a",))


def test_a_failure_next_to_an_old_result_is_the_reason_check() -> None:
    engine = engine_with((check("a"), healthy()), (check("b", failure_threshold=1), healthy()))
    run = next(each for each in engine.due(30.0).start if each.check.name == "b")
    engine.record(run, unhealthy("x"), 30.0)
    assert reason(engine.report(Probe.READINESS, 40.0)) == ("check", ("a", "b"))


@pytest.mark.parametrize("critical", [True, False])
def test_a_check_that_has_had_no_result_is_the_reason_starting_in_reports_and_transitions(critical: bool) -> None:
    engine = engine_with((check("a"), healthy()))
    seen: list[Transition] = []
    engine.on_transition(seen.append)
    engine.add(check("b", critical=critical), 1.0)
    for probe in (Probe.READINESS, Probe.HEALTH):
        assert reason(engine.report(probe, 1.0)) == ("starting", ("b",))
        assert engine.known(probe).reason == "starting"
    assert {(each.cause, each.checks) for each in seen if isinstance(each, ProbeTransition)} == {("starting", ("b",))}
    for run in engine.due(1.0).start:
        engine.record(run, unhealthy("x"), 1.0)
    assert reason(engine.report(Probe.READINESS, 1.0)) == ("check", ("b",))


def test_the_phase_is_the_reason_before_the_checks() -> None:
    engine = new_engine(check("a"))
    engine.start(LIFESPAN, 0.0)
    run_check(engine, unhealthy("x"), 0.0)
    for probe, culprits in ((Probe.READINESS, ("a",)), (Probe.STARTUP, ()), (Probe.HEALTH, ("a",))):
        assert reason(engine.report(probe, 1.0)) == ("starting", culprits)
    engine.serve(1.0)
    assert reason(engine.report(Probe.READINESS, 1.0)) == ("check", ("a",))
    engine.drain(2.0)
    assert reason(engine.report(Probe.READINESS, 2.0)) == ("draining", ())
    engine.stop(3.0)
    assert reason(engine.report(Probe.READINESS, 3.0)) == ("stopped", ())
    assert reason(engine.report(Probe.LIVENESS, 3.0)) == (None, ())


def test_one_check_alone_is_its_own_culprit_even_while_draining() -> None:
    engine = engine_with((check("a"), unhealthy("x")))
    engine.drain(1.0)
    assert reason(engine.report_check("a", Probe.READINESS, 2.0)) == ("check", ("a",))


def test_a_stall_is_the_reason_once_it_is_too_long() -> None:
    report = engine_with((check("a"), unhealthy("x"))).report(Probe.READINESS, 1.0)
    assert reason(report.with_stall(Stall(1.0, 5.0))) == ("check", ("a",))
    assert reason(report.with_stall(Stall(5.0, 5.0))) == ("stalled", ())


def test_a_startup_check_that_has_failed_is_the_reason_as_in_the_transitions() -> None:
    engine = serving_engine(check("migrations", probes=(Probe.STARTUP,)), check("db"))
    for probe in (Probe.READINESS, Probe.STARTUP, Probe.HEALTH):
        assert engine.report(probe, 0.0).reason == engine.known(probe).reason == "starting"
    for run in engine.due(0.0).start:
        engine.record(run, unhealthy("pending") if run.check.name == "migrations" else healthy(), 0.0)
    for probe in (Probe.READINESS, Probe.STARTUP, Probe.HEALTH):
        report = engine.report(probe, 1.0)
        assert report.reason == engine.known(probe).reason == "check"
        assert report.culprits == ("migrations",)
    engine.drain(2.0)
    assert engine.report(Probe.READINESS, 2.0).reason == engine.known(Probe.READINESS).reason == "draining"


def test_what_was_so_before_the_app_began_with_it() -> None:
    engine = new_engine()
    received: list[Transition] = []
    engine.on_transition(received.append)
    engine.start(LIFESPAN, 500.0)
    engine.serve(502.0)
    assert {(each.since, each.at) for each in received} == {(500.0, 502.0)}
