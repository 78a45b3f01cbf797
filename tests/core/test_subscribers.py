"""Who is told of a change, of what exactly, and that nothing they do harms."""

import logging
from asyncio import CancelledError

import pytest

from asgi_health import Health, Result, Status, Transition, degraded, healthy, unhealthy

from ..support.core_cases import check, finish, serving, standing, start

H, D, U = Status.HEALTHY, Status.DEGRADED, Status.UNHEALTHY


def follow(health: Health) -> list[Transition]:
    told: list[Transition] = []
    health.subscribe(told.append)
    return told


def test_a_transition_says_all_about_a_change() -> None:
    health = serving(check(failure_threshold=2, success_threshold=2))
    told = follow(health)
    down, slow = unhealthy("down"), degraded("slow")
    for moment, result in enumerate([healthy(), down, down, down, healthy(), slow]):
        finish(health, result, 20.0 * moment)
    assert told == [
        Transition("a", None, H, healthy(), 0.0, 0.0, 0),
        Transition("a", H, U, down, 0.0, 40.0, 2),
        Transition("a", U, D, slow, 40.0, 100.0, 3),
    ]


def test_a_first_failure_is_told_too() -> None:
    health = serving(check())
    told = follow(health)
    finish(health, unhealthy("down"), 7.0)
    assert told == [Transition("a", None, U, unhealthy("down"), 0.0, 7.0, 1)]


def test_a_status_that_stays_is_not_told() -> None:
    health = serving(check())
    told = follow(health)
    for moment, result in enumerate([healthy(), healthy("again"), unhealthy("once"), healthy(), unhealthy("once")]):
        finish(health, result, 20.0 * moment)
    assert len(told) == 1


def test_the_exception_behind_a_failure_is_handed_over() -> None:
    health = serving(check())
    told = follow(health)
    error = ValueError("x")
    health.record(start(health, 0.0), unhealthy("ValueError: x"), 0.5, error)
    assert told[0].error is error


def test_a_late_failure_has_no_exception_of_its_own() -> None:
    health = serving(check(timeout=2.0))
    told = follow(health)
    health.record(start(health, 0.0), unhealthy("ValueError: x"), 2.5, ValueError("x"))
    assert told[0].error is None
    assert told[0].result == Result(U, "timed out after 2.0 s")


def test_removed_checks_and_second_lives_are_not_told() -> None:
    health = serving(check())
    finish(health, healthy(), 0.0)
    told = follow(health)
    health.remove("a")
    health.add(check())
    health.stop()
    health.end()
    health.begin()
    assert told == []


def test_every_subscriber_is_told_once_in_order() -> None:
    health = serving(check())
    told: list[str] = []

    def first(_: Transition) -> None:
        told.append("first")

    def second(_: Transition) -> None:
        told.append("second")

    for callback in (first, second, first):
        health.subscribe(callback)
    finish(health, healthy(), 0.0)
    assert told == ["first", "second"]


def test_who_unsubscribes_hears_no_more_and_may_do_so_twice() -> None:
    health = serving(check(failure_threshold=1))
    told: list[Transition] = []
    end = health.subscribe(told.append)
    finish(health, healthy(), 0.0)
    end()
    end()
    finish(health, unhealthy("x"), 20.0)
    assert [transition.new for transition in told] == [H]


# A plain function is not what is cancelled: a CancelledError out of it is that of a future into which it looked.
@pytest.mark.parametrize("error", [ValueError, CancelledError, SystemExit])
def test_a_subscriber_that_raises_is_logged_and_changes_nothing(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    health = serving(check("a"), check("b", timeout=2.0))

    def broken(_: Transition) -> None:
        raise error("broken subscriber")

    health.subscribe(broken)
    told = follow(health)
    a, b = health.due(0.0).start
    with caplog.at_level(logging.ERROR, "asgi_health"):
        health.record(a, healthy(), 0.5)
        assert health.due(2.0).cancel == (b,)
    assert [(transition.name, transition.new) for transition in told] == [("a", H), ("b", U)]
    assert (standing(health, "a"), standing(health, "b")) == (H, U)
    assert [record.getMessage() for record in caplog.records] == [
        "a subscriber failed on the change of check 'a'",
        "a subscriber failed on the change of check 'b'",
    ]
    assert all(record.exc_info and isinstance(record.exc_info[1], error) for record in caplog.records)


def test_a_subscriber_sees_the_change_done_and_may_change_things_itself() -> None:
    health = serving(check("a"), check("spare"))
    seen: list[Status | None] = []

    def act(transition: Transition) -> None:
        seen.append(standing(health, "a"))
        if transition.name == "a":
            health.remove("spare")
            health.add(check("fallback"))
            health.drain()

    health.subscribe(act)
    health.record(health.due(0.0).start[0], healthy(), 0.5)
    assert seen == [H]
    assert [each.name for each in health.checks] == ["a", "fallback"]


def test_a_subscriber_may_leave_while_it_is_told() -> None:
    health = serving(check(failure_threshold=1))
    told: list[Transition] = []

    def once(transition: Transition) -> None:
        told.append(transition)
        leave()

    leave = health.subscribe(once)
    others = follow(health)
    finish(health, healthy(), 0.0)
    finish(health, unhealthy("x"), 20.0)
    assert (len(told), len(others)) == (1, 2)


def test_who_subscribes_while_others_are_told_hears_of_the_next_change() -> None:
    health = serving(check(failure_threshold=1))
    late: list[Transition] = []

    def bring_another(_: Transition) -> None:
        health.subscribe(late.append)

    health.subscribe(bring_another)
    finish(health, healthy(), 0.0)
    finish(health, unhealthy("x"), 20.0)
    assert [transition.new for transition in late] == [U]
