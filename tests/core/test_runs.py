"""Runs: which are due, which are late, which never end, and the pauses between them."""

from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_health import Check, CheckTransition, Probe, Result, Status, healthy, unhealthy
from asgi_health.core.engine import Engine
from asgi_health.core.schedule import DueRuns
from asgi_health.core.state import CheckState
from asgi_health.core.validate import MIN_SECONDS

from ..support.core_cases import (
    RESULTS,
    check,
    check_status,
    check_transitions,
    checks,
    new_engine,
    no_deadline,
    run_check,
    serving_engine,
    start_run,
    statuses,
)

NOTHING = DueRuns((), ())


def state(engine: Engine) -> CheckState:
    return engine.report_check("a", Probe.HEALTH, now=0.0).checks[0].state


def test_all_checks_are_due_at_once_and_each_starts_once() -> None:
    engine = serving_engine(*map(check, "abc"))
    due = engine.due(5.0)
    assert [run.check.name for run in due.start] == ["a", "b", "c"]
    assert {run.started for run in due.start} == {5.0}
    assert engine.due(5.0) == NOTHING


def test_at_most_a_given_number_of_runs_start_and_the_others_stay_due() -> None:
    engine = serving_engine(*map(check, "abcde"))
    started = []
    while (due := engine.due(0.0, at_most=2)).start:
        assert len(due.start) <= 2
        started += [run.check.name for run in due.start]
        assert (engine.next_wake() <= 0.0) == (len(started) < 5)
    assert sorted(started) == list("abcde")


def test_at_most_zero_runs_still_checks_the_deadlines() -> None:
    engine = serving_engine(check("a", timeout=2.0), check("b"))
    (a,) = engine.due(0.0, at_most=1).start
    due = engine.due(2.0, at_most=0)
    assert due == DueRuns((), (a,))
    assert engine.next_start() == -inf


def test_the_pause_counts_from_the_end_of_a_run() -> None:
    engine = serving_engine(check(interval=10.0, timeout=5.0))
    run = start_run(engine, 0.0)
    assert engine.next_start() == inf
    engine.record(run, healthy(), 4.0)
    assert engine.next_start() == engine.next_wake() == 14.0
    assert engine.due(13.999) == NOTHING
    assert start_run(engine, 14.0).started == 14.0


@pytest.mark.parametrize(("random", "due"), [(0.0, 9.0), (0.5, 10.0), (0.75, 10.5)])
def test_every_pause_has_jitter(random: float, due: float) -> None:
    engine = new_engine(check(interval=10.0), random=lambda: random)
    run_check(engine, healthy(), 0.0)
    assert engine.next_start() == pytest.approx(due)


def test_a_failing_check_runs_less_and_less_often() -> None:
    engine = serving_engine(check(interval=10.0, retry_interval=1.0, failure_threshold=3))
    run_check(engine, healthy(), 0.0)
    ends = [engine.next_start()]
    for _ in range(8):
        run_check(engine, unhealthy("down"), ends[-1])
        ends.append(engine.next_start())
    pauses = [after - before for before, after in pairwise(ends)]
    assert pauses == pytest.approx([1.0, 1.0, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0])
    run_check(engine, healthy(), ends[-1])
    assert engine.next_start() - ends[-1] == pytest.approx(10.0)


def test_a_startup_check_ends_after_it_has_been_healthy() -> None:
    engine = serving_engine(check(probes=(Probe.STARTUP,)))
    for moment, status in enumerate((Status.UNHEALTHY, Status.DEGRADED, Status.UNHEALTHY, Status.HEALTHY)):
        now = max(engine.next_start(), float(moment))
        run_check(engine, RESULTS[status], now)
    assert engine.next_wake() == inf
    assert engine.due(1e9) == NOTHING


def test_a_startup_check_that_counts_for_another_probe_goes_on() -> None:
    engine = serving_engine(check(probes=(Probe.STARTUP, Probe.READINESS)))
    run_check(engine, healthy(), 0.0)
    assert engine.next_start() == 10.0


# -- deadlines


def test_the_failure_is_recorded_at_the_deadline_while_the_run_goes_on() -> None:
    engine = serving_engine(check(timeout=2.0))
    run = start_run(engine, 1.0)
    assert engine.next_deadline() == engine.next_wake() == 3.0
    assert engine.due(2.999) == NOTHING
    assert engine.due(3.0) == DueRuns((), (run,))
    assert run.expired
    assert state(engine).result == Result(Status.UNHEALTHY, "timed out after 2.0 s")
    assert state(engine).time == 3.0
    assert engine.report(Probe.READINESS, now=3.0).status is Status.UNHEALTHY


def test_a_late_run_is_cancelled_once() -> None:
    engine = serving_engine(check(timeout=2.0))
    run = start_run(engine, 0.0)
    assert engine.due(5.0).cancel == (run,)
    assert engine.due(6.0).cancel == ()


def test_the_result_of_a_late_run_does_not_count() -> None:
    engine = serving_engine(check(timeout=2.0))
    run = start_run(engine, 0.0)
    engine.due(2.0)
    engine.record(run, healthy("at last"), 2.5)
    assert check_status(engine) is Status.UNHEALTHY
    assert state(engine).failures == 1


def test_a_run_that_does_not_end_is_never_started_twice_and_reaches_its_threshold() -> None:
    engine = serving_engine(check(timeout=2.0, retry_interval=1.0, failure_threshold=3))
    run_check(engine, healthy(), 0.0)
    run = start_run(engine, 10.0)
    seen = []
    while check_status(engine) is Status.HEALTHY:
        now = engine.next_wake()
        assert engine.due(now).start == ()
        result = state(engine).result
        assert result is not None
        seen.append((now, result.message))
    assert seen == [
        (12.0, "timed out after 2.0 s"),
        (13.0, "still running after 3.0 s (timeout 2.0 s)"),
        (14.0, "still running after 4.0 s (timeout 2.0 s)"),
    ]
    engine.record(run, healthy(), 14.5)
    assert engine.next_start() == 15.5
    run_check(engine, healthy(), 15.5)
    assert check_status(engine) is Status.HEALTHY


def test_a_run_that_never_ends_keeps_its_check_unhealthy_but_never_stale() -> None:
    engine = serving_engine(check(timeout=2.0))
    start_run(engine, 0.0)
    now = 0.0
    while now < 1000.0:
        now = engine.next_wake()
        assert engine.due(now).start == ()
    (line,) = engine.report(Probe.READINESS, now=now).checks
    assert line.status is Status.UNHEALTHY
    assert line.output == f"still running after {now:.1f} s (timeout 2.0 s)"


def test_the_duration_of_a_result_is_that_of_its_run() -> None:
    engine = serving_engine(check())
    engine.record(start_run(engine, 5.0), healthy(), 5.75)
    assert state(engine).duration == 0.75


def test_a_blocked_loop_makes_a_run_late_whenever_its_function_returned() -> None:
    engine = serving_engine(check(timeout=2.0))
    run = start_run(engine, 0.0)
    engine.record(run, healthy(), 60.0)  # the loop was blocked for a minute
    assert check_status(engine) is Status.UNHEALTHY
    assert state(engine).result == Result(Status.UNHEALTHY, "timed out after 2.0 s")


def test_after_a_stall_a_stale_result_does_not_count() -> None:
    engine = serving_engine(check(interval=1.0, timeout=1.0))
    run_check(engine, healthy(), 0.0)
    assert engine.probe_status(Probe.READINESS).at(3.999) is Status.HEALTHY
    assert engine.probe_status(Probe.READINESS).at(4.0) is Status.UNHEALTHY
    assert engine.probe_status(Probe.LIVENESS).at(1e9) is Status.HEALTHY


# -- abandoned runs


def test_an_abandoned_run_leaves_the_state_of_its_check_which_is_due_at_once() -> None:
    engine = serving_engine(check(failure_threshold=1))
    run_check(engine, healthy(), 0.0)
    run = start_run(engine, 10.0)
    before = state(engine)
    engine.abandon(run)
    assert state(engine) == before
    assert (engine.next_start(), engine.next_deadline()) == (-inf, inf)
    engine.record(run, unhealthy("late"), 10.5)
    assert state(engine) == before
    assert start_run(engine, 11.0) is not run


def test_abandoning_a_run_that_has_ended_changes_nothing() -> None:
    engine = serving_engine(check("a"), check("b"))
    a, b = engine.due(0.0).start
    engine.record(a, healthy(), 0.5)
    engine.remove("b", 0.0)
    for run in (a, b, a):
        engine.abandon(run)
    assert engine.next_start() == 10.5
    assert check_status(engine, now=0.5) is Status.HEALTHY


@no_deadline
@given(checks(), st.lists(statuses, max_size=5), st.integers(0, 40))
def test_due_returns_all_runs_that_are_due(subject: Check, row: list[Status], wait: int) -> None:
    engine = serving_engine(subject)
    now = 0.0
    for status in row:
        due = engine.due(now)
        assert engine.next_wake() > now
        for run in due.start:
            engine.record(run, RESULTS[status], now)
        now += wait / 4


@pytest.mark.parametrize("uptime", [0.0, 1e6, 1e9])
def test_the_shortest_interval_does_not_make_due_spin(uptime: float) -> None:
    engine = new_engine(check(interval=MIN_SECONDS, retry_interval=MIN_SECONDS, timeout=MIN_SECONDS))
    engine.serve(uptime)
    start_run(engine, uptime)
    engine.due(uptime + 1.0)
    assert uptime + 1.0 < engine.next_wake() < uptime + 1.002


# -- callbacks and subscribers


def test_on_change_is_called_after_every_change_of_the_schedule_by_the_app() -> None:
    engine = new_engine()
    wakes: list[float] = []
    engine.on_change(lambda _: wakes.append(engine.next_wake()))
    engine.add(check("a"), 0.0)
    assert wakes[-1] == -inf
    wakes.clear()
    start_run(engine, 0.0)
    engine.remove("a", 0.0)
    assert wakes[-1] == -inf  # a run to cancel


def test_a_run_that_does_not_end_makes_the_transition_of_its_check() -> None:
    engine = serving_engine(check(timeout=2.0, failure_threshold=2))
    received = check_transitions(engine)
    run_check(engine, healthy(), 0.0)
    start_run(engine, 10.0)
    engine.due(12.0)
    engine.due(13.0)
    late = Result(Status.UNHEALTHY, "still running after 3.0 s (timeout 2.0 s)")
    assert received == [
        CheckTransition("a", None, Status.HEALTHY, healthy(), 0.0, 0.0, 0),
        CheckTransition("a", Status.HEALTHY, Status.UNHEALTHY, late, 0.0, 13.0, 2),
    ]
