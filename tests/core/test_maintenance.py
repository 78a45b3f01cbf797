"""Maintenance of a check or of the app: what it makes of the probes, and that it always ends by itself."""

from math import inf

import pytest

from asgi_health import Probe, Status, healthy, unhealthy
from asgi_health.core.engine import Engine
from asgi_health.core.result import Result

from ..support.core_cases import check, new_engine, run_check, serving_engine
from .test_transitions import of_probe

H, D, U = Status.HEALTHY, Status.DEGRADED, Status.UNHEALTHY
BAD = unhealthy("refused")


def engine_with(result: Result, **options: object) -> Engine:
    """Return a serving engine whose one check has had `result`."""
    engine = serving_engine(check(failure_threshold=1, max_age=100.0, **options))  # type: ignore[arg-type]
    run_check(engine, healthy(), 0.0)
    if result.status is not H:
        run_check(engine, result, engine.next_start())
    return engine


def seen(engine: Engine, now: float, probe: Probe = Probe.READINESS) -> tuple[Status, str | None]:
    """Return the status of the probe and the reason for it, which report and prepared status agree on."""
    report = engine.report(probe, now)
    assert engine.probe_status(probe).at(now) is report.status
    return report.status, report.reason


def test_a_failing_check_in_maintenance_degrades_until_its_end() -> None:
    engine = engine_with(BAD)
    assert seen(engine, 20.0) == (U, "check")
    engine.maintain("a", 60.0, "upgrade", 20.0)
    assert seen(engine, 20.0) == (D, "maintenance")
    assert engine.report(Probe.READINESS, 20.0).culprits == ("a",)
    assert engine.probe_status(Probe.READINESS).at(79.9) is D
    assert engine.probe_status(Probe.READINESS).at(80.0) is U  # whatever else happens: no thread has to end it


def test_a_check_that_passes_in_maintenance_is_healthy() -> None:
    engine = engine_with(healthy())
    engine.maintain("a", 60.0, "upgrade", 20.0)
    assert seen(engine, 20.0) == (H, None)


def test_a_failure_within_the_maintenance_degrades() -> None:
    engine = engine_with(healthy())
    engine.maintain("a", 60.0, "upgrade", 1.0)
    run_check(engine, BAD, engine.next_start())
    assert seen(engine, 30.0) == (D, "maintenance")


def test_a_result_that_grows_stale_within_the_maintenance_degrades_and_fails_at_its_end() -> None:
    engine = engine_with(healthy())
    engine.maintain("a", 150.0, "upgrade", 20.0)
    known = engine.probe_status(Probe.READINESS)
    assert [known.at(now) for now in (99.9, 100.0, 169.9, 170.0)] == [H, D, D, U]


def test_an_optional_check_stays_degraded_at_the_end_of_its_maintenance() -> None:
    engine = engine_with(BAD, critical=False)
    engine.maintain("a", 60.0, "upgrade", 20.0)
    assert seen(engine, 20.0) == (D, "check")
    assert engine.probe_status(Probe.READINESS).unhealthy_at == inf


def test_liveness_degrades_too() -> None:
    engine = engine_with(BAD, probes=(Probe.LIVENESS,))
    assert seen(engine, 20.0, Probe.LIVENESS) == (U, "check")
    engine.maintain("a", 60.0, "upgrade", 20.0)
    assert seen(engine, 20.0, Probe.LIVENESS) == (D, "maintenance")


def test_startup_passes_without_a_check_that_is_in_maintenance() -> None:
    engine = new_engine(check(probes=(Probe.STARTUP, Probe.READINESS)))
    engine.maintain("a", 60.0, "upgrade", 0.0)
    engine.serve(1.0)
    assert engine.report(Probe.STARTUP, 1.0).status is H
    assert seen(engine, 1.0) == (D, "maintenance")
    assert engine.report(Probe.STARTUP, 62.0).status is H
    assert seen(engine, 62.0)[0] is U


def test_a_maintenance_whose_time_is_over_does_not_let_startup_pass() -> None:
    engine = new_engine(check(probes=(Probe.STARTUP, Probe.READINESS)))
    engine.maintain("a", 60.0, "upgrade", 0.0)
    engine.serve(60.0)
    assert engine.report(Probe.STARTUP, 60.0).status is U


def test_another_failing_check_is_the_reason() -> None:
    engine = serving_engine(check("a"), check("b", critical=False, failure_threshold=1))
    engine.maintain("a", 60.0, "upgrade", 0.0)
    for run in engine.due(1.0).start:
        engine.record(run, BAD, 1.0)
    assert seen(engine, 1.0)[1] == "check"


def test_the_app_in_maintenance_is_not_ready_and_alive_and_so_until_its_end() -> None:
    engine = engine_with(healthy())
    engine.maintain(None, 60.0, "upgrade", 20.0)
    assert seen(engine, 20.0) == (U, "maintenance")
    assert seen(engine, 20.0, Probe.HEALTH) == (U, "maintenance")
    assert seen(engine, 20.0, Probe.LIVENESS) == (H, None)
    assert engine.report(Probe.READINESS, 20.0).culprits == ()
    assert engine.next_wake() <= 80.0
    engine.due(80.0)
    assert seen(engine, 80.0) == (H, None)


def test_a_drain_is_the_reason_where_both_are() -> None:
    engine = engine_with(healthy())
    engine.maintain(None, 60.0, "upgrade", 1.0)
    engine.drain(2.0)
    assert seen(engine, 2.0) == (U, "draining")


@pytest.mark.parametrize("name", ["a", None])
def test_it_can_be_ended_before_its_time_and_only_by_its_own_handle(name: str | None) -> None:
    engine = engine_with(BAD)
    first = engine.maintain(name, 60.0, "upgrade", 20.0)
    second = engine.maintain(name, 90.0, "it takes longer", 30.0)
    engine.end_maintenance(first, 40.0)
    assert seen(engine, 40.0)[1] == "maintenance"
    engine.end_maintenance(second, 50.0)
    engine.end_maintenance(second, 51.0)
    assert seen(engine, 50.0) == (U, "check")


def test_a_later_maintenance_takes_the_place_of_the_present_one() -> None:
    engine = engine_with(BAD)
    engine.maintain("a", 600.0, "upgrade", 20.0)
    engine.maintain("a", 10.0, "nearly done", 30.0)
    assert engine.probe_status(Probe.READINESS).at(40.0) is U
    maintenance = engine.report(Probe.READINESS, 31.0).checks[0].maintenance
    assert maintenance is not None
    assert (maintenance.reason, maintenance.since, maintenance.until) == ("nearly done", 30.0, 40.0)


def test_a_check_that_is_removed_and_added_again_has_none() -> None:
    engine = engine_with(BAD)
    engine.maintain("a", 600.0, "upgrade", 20.0)
    engine.remove("a", 21.0)
    engine.add(check(), 22.0)
    assert engine.maintenance_of("a") is None
    assert seen(engine, 22.0) == (U, "starting")


def test_it_goes_on_in_the_next_lifespan() -> None:
    engine = engine_with(BAD)
    engine.maintain(None, 600.0, "upgrade", 20.0)
    engine.stop(21.0)
    engine.start(object(), 22.0)
    engine.serve(23.0)
    run_check(engine, healthy(), 24.0)
    assert seen(engine, 24.0) == (U, "maintenance")


def test_an_unknown_check_is_refused() -> None:
    with pytest.raises(KeyError, match="check 'b': there is no check of that name"):
        engine_with(healthy()).maintain("b", 60.0, "", 1.0)


# -- transitions


def test_the_transitions_say_maintenance_and_its_end_says_why() -> None:
    engine = engine_with(BAD)
    received = of_probe(engine)
    engine.maintain("a", 60.0, "upgrade", 20.0)
    engine.due(80.0)
    assert [(each.old, each.new, each.cause, each.checks, each.at) for each in received] == [
        (U, D, "maintenance", ("a",), 20.0),
        (D, U, "check", ("a",), 80.0),
    ]


def test_the_end_is_passed_on_while_the_loop_is_blocked() -> None:
    engine = engine_with(BAD)
    engine.maintain("a", 60.0, "upgrade", 20.0)
    received = of_probe(engine)
    engine.pass_on_decay(79.0)
    assert received == []
    engine.pass_on_decay(80.0)
    assert [(each.new, each.cause) for each in received] == [(U, "check")]


def test_a_stall_does_not_replace_the_maintenance_of_the_app() -> None:
    engine = engine_with(healthy())
    engine.maintain(None, 60.0, "upgrade", 20.0)
    received = of_probe(engine)
    engine.set_stalled(frozenset({Probe.READINESS}), 30.0)
    assert received == []
    assert engine.effective_status(Probe.READINESS, 30.0) == (U, "maintenance")
