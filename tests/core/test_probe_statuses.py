"""The status of every probe: by the results of the checks, and by the phase and the lifespan of the app."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import pytest

from asgi_health import Check, Probe, Result, Status, degraded, healthy, unhealthy
from asgi_health.core.engine import Engine
from asgi_health.core.lifecycle import Phase
from asgi_health.core.status import CHECK_PROBES

from ..support.core_cases import LIFESPAN, check, check_status, new_engine, run_check, serving_engine, start_run

H, D, U = Status.HEALTHY, Status.DEGRADED, Status.UNHEALTHY

STARTUP = check("migrations", probes=(Probe.STARTUP,))
CRITICAL = check("database", failure_threshold=1)
OPTIONAL = check("cache", critical=False, failure_threshold=1)
ALIVE = check("worker", probes=(Probe.LIVENESS,), failure_threshold=1)


def statuses_at(engine: Engine, now: float = 0.0) -> tuple[Status, Status, Status, Status]:
    """Return the status of liveness, readiness, startup and health, which the report and `probe_status` agree on."""
    seen = [engine.report(probe, now=now).status for probe in Probe]
    assert [engine.probe_status(probe).at(now) for probe in Probe] == seen
    live, ready, startup, health = seen
    return live, ready, startup, health


def run_due(engine: Engine, now: float = 0.0, given: Mapping[str, Result] = MappingProxyType({})) -> None:
    """Run the checks that are due: with the results in `given`, or a pass."""
    for run in engine.due(now).start:
        engine.record(run, given.get(run.check.name, healthy()), now)


def restart(engine: Engine) -> None:
    """End the lifespan, and begin another in the same process."""
    engine.stop(0.0)
    engine.finish(LIFESPAN)
    engine.start(LIFESPAN, 0.0)


STEPS: dict[str, Callable[[Engine], object]] = {
    "start": lambda engine: engine.start(LIFESPAN, 0.0),
    "serve": lambda engine: engine.serve(0.0),
    "drain": lambda engine: engine.drain(0.0),
    "stop": lambda engine: engine.stop(0.0),
    "finish": lambda engine: engine.finish(LIFESPAN),
}


@pytest.mark.parametrize(
    ("steps", "phase"),
    [
        ("", Phase.STARTING),
        ("start", Phase.STARTING),
        ("serve", Phase.SERVING),
        ("start serve", Phase.SERVING),
        ("start serve drain", Phase.DRAINING),
        ("start serve drain stop", Phase.STOPPED),
        ("start serve stop drain", Phase.STOPPED),
        ("start stop serve", Phase.STOPPED),
        ("start drain serve", Phase.DRAINING),
        ("drain start serve", Phase.DRAINING),
        ("start serve start", Phase.SERVING),  # a second middleware starts the same lifespan
        ("start serve stop start", Phase.STOPPED),
        ("start serve stop finish start", Phase.STARTING),
        ("start serve stop finish start serve", Phase.SERVING),
        ("start serve drain stop finish start serve", Phase.SERVING),  # the drain belongs to the first lifespan
        ("start serve drain finish start serve", Phase.DRAINING),  # the first lifespan crashed during the drain
        ("start serve finish", Phase.SERVING),
    ],
)
def test_phases_go_forward_until_a_new_lifespan_begins(steps: str, phase: Phase) -> None:
    engine = new_engine()
    for step in steps.split():
        STEPS[step](engine)
    assert engine.phase is phase
    assert (statuses_at(engine)[1] is H) == (phase is Phase.SERVING)


def test_the_first_start_of_a_lifespan_counts_and_the_others_have_no_effect() -> None:
    engine = new_engine(CRITICAL)
    one, other = object(), object()
    assert engine.start(one, 0.0)
    engine.serve(0.0)
    run_due(engine)
    assert not engine.start(one, 0.0)
    assert statuses_at(engine) == (H, H, H, H)
    assert engine.lifespan_count == 1
    assert not engine.finish(other)
    assert not engine.start(one, 0.0)
    assert engine.start(other, 0.0)
    assert engine.lifespan_count == 2
    assert statuses_at(engine) == (H, U, U, U)


def test_the_end_of_a_former_lifespan_does_not_end_the_present_one() -> None:
    engine = new_engine()
    one, other = object(), object()
    engine.start(one, 0.0)
    engine.start(other, 0.0)
    engine.serve(0.0)
    assert not engine.finish(one)
    assert engine.is_current(other)
    assert not engine.start(other, 0.0)
    assert engine.finish(other)
    assert not engine.in_lifespan
    assert engine.start(other, 0.0)


def test_while_the_app_starts_only_liveness_is_healthy() -> None:
    engine = new_engine(STARTUP, CRITICAL)
    run_due(engine)
    assert statuses_at(engine) == (H, U, U, U)


def test_without_any_checks_the_app_is_ready_as_soon_as_it_has_started() -> None:
    engine = new_engine()
    assert statuses_at(engine) == (H, U, U, U)
    engine.serve(0.0)
    assert statuses_at(engine, 1e9) == (H, H, H, H)


def test_a_startup_check_without_a_pass_keeps_all_probes_but_liveness_unhealthy() -> None:
    engine = serving_engine(STARTUP, CRITICAL)
    assert statuses_at(engine) == (H, U, U, U)
    run_due(engine, given={"migrations": unhealthy("locked")})
    assert statuses_at(engine) == (H, U, U, U)
    run_due(engine, now=1.0)
    assert statuses_at(engine, 1.0) == (H, H, H, H)


def test_a_degraded_startup_check_lets_the_app_start() -> None:
    engine = serving_engine(STARTUP)
    run_due(engine, given={"migrations": degraded("slow")})
    assert statuses_at(engine) == (H, H, H, D)


def test_a_startup_check_that_is_not_critical_does_not_delay_the_start() -> None:
    engine = serving_engine(check("warm", probes=(Probe.STARTUP,), critical=False))
    assert statuses_at(engine) == (H, H, H, D)


def test_startup_needs_its_threshold_once_the_check_has_failed() -> None:
    engine = serving_engine(check("a", probes=(Probe.STARTUP,), success_threshold=2))
    seen = []
    for moment, result in enumerate((unhealthy("x"), healthy(), healthy())):
        run_check(engine, result, float(moment))
        seen.append(engine.report(Probe.STARTUP, now=float(moment)).status)
    assert seen == [U, U, H]


def test_startup_once_passed_stays_passed() -> None:
    both = check("a", probes=(Probe.STARTUP, Probe.READINESS), failure_threshold=1)
    engine = serving_engine(both)
    run_due(engine)
    run_due(engine, now=11.0, given={"a": unhealthy("x")})
    assert statuses_at(engine, 11.0) == (H, U, H, U)
    engine.add(STARTUP, 0.0)
    assert statuses_at(engine, 11.0) == (H, U, H, U)
    engine.drain(0.0)
    assert engine.report(Probe.STARTUP, now=1e9).status is H


def test_startup_passes_when_each_check_has_passed_once_at_whatever_time() -> None:
    engine = serving_engine(*(check(name, probes=(Probe.STARTUP,), failure_threshold=1) for name in "ab"))
    run_due(engine, 0.0, {"a": degraded("slow"), "b": unhealthy("x")})
    assert engine.report(Probe.STARTUP, now=0.0).status is U
    run_due(engine, 20.0, {"a": unhealthy("x")})
    assert check_status(engine, "a", 20.0) is U
    assert engine.report(Probe.STARTUP, now=20.0).status is H


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (H, H, H, H)),
        ({"cache": unhealthy("x")}, (H, D, H, D)),
        ({"cache": degraded("x")}, (H, D, H, D)),
        ({"database": degraded("x")}, (H, D, H, D)),
        ({"database": unhealthy("x")}, (H, U, H, U)),
        ({"worker": degraded("x")}, (D, H, H, D)),
        ({"worker": unhealthy("x")}, (U, H, H, U)),
    ],
)
def test_the_results_of_the_checks_decide_while_the_app_serves(
    given: dict[str, Result], expected: tuple[Status, ...]
) -> None:
    engine = serving_engine(STARTUP, CRITICAL, OPTIONAL, ALIVE)
    run_due(engine, given=given)
    assert statuses_at(engine) == expected


@pytest.mark.parametrize(
    ("subject", "expected"), [(CRITICAL, (H, U, H, U)), (OPTIONAL, (H, D, H, D)), (ALIVE, (D, H, H, U))]
)
def test_an_unknown_and_a_stale_check_count_alike_and_never_restart_the_process(
    subject: Check, expected: tuple[Status, ...]
) -> None:
    engine = serving_engine(subject)
    assert statuses_at(engine) == expected
    run_due(engine)
    assert statuses_at(engine) == (H, H, H, H)
    assert statuses_at(engine, 31.999) == (H, H, H, H)
    assert statuses_at(engine, 32.0) == expected


def test_a_drain_changes_readiness_and_health_alone_while_checks_go_on() -> None:
    engine = serving_engine(STARTUP, CRITICAL, ALIVE)
    run_due(engine)
    engine.drain(0.0)
    assert statuses_at(engine) == (H, U, H, U)
    run_due(engine, now=11.0)
    assert statuses_at(engine, 11.0) == (H, U, H, U)


@pytest.mark.parametrize("step", ["serve", "start", "drain"])
def test_only_the_next_lifespan_ends_a_drain(step: str) -> None:
    engine = serving_engine()
    engine.drain(0.0)
    STEPS[step](engine)
    engine.serve(0.0)
    assert engine.phase is Phase.DRAINING
    assert statuses_at(engine)[1] is U


def test_a_drain_before_the_app_has_started_goes_on_after_it() -> None:
    engine = new_engine()
    engine.drain(0.0)
    engine.serve(0.0)
    assert (engine.phase, statuses_at(engine)) == (Phase.DRAINING, (H, U, H, U))


def test_a_stopped_app_is_not_ready_and_cannot_drain() -> None:
    engine = serving_engine(CRITICAL)
    run_due(engine)
    engine.stop(0.0)
    assert statuses_at(engine) == (H, U, H, U)
    engine.drain(0.0)
    assert engine.phase is Phase.STOPPED


def test_a_second_lifespan_starts_without_results() -> None:
    engine = serving_engine(STARTUP, CRITICAL)
    run_due(engine)
    engine.drain(0.0)
    restart(engine)
    assert (engine.phase, statuses_at(engine)) == (Phase.STARTING, (H, U, U, U))
    engine.serve(0.0)
    assert statuses_at(engine) == (H, U, U, U)
    assert {run.check.name for run in engine.due(5.0).start} == {"migrations", "database"}


def test_a_second_lifespan_counts_its_own_failures_only() -> None:
    engine = serving_engine(check("a", failure_threshold=3))
    run_check(engine, healthy(), 0.0)
    run_check(engine, unhealthy("x"), 10.0)
    run_check(engine, unhealthy("x"), 11.0)
    restart(engine)
    engine.serve(0.0)
    run_check(engine, healthy(), 12.0)
    run_check(engine, unhealthy("x"), 22.0)
    assert check_status(engine, now=22.0) is H


def test_a_run_of_the_former_lifespan_does_not_count_in_the_second() -> None:
    # Its function used resources that the app has closed since.
    engine = serving_engine(check("a", timeout=10.0))
    run = start_run(engine, 0.0)
    restart(engine)
    engine.serve(0.0)
    assert engine.due(0.9).start == ()
    assert check_status(engine, now=0.9) is None  # the run is in time
    engine.record(run, healthy("of the former lifespan"), 1.0)
    assert statuses_at(engine, 1.0)[1] is U
    run_check(engine, healthy(), 1.0)
    assert statuses_at(engine, 1.0)[1] is H


def test_a_run_of_the_former_lifespan_that_does_not_end_is_not_started_twice() -> None:
    engine = serving_engine(check("a", timeout=2.0))
    start_run(engine, 0.0)
    restart(engine)
    engine.serve(0.0)
    now = 0.0
    for _ in range(20):
        now = max(now, engine.next_wake())
        assert engine.due(now).start == ()
    assert now > 10.0
    assert statuses_at(engine, now)[1] is U


def test_a_process_may_have_many_lifespans() -> None:
    engine = new_engine(CRITICAL)
    for lifespan in range(5):
        now = lifespan * 100.0
        restart(engine)
        assert statuses_at(engine, now) == (H, U, U, U)
        engine.serve(0.0)
        run_due(engine, now)
        assert statuses_at(engine, now) == (H, H, H, H)
        engine.stop(0.0)
        assert statuses_at(engine, now) == (H, U, H, U)


def test_a_probe_awaits_first_results_until_one_fails_or_all_have_come() -> None:
    engine = new_engine(STARTUP, CRITICAL, OPTIONAL, ALIVE)
    engine.serve(0.0)
    assert [engine.awaits_first_results(probe) for probe in Probe] == [False, True, True, True]
    runs = {run.check.name: run for run in engine.due(0.0).start}
    engine.record(runs["migrations"], healthy(), 0.0)
    assert [engine.awaits_first_results(probe) for probe in Probe] == [False, True, False, True]
    engine.record(runs["database"], unhealthy("x"), 0.0)
    assert [engine.awaits_first_results(probe) for probe in Probe] == [False, False, False, False]


def test_every_check_counts_for_health_and_no_other_probe_than_it_names() -> None:
    for probe in CHECK_PROBES:
        engine = serving_engine(check("a", probes=(probe,), failure_threshold=1))
        counted = {each for each in Probe if engine.report(each, 0.0).checks}
        assert counted == {probe, Probe.HEALTH}
        assert {each for each in Probe if engine.depends_on_runs(each)} >= counted
        run_due(engine)
        assert engine.probe_status(Probe.HEALTH).at(0.0) is H
        run_due(engine, 20.0, {"a": unhealthy("x")})
        expected = H if probe is Probe.STARTUP else U  # a startup check has ended after its first pass
        assert engine.probe_status(Probe.HEALTH).at(20.0) is expected
