"""What a worker answers while it has not read what the other workers of its host publish, or not for long."""

import pytest

from asgi_health import Probe, Status, healthy
from asgi_health.core.engine import Engine
from asgi_health.core.stalls import StallTimes
from asgi_health.core.workers import combine

from ..support.core_cases import LIFESPAN, check, new_engine, run_check

STARTS = {
    Probe.LIVENESS: (Status.HEALTHY, None),
    **dict.fromkeys((Probe.READINESS, Probe.STARTUP, Probe.HEALTH), (Status.UNHEALTHY, "starting")),
}
HEALTHY = dict.fromkeys(Probe, (Status.HEALTHY, None))


@pytest.fixture
def engine() -> Engine:
    """Return an engine that is healthy by itself at 0.5, and waits for the others until 1.0."""
    engine = new_engine(check("a"))
    engine.start(LIFESPAN, 0.0)
    engine.await_host(0.0, 1.0)
    engine.serve(0.5)
    run_check(engine, healthy(), 0.5)
    return engine


def answers(engine: Engine, now: float) -> object:
    engine.pass_on_decay(now)
    statuses = {probe: engine.effective_status(probe, now) for probe in Probe}
    reports = {probe: engine.report(probe, now) for probe in Probe}
    assert {probe: (report.status, report.reason) for probe, report in reports.items()} == statuses
    return statuses


def test_a_worker_that_has_not_read_of_the_others_has_not_started(engine: Engine) -> None:
    assert answers(engine, 0.5) == STARTS


def test_a_probe_right_after_the_start_waits_for_the_others_as_for_first_results(engine: Engine) -> None:
    waits = {probe: engine.awaits_first_results(probe) for probe in Probe}
    assert waits == {probe: probe is not Probe.LIVENESS for probe in Probe}
    engine.set_host(None, 0.6)
    assert not any(engine.awaits_first_results(probe) for probe in Probe)


def test_it_answers_for_itself_when_it_cannot_read_in_time(engine: Engine) -> None:
    assert answers(engine, 0.99) == STARTS
    assert answers(engine, 1.0) == HEALTHY


@pytest.mark.parametrize(("expected", "answered"), [(1, HEALTHY), (2, STARTS)])
def test_from_then_on_the_expected_workers_decide_about_the_startup(
    engine: Engine, expected: int, answered: dict[Probe, object]
) -> None:
    own = engine.own_worker("own", 1, 0.5, started=0.0, beat=0.5, stall_times=StallTimes(), leads=True)
    engine.set_host(combine(own, (), 0.5, expected=expected, leader="own"), 0.5, leads_until=2.0)
    found = answers(engine, 0.5)
    assert isinstance(found, dict)
    assert found[Probe.STARTUP] == answered[Probe.STARTUP]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param((3.0,), [1], id="it could not read in time"),
        pytest.param((8.0,), [0], id="the process was stopped"),
        pytest.param((8.0, 8.4, 8.5), [0, 0, 1], id="the process was stopped, and cannot read after that"),
    ],
)
def test_a_worker_runs_the_checks_of_the_host_when_it_cannot_read_of_the_one_that_does(
    found: tuple[float, ...], expected: list[int]
) -> None:
    engine = new_engine(check("of-host", scope="host", interval=1.0))
    engine.start(LIFESPAN, 0.0)
    engine.serve(0.0)
    own, other = (
        engine.own_worker(key, 1, 0.0, started=0.0, beat=0.0, stall_times=StallTimes(), leads=key == "other")
        for key in ("own", "other")
    )
    engine.set_host(combine(own, (other,), 0.0, leader="other"), 0.0, until=3.0)
    assert not engine.due(2.9).start
    assert [len(engine.due(now).start) for now in found] == expected
