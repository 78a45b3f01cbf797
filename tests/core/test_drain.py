"""Draining, until the next lifespan or while a drain file exists, and the stalls of the loop that an engine records."""

from collections.abc import Callable
from functools import partial

import pytest

from asgi_health import Probe, Status, healthy
from asgi_health.core.engine import Engine
from asgi_health.core.lifecycle import Phase
from asgi_health.core.stalls import NO_STALLS

from ..support.core_cases import LIFESPAN, check, new_engine, run_check, serving_engine


def healthy_engine() -> Engine:
    engine = new_engine(check("a"))
    engine.start(LIFESPAN, 0.0)
    engine.serve(0.0)
    run_check(engine, healthy(), 0.0)
    return engine


def readiness(engine: Engine) -> tuple[Phase, Status]:
    return engine.phase, engine.probe_status(Probe.READINESS).at(0.0)


def test_a_drain_makes_readiness_and_health_unhealthy_and_no_other_probe() -> None:
    engine = healthy_engine()
    engine.drain(0.0)
    assert {probe: engine.probe_status(probe).at(0.0) for probe in Probe} == {
        Probe.LIVENESS: Status.HEALTHY,
        Probe.READINESS: Status.UNHEALTHY,
        Probe.STARTUP: Status.HEALTHY,
        Probe.HEALTH: Status.UNHEALTHY,
    }


def test_a_temporary_drain_ends() -> None:
    engine = healthy_engine()
    engine.set_temporary_drain(True, 0.0)
    assert readiness(engine) == (Phase.DRAINING, Status.UNHEALTHY)
    engine.set_temporary_drain(False, 0.0)
    assert readiness(engine) == (Phase.SERVING, Status.HEALTHY)


def test_the_end_of_a_temporary_drain_does_not_end_a_drain() -> None:
    engine = healthy_engine()
    engine.set_temporary_drain(True, 0.0)
    engine.drain(0.0)
    engine.set_temporary_drain(False, 0.0)
    assert readiness(engine) == (Phase.DRAINING, Status.UNHEALTHY)


@pytest.mark.parametrize("temporary_first", [True, False])
def test_a_drain_began_with_the_first_reason_for_it(temporary_first: bool) -> None:
    engine = healthy_engine()
    if temporary_first:
        engine.set_temporary_drain(True, 10.0)
        engine.drain(12.0)
    else:
        engine.drain(10.0)
        engine.set_temporary_drain(True, 12.0)
    assert engine.phase_since == 10.0


def test_a_drain_after_a_temporary_one_has_ended_begins_anew() -> None:
    engine = healthy_engine()
    engine.set_temporary_drain(True, 10.0)
    engine.set_temporary_drain(False, 10.0)
    engine.drain(20.0)
    assert engine.phase_since == 20.0


def test_each_phase_has_the_moment_at_which_it_began() -> None:
    engine = new_engine()
    assert engine.phase_since is None
    seen: list[tuple[Phase, float | None]] = []
    steps: list[Callable[[float], object]] = [partial(engine.start, LIFESPAN), engine.serve, engine.drain, engine.stop]
    for now, step in enumerate(steps):
        step(float(now))
        seen.append((engine.phase, engine.phase_since))
    assert seen == [(Phase.STARTING, 0.0), (Phase.SERVING, 1.0), (Phase.DRAINING, 2.0), (Phase.STOPPED, 3.0)]


def test_a_temporary_drain_goes_on_in_the_next_lifespan() -> None:
    """The drain file still exists: it has not been removed in between."""
    engine = new_engine()
    engine.start("first", 0.0)
    engine.set_temporary_drain(True, 0.0)
    engine.stop(0.0)
    engine.finish("first")
    engine.start("second", 0.0)
    engine.serve(0.0)
    assert engine.phase is Phase.DRAINING


def test_stalls_are_counted_and_a_new_lifespan_has_none() -> None:
    engine = serving_engine(check("a"))
    version = engine.version
    for seconds in (1.5, 4.0, 2.0):
        engine.record_stall(seconds)
    stalls = engine.report(Probe.HEALTH, 0.0).stalls
    assert (stalls.count, stalls.longest) == (3, 4.0)
    assert engine.version != version
    engine.stop(0.0)
    engine.finish(LIFESPAN)
    engine.start(LIFESPAN, 0.0)
    assert engine.report(Probe.HEALTH, 0.0).stalls == NO_STALLS
