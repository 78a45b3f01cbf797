"""The checks of an engine: adding, removing, their runs meanwhile, reports, and the callbacks of `on_change`."""

import gc
import weakref
from math import inf

import pytest

from asgi_health import Probe, Result, Status, degraded, healthy, unhealthy
from asgi_health.core.engine import Engine
from asgi_health.core.probe_statuses import Statuses
from asgi_health.core.schedule import Run

from ..support.core_cases import (
    LIFESPAN,
    check,
    check_status,
    new_engine,
    refused,
    run_check,
    serving_engine,
    start_run,
)
from ..support.deep_size import deep_size


def names(engine: Engine) -> list[str]:
    return [each.name for each in engine.checks]


def test_a_name_that_is_taken_is_refused_and_the_first_check_stays() -> None:
    first = check("a", interval=1.0)
    engine = serving_engine(first)
    with refused(ValueError, "check 'a': ", "taken", "unique"):
        engine.add(check("a", interval=2.0), 0.0)
    assert engine.checks == (first,)


def test_an_unknown_name_is_refused() -> None:
    engine = serving_engine(check())
    with pytest.raises(KeyError, match="check 'typo': there is no check of that name"):
        engine.remove("typo", 0.0)
    with pytest.raises(KeyError, match="check 'typo': there is no check of that name"):
        engine.report_check("typo", Probe.HEALTH, 0.0)


def test_an_added_check_is_due_at_once_and_unhealthy_until_its_first_result() -> None:
    engine = serving_engine(check("a"))
    run_check(engine, healthy(), 0.0)
    assert engine.report(Probe.READINESS, now=0.0).status is Status.HEALTHY
    engine.add(check("b"), 0.0)
    assert engine.report(Probe.READINESS, now=0.0).status is Status.UNHEALTHY
    assert engine.next_start() == -inf
    run_check(engine, healthy(), 1.0)
    assert engine.report(Probe.READINESS, now=1.0).status is Status.HEALTHY


def test_a_removed_check_no_longer_counts() -> None:
    engine = serving_engine(check("a"), check("b"))
    a, b = engine.due(0.0).start
    engine.record(a, unhealthy("x"), 0.0)
    engine.record(b, healthy(), 0.0)
    engine.remove("a", 0.0)
    assert names(engine) == ["b"]
    assert engine.report(Probe.READINESS, now=0.0).status is Status.HEALTHY
    assert engine.probe_status(Probe.READINESS).at(0.0) is Status.HEALTHY


def test_removing_the_last_startup_check_lets_startup_pass() -> None:
    engine = serving_engine(check("migrations", probes=(Probe.STARTUP,)))
    assert engine.report(Probe.STARTUP, now=0.0).status is Status.UNHEALTHY
    engine.remove("migrations", 0.0)
    assert engine.report(Probe.STARTUP, now=0.0).status is Status.HEALTHY
    assert engine.report(Probe.READINESS, now=0.0).status is Status.HEALTHY


def test_the_run_of_a_removed_check_is_cancelled_once_and_does_not_count() -> None:
    engine = serving_engine(check("a"), check("b"))
    a, _ = engine.due(0.0).start
    engine.remove("a", 0.0)
    assert engine.next_wake() == -inf
    assert engine.due(0.0).cancel == (a,)
    assert engine.due(0.0).cancel == ()
    engine.record(a, unhealthy("too late to matter"), 0.5)
    assert names(engine) == ["b"]


def test_checks_removed_during_their_runs_do_not_accumulate_runs() -> None:
    engine = serving_engine()
    started: set[Run] = set()
    for cycle in range(50):
        engine.add(check("a", lambda: None, timeout=2.0), 0.0)  # each time another function
        started |= {*engine.due(cycle / 10).start}
        engine.remove("a", 0.0)
    assert len(started) == 2


def test_a_check_that_waits_for_runs_of_removed_ones_fails_at_their_deadline_and_runs_when_they_have_ended() -> None:
    engine = serving_engine()
    left_behind = []
    for _ in range(2):
        engine.add(check("a", timeout=2.0), 0.0)
        left_behind.append(start_run(engine, 0.0))
        engine.remove("a", 0.0)
    engine.add(check("a", timeout=2.0, failure_threshold=1), 0.0)
    assert engine.due(1.9).start == ()
    assert check_status(engine, now=1.9) is None
    assert engine.due(2.1).start == ()
    assert check_status(engine, now=2.1) is Status.UNHEALTHY
    for run in left_behind:
        engine.record(run, healthy("of another check"), 3.0)
    assert check_status(engine, now=3.0) is Status.UNHEALTHY
    run_check(engine, healthy(), engine.next_start())
    assert check_status(engine, now=5.0) is Status.HEALTHY


def test_a_check_that_waits_for_the_run_of_a_removed_one_runs_as_soon_as_that_ends() -> None:
    engine = serving_engine()
    runs = []
    for _ in range(2):
        engine.add(check("a", timeout=2.0), 0.0)
        runs.append(start_run(engine, 0.0))
        engine.remove("a", 0.0)
    engine.add(check("a"), 0.0)
    engine.record(runs[-1], healthy("of another check"), 1.0)
    assert check_status(engine, now=1.0) is None
    run_check(engine, healthy(), 1.0)
    assert check_status(engine, now=1.0) is Status.HEALTHY


def test_a_result_of_a_removed_check_does_not_count_for_a_new_one_of_its_name() -> None:
    engine = serving_engine(check("a"))
    old = start_run(engine, 0.0)
    engine.remove("a", 0.0)
    engine.add(check("a"), 0.0)
    new = start_run(engine, 0.1)
    engine.record(old, healthy("from before"), 0.2)
    assert check_status(engine) is None
    assert engine.report(Probe.READINESS, now=0.2).status is Status.UNHEALTHY
    engine.record(new, degraded("from now"), 0.3)
    assert check_status(engine) is Status.DEGRADED


def test_a_result_counts_once() -> None:
    engine = serving_engine(check(failure_threshold=3))
    run_check(engine, healthy(), 0.0)
    run = start_run(engine, 11.0)
    for _ in range(5):
        engine.record(run, unhealthy("x"), 11.0)
    assert engine.report_check("a", Probe.HEALTH, now=11.0).checks[0].state.failures == 1


def test_a_report_shows_each_check_of_its_probe_in_the_order_of_adding() -> None:
    engine = serving_engine(
        check("ready"), check("live", probes=(Probe.LIVENESS,)), check("both", probes=(Probe.LIVENESS, Probe.READINESS))
    )
    names_of = {probe: [each.name for each in engine.report(probe, now=0.0).checks] for probe in Probe}
    assert names_of == {
        Probe.LIVENESS: ["live", "both"],
        Probe.READINESS: ["ready", "both"],
        Probe.STARTUP: [],
        Probe.HEALTH: ["ready", "live", "both"],
    }
    assert [engine.depends_on_runs(probe) for probe in Probe] == [True, True, False, True]


def test_excluded_checks_are_left_out_of_one_report_which_names_them() -> None:
    engine = serving_engine(check("a"), check("b"))
    a, b = engine.due(0.0).start
    engine.record(a, unhealthy("x"), 0.0)
    engine.record(b, healthy(), 0.0)
    report = engine.report(Probe.READINESS, exclude=("a", "typo"), now=0.0)
    assert (report.status, report.excluded) == (Status.HEALTHY, ("a",))
    assert [each.name for each in report.checks] == ["b"]
    assert engine.report(Probe.READINESS, now=0.0).status is Status.UNHEALTHY


def test_excluding_a_startup_check_does_not_make_readiness_pass() -> None:
    engine = serving_engine(check("migrations", probes=(Probe.STARTUP,)))
    assert engine.report(Probe.STARTUP, exclude=("migrations",), now=0.0).status is Status.HEALTHY
    assert engine.report(Probe.READINESS, exclude=("migrations",), now=0.0).status is Status.UNHEALTHY


@pytest.mark.parametrize(
    ("results", "now", "status", "output"),
    [
        ((), 0.0, Status.UNHEALTHY, "no result yet"),
        ((healthy("fine"),), 0.0, Status.HEALTHY, ""),
        ((degraded("slow"),), 0.0, Status.DEGRADED, "slow"),
        ((unhealthy("down"),), 0.0, Status.UNHEALTHY, "down"),
        ((unhealthy("down"), healthy()), 1.0, Status.UNHEALTHY, "recovering: 1 of 2 passes in a row"),
        ((healthy(),), 32.0, Status.UNHEALTHY, "stale: not confirmed for more than 32.0 s"),
        ((degraded("slow"),), 32.0, Status.UNHEALTHY, "stale: not confirmed for more than 32.0 s"),
    ],
)
def test_a_check_that_is_not_healthy_has_a_reason(
    results: tuple[Result, ...], now: float, status: Status, output: str
) -> None:
    engine = serving_engine(check(success_threshold=2))
    for moment, result in enumerate(results):
        run_check(engine, result, float(moment))
    (line,) = engine.report(Probe.READINESS, now=now).checks
    assert (line.status, line.output) == (status, output)


def test_a_report_says_when_its_first_result_grows_stale() -> None:
    engine = serving_engine(
        check("a", interval=1.0, max_age=5.0), check("b", interval=2.0), check("c", probes=(Probe.STARTUP,)), check("d")
    )
    assert engine.report(Probe.HEALTH, now=0.0).until == inf  # no result that could grow stale
    for run in engine.due(0.0).start:
        if run.check.name != "d":
            engine.record(run, healthy(), 1.0)
    assert engine.report(Probe.HEALTH, now=1.0).until == 6.0
    assert engine.report(Probe.HEALTH, now=5.999).until == 6.0
    assert engine.report(Probe.HEALTH, now=6.0).until == 9.0  # `a` is stale already
    assert engine.report(Probe.HEALTH, now=0.0, exclude=["a"]).until == 9.0
    assert engine.report(Probe.STARTUP, now=1.0).until == inf
    assert engine.report_check("b", Probe.HEALTH, now=1.0).until == 9.0
    assert engine.report(Probe.HEALTH, now=9.0).until == inf


def test_the_report_of_one_check_does_not_depend_on_the_phase() -> None:
    engine = serving_engine(check("a"))
    run_check(engine, healthy(), 0.0)
    engine.drain(0.0)
    assert engine.report_check("a", Probe.HEALTH, now=0.0).status is Status.HEALTHY
    assert engine.report_check("a", Probe.HEALTH, now=32.0).status is Status.UNHEALTHY
    assert engine.report(Probe.READINESS, now=0.0).status is Status.UNHEALTHY


def test_the_version_differs_after_every_change_that_a_report_shows() -> None:
    engine = new_engine()
    versions = [engine.version]

    def changed() -> bool:
        versions.append(engine.version)
        return versions[-1] not in versions[:-1]

    engine.add(check("a"), 0.0)
    assert changed()
    engine.serve(0.0)
    assert changed()
    run = start_run(engine, 0.0)
    engine.record(run, healthy(), 0.5)
    assert changed()
    run_check(engine, healthy("the same status, another time"), 11.0)
    assert changed()
    engine.drain(0.0)
    assert changed()
    engine.remove("a", 0.0)
    assert changed()
    engine.stop(0.0)
    assert changed()
    engine.finish(LIFESPAN)
    engine.start(LIFESPAN, 0.0)
    assert changed()


def test_callbacks_receive_the_statuses_after_a_change_and_no_call_without_one() -> None:
    engine = serving_engine(check())
    received: list[Statuses] = []
    engine.on_change(received.append)
    run = start_run(engine, 0.0)
    assert received == []
    engine.record(run, healthy(), 0.5)
    assert received[-1] == {probe: engine.probe_status(probe) for probe in Probe}
    assert received[-1][Probe.READINESS].at(0.5) is Status.HEALTHY
    engine.drain(1.0)
    assert {probe: status.at(1.0) for probe, status in received[-1].items()} == {
        Probe.LIVENESS: Status.HEALTHY,
        Probe.READINESS: Status.UNHEALTHY,
        Probe.STARTUP: Status.HEALTHY,
        Probe.HEALTH: Status.UNHEALTHY,
    }


def test_statuses_that_a_callback_keeps_do_not_change() -> None:
    engine = serving_engine()
    received: list[Statuses] = []
    engine.on_change(received.append)
    engine.notify()
    before = dict(received[0])
    engine.drain(1.0)
    assert dict(received[0]) == before != dict(received[-1])


def test_the_callback_of_an_object_that_is_gone_costs_nothing() -> None:
    """In a test suite many apps come and go around one Health."""

    class App:
        def __init__(self) -> None:
            self.calls = 0

        def on_change(self, _: Statuses) -> None:
            self.calls += 1

    engine = serving_engine()
    kept = App()
    engine.on_change(kept.on_change)
    before = deep_size(engine)
    gone = weakref.WeakSet[App]()
    for _ in range(100):
        app = App()
        gone.add(app)
        engine.on_change(app.on_change)
        del app
    gc.collect()
    assert len(gone) == 0
    assert deep_size(engine) < before + 3_000  # ten references; a hundred take 20,000 bytes
    engine.notify()
    assert kept.calls == 1


def test_a_function_that_is_a_callback_is_kept() -> None:
    engine = serving_engine()
    calls: list[int] = []
    engine.on_change(lambda _: calls.append(1))
    gc.collect()
    engine.notify()
    assert calls == [1]
