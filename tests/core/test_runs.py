"""What is due, what is late, and what does not end."""

from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_health import Health, Probe, Result, Status, Transition, healthy, unhealthy
from asgi_health.core.engine import Engine
from asgi_health.core.schedule import DueRuns
from asgi_health.core.state import CheckState
from asgi_health.core.validate import MIN_SECONDS

from ..support.core_cases import (
    RESULTS,
    check,
    check_status,
    checks,
    new_engine,
    no_deadline,
    passing,
    refused,
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


def test_at_most_so_many_start_and_the_others_stay_due() -> None:
    engine = serving_engine(*map(check, "abcde"))
    started = []
    while (due := engine.due(0.0, at_most=2)).start:
        assert len(due.start) <= 2
        started += [run.check.name for run in due.start]
        assert (engine.next_wake() <= 0.0) == (len(started) < 5)
    assert sorted(started) == list("abcde")


def test_at_most_none_only_looks_at_the_deadlines() -> None:
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


def test_a_failing_dependency_is_asked_less_and_less_often() -> None:
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


def test_a_startup_check_stops_after_it_was_healthy() -> None:
    engine = serving_engine(check(probes=(Probe.STARTUP,)))
    for moment, status in enumerate((Status.UNHEALTHY, Status.DEGRADED, Status.UNHEALTHY, Status.HEALTHY)):
        now = max(engine.next_start(), float(moment))
        run_check(engine, RESULTS[status], now)
    assert engine.next_wake() == inf
    assert engine.due(1e9) == NOTHING


def test_a_startup_check_that_counts_for_more_goes_on() -> None:
    engine = serving_engine(check(probes=(Probe.STARTUP, Probe.READINESS)))
    run_check(engine, healthy(), 0.0)
    assert engine.next_start() == 10.0


# -- deadlines


def test_the_failure_is_published_at_the_deadline_whether_or_not_the_run_has_ended() -> None:
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


def test_what_a_late_run_says_in_the_end_does_not_count() -> None:
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


def test_a_stalled_loop_makes_a_run_late_however_early_its_function_was_done() -> None:
    engine = serving_engine(check(timeout=2.0))
    run = start_run(engine, 0.0)
    engine.record(run, healthy(), 60.0)  # nothing was processed for a minute
    assert check_status(engine) is Status.UNHEALTHY
    assert state(engine).result == Result(Status.UNHEALTHY, "timed out after 2.0 s")


def test_a_stall_makes_the_first_look_red_not_green_on_old_evidence() -> None:
    engine = serving_engine(check(interval=1.0, timeout=1.0))
    run_check(engine, healthy(), 0.0)
    assert engine.probe_status(Probe.READINESS).at(3.999) is Status.HEALTHY
    assert engine.probe_status(Probe.READINESS).at(4.0) is Status.UNHEALTHY
    assert engine.probe_status(Probe.LIVENESS).at(1e9) is Status.HEALTHY


# -- runs that were given up


def test_a_run_that_was_given_up_says_nothing_about_its_check_which_is_due_at_once() -> None:
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


def test_giving_up_what_is_over_changes_nothing() -> None:
    engine = serving_engine(check("a"), check("b"))
    a, b = engine.due(0.0).start
    engine.record(a, healthy(), 0.5)
    engine.remove("b")
    for run in (a, b, a):
        engine.abandon(run)
    assert engine.next_start() == 10.5
    assert check_status(engine, now=0.5) is Status.HEALTHY


@no_deadline
@given(checks(), st.lists(statuses, max_size=5), st.integers(0, 40))
def test_due_leaves_nothing_that_is_due(subject: object, row: list[Status], wait: int) -> None:
    engine = serving_engine(subject)  # type: ignore[arg-type]
    now = 0.0
    for status in row:
        due = engine.due(now)
        assert engine.next_wake() > now
        for run in due.start:
            engine.record(run, RESULTS[status], now)
        now += wait / 4


@pytest.mark.parametrize("uptime", [0.0, 1e6, 1e9])
def test_the_shortest_interval_does_not_make_due_spin(uptime: float) -> None:
    engine = Health([check(interval=MIN_SECONDS, retry_interval=MIN_SECONDS, timeout=MIN_SECONDS)], **still(uptime))
    engine.serve(0.0)
    start_run(engine, uptime)
    engine.due(uptime + 1.0)
    assert uptime + 1.0 < engine.next_wake() < uptime + 1.002


# -- who is told


def test_watchers_hear_of_every_change_of_the_schedule_from_outside() -> None:
    engine = new_engine()
    heard: list[float] = []
    engine.on_change(lambda: heard.append(engine.next_wake()))
    engine.add(check("a"))
    assert heard[-1] == -inf
    heard.clear()
    start_run(engine, 0.0)
    engine.remove("a")
    assert heard[-1] == -inf  # a run to cancel


def test_subscribers_are_told_of_a_deadline_and_of_an_overrun() -> None:
    engine = serving_engine(check(timeout=2.0, failure_threshold=2))
    told: list[Transition] = []
    engine.subscribe(told.append)
    run_check(engine, healthy(), 0.0)
    start_run(engine, 10.0)
    engine.due(12.0)
    engine.due(13.0)
    late = Result(Status.UNHEALTHY, "still running after 3.0 s (timeout 2.0 s)")
    assert told == [
        Transition("a", None, Status.HEALTHY, healthy(), 0.0, 0.0, 0),
        Transition("a", Status.HEALTHY, Status.UNHEALTHY, late, 0.0, 13.0, 2),
    ]


def test_a_configuration_is_checked_by_whoever_adds_it() -> None:
    engine = serving_engine()
    with refused(ValueError, "check 'a': timeout ", "0"):
        engine.check("a", timeout=0)(passing)
    assert engine.checks == ()
