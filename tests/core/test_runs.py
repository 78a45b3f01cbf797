"""What is due, what is late, and what does not end."""

from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_health import Health, Probe, Result, Status, Transition, healthy, unhealthy
from asgi_health.core.schedule import Orders
from asgi_health.core.state import CheckState
from asgi_health.core.validate import SHORTEST

from ..support.core_cases import (
    RESULTS,
    check,
    checks,
    finish,
    passing,
    patient,
    refused,
    serving,
    standing,
    start,
    statuses,
    still,
)

NOTHING = Orders((), ())


def state(health: Health) -> CheckState:
    return health.report_check("a", now=0.0).checks[0].state


def test_all_checks_are_due_at_once_and_each_starts_once() -> None:
    health = serving(*map(check, "abc"))
    orders = health.due(5.0)
    assert [run.check.name for run in orders.start] == ["a", "b", "c"]
    assert {run.started for run in orders.start} == {5.0}
    assert health.due(5.0) == NOTHING


def test_at_most_so_many_start_and_the_others_stay_due() -> None:
    health = serving(*map(check, "abcde"))
    started = []
    while (orders := health.due(0.0, at_most=2)).start:
        assert len(orders.start) <= 2
        started += [run.check.name for run in orders.start]
        assert (health.next_wake() <= 0.0) == (len(started) < 5)
    assert sorted(started) == list("abcde")


def test_at_most_none_only_looks_at_the_deadlines() -> None:
    health = serving(check("a", timeout=2.0), check("b"))
    (a,) = health.due(0.0, at_most=1).start
    orders = health.due(2.0, at_most=0)
    assert orders == Orders((), (a,))
    assert health.next_due() == -inf


def test_the_pause_counts_from_the_end_of_a_run() -> None:
    health = serving(check(interval=10.0, timeout=5.0))
    run = start(health, 0.0)
    assert health.next_due() == inf
    health.record(run, healthy(), 4.0)
    assert health.next_due() == health.next_wake() == 14.0
    assert health.due(13.999) == NOTHING
    assert start(health, 14.0).started == 14.0


@pytest.mark.parametrize(("random", "due"), [(0.0, 9.0), (0.5, 10.0), (0.75, 10.5)])
def test_every_pause_has_jitter(random: float, due: float) -> None:
    health = Health([check(interval=10.0)], clock=lambda: 0.0, random=lambda: random)
    finish(health, healthy(), 0.0)
    assert health.next_due() == pytest.approx(due)


def test_a_failing_dependency_is_asked_less_and_less_often() -> None:
    health = serving(check(interval=10.0, retry_interval=1.0, failure_threshold=3))
    finish(health, healthy(), 0.0)
    ends = [health.next_due()]
    for _ in range(8):
        finish(health, unhealthy("down"), ends[-1])
        ends.append(health.next_due())
    pauses = [after - before for before, after in pairwise(ends)]
    assert pauses == pytest.approx([1.0, 1.0, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0])
    finish(health, healthy(), ends[-1])
    assert health.next_due() - ends[-1] == pytest.approx(10.0)


def test_a_startup_check_stops_after_it_was_healthy() -> None:
    health = serving(check(probes=(Probe.STARTUP,)))
    for moment, status in enumerate((Status.UNHEALTHY, Status.DEGRADED, Status.UNHEALTHY, Status.HEALTHY)):
        now = max(health.next_due(), float(moment))
        finish(health, RESULTS[status], now)
    assert health.next_wake() == inf
    assert health.due(1e9) == NOTHING


def test_a_startup_check_that_counts_for_more_goes_on() -> None:
    health = serving(check(probes=(Probe.STARTUP, Probe.READINESS)))
    finish(health, healthy(), 0.0)
    assert health.next_due() == 10.0


# -- deadlines


def test_the_failure_is_published_at_the_deadline_whether_or_not_the_run_has_ended() -> None:
    health = serving(check(timeout=2.0))
    run = start(health, 1.0)
    assert health.next_deadline() == health.next_wake() == 3.0
    assert health.due(2.999) == NOTHING
    assert health.due(3.0) == Orders((), (run,))
    assert run.expired
    assert state(health).result == Result(Status.UNHEALTHY, "timed out after 2.0 s")
    assert state(health).time == 3.0
    assert health.report(Probe.READINESS, now=3.0).status is Status.UNHEALTHY


def test_a_late_run_is_cancelled_once() -> None:
    health = serving(check(timeout=2.0))
    run = start(health, 0.0)
    assert health.due(5.0).cancel == (run,)
    assert health.due(6.0).cancel == ()


def test_what_a_late_run_says_in_the_end_does_not_count() -> None:
    health = serving(check(timeout=2.0))
    run = start(health, 0.0)
    health.due(2.0)
    health.record(run, healthy("at last"), 2.5)
    assert standing(health) is Status.UNHEALTHY
    assert state(health).failures == 1


def test_a_run_that_does_not_end_is_never_started_twice_and_reaches_its_threshold() -> None:
    health = serving(check(timeout=2.0, retry_interval=1.0, failure_threshold=3))
    finish(health, healthy(), 0.0)
    run = start(health, 10.0)
    seen = []
    while standing(health) is Status.HEALTHY:
        now = health.next_wake()
        assert health.due(now).start == ()
        result = state(health).result
        assert result is not None
        seen.append((now, result.message))
    assert seen == [
        (12.0, "timed out after 2.0 s"),
        (13.0, "still running after 3.0 s (timeout 2.0 s)"),
        (14.0, "still running after 4.0 s (timeout 2.0 s)"),
    ]
    health.record(run, healthy(), 14.5)
    assert health.next_due() == 15.5
    finish(health, healthy(), 15.5)
    assert standing(health) is Status.HEALTHY


def test_a_run_that_never_ends_keeps_its_check_unhealthy_but_never_stale() -> None:
    health = serving(check(timeout=2.0))
    start(health, 0.0)
    now = 0.0
    while now < 1000.0:
        now = health.next_wake()
        assert health.due(now).start == ()
    (line,) = health.report(Probe.READINESS, now=now).checks
    assert line.status is Status.UNHEALTHY
    assert line.output == f"still running after {now:.1f} s (timeout 2.0 s)"


def test_the_duration_of_a_result_is_that_of_its_run() -> None:
    health = serving(check())
    health.record(start(health, 5.0), healthy(), 5.75)
    assert state(health).duration == 0.75


def test_a_stalled_loop_makes_a_run_late_however_early_its_function_was_done() -> None:
    health = serving(check(timeout=2.0))
    run = start(health, 0.0)
    health.record(run, healthy(), 60.0)  # nothing was processed for a minute
    assert standing(health) is Status.UNHEALTHY
    assert state(health).result == Result(Status.UNHEALTHY, "timed out after 2.0 s")


def test_a_stall_makes_the_first_look_red_not_green_on_old_evidence() -> None:
    health = serving(check(interval=1.0, timeout=1.0))
    finish(health, healthy(), 0.0)
    assert health.outlook(Probe.READINESS).at(3.999) is Status.HEALTHY
    assert health.outlook(Probe.READINESS).at(4.0) is Status.UNHEALTHY
    assert health.outlook(Probe.LIVENESS).at(1e9) is Status.HEALTHY


# -- runs that were given up


def test_a_run_that_was_given_up_says_nothing_about_its_check_which_is_due_at_once() -> None:
    health = serving(check(failure_threshold=1))
    finish(health, healthy(), 0.0)
    run = start(health, 10.0)
    before = state(health)
    health.abandon(run)
    assert state(health) == before
    assert (health.next_due(), health.next_deadline()) == (-inf, inf)
    health.record(run, unhealthy("late"), 10.5)
    assert state(health) == before
    assert start(health, 11.0) is not run


def test_giving_up_what_is_over_changes_nothing() -> None:
    health = serving(check("a"), check("b"))
    a, b = health.due(0.0).start
    health.record(a, healthy(), 0.5)
    health.remove("b")
    for run in (a, b, a):
        health.abandon(run)
    assert health.next_due() == 10.5
    assert standing(health, now=0.5) is Status.HEALTHY


@patient
@given(checks(), st.lists(statuses, max_size=5), st.integers(0, 40))
def test_due_leaves_nothing_that_is_due(subject: object, row: list[Status], wait: int) -> None:
    health = serving(subject)  # type: ignore[arg-type]
    now = 0.0
    for status in row:
        orders = health.due(now)
        assert health.next_wake() > now
        for run in orders.start:
            health.record(run, RESULTS[status], now)
        now += wait / 4


@pytest.mark.parametrize("uptime", [0.0, 1e6, 1e9])
def test_the_shortest_interval_does_not_make_due_spin(uptime: float) -> None:
    health = Health([check(interval=SHORTEST, retry_interval=SHORTEST, timeout=SHORTEST)], **still(uptime))
    health.serve()
    start(health, uptime)
    health.due(uptime + 1.0)
    assert uptime + 1.0 < health.next_wake() < uptime + 1.002


# -- who is told


def test_watchers_hear_of_every_change_of_the_schedule_from_outside() -> None:
    health = Health(**still())
    heard: list[float] = []
    health.watch(lambda: heard.append(health.next_wake()))
    health.add(check("a"))
    assert heard[-1] == -inf
    heard.clear()
    start(health, 0.0)
    health.remove("a")
    assert heard[-1] == -inf  # a run to cancel


def test_subscribers_are_told_of_a_deadline_and_of_an_overrun() -> None:
    health = serving(check(timeout=2.0, failure_threshold=2))
    told: list[Transition] = []
    health.subscribe(told.append)
    finish(health, healthy(), 0.0)
    start(health, 10.0)
    health.due(12.0)
    health.due(13.0)
    late = Result(Status.UNHEALTHY, "still running after 3.0 s (timeout 2.0 s)")
    assert told == [
        Transition("a", None, Status.HEALTHY, healthy(), 0.0, 0.0, 0),
        Transition("a", Status.HEALTHY, Status.UNHEALTHY, late, 0.0, 13.0, 2),
    ]


def test_a_configuration_is_checked_by_whoever_adds_it() -> None:
    health = serving()
    with refused(ValueError, "check 'a': timeout ", "0"):
        health.check("a", timeout=0)(passing)
    assert health.checks == ()
