"""Who is told of a change, of what exactly, and that nothing they do harms."""

import logging
from asyncio import CancelledError

import pytest

from asgi_health import Result, Status, Transition, degraded, healthy, unhealthy
from asgi_health.core.engine import Engine

from ..support.core_cases import LIFESPAN, check, check_status, run_check, serving_engine, start_run

H, D, U = Status.HEALTHY, Status.DEGRADED, Status.UNHEALTHY


def follow(engine: Engine) -> list[Transition]:
    told: list[Transition] = []
    engine.subscribe(told.append)
    return told


def test_a_transition_says_all_about_a_change() -> None:
    engine = serving_engine(check(failure_threshold=2, success_threshold=2))
    told = follow(engine)
    down, slow = unhealthy("down"), degraded("slow")
    for moment, result in enumerate([healthy(), down, down, down, healthy(), slow]):
        run_check(engine, result, 20.0 * moment)
    assert told == [
        Transition("a", None, H, healthy(), 0.0, 0.0, 0),
        Transition("a", H, U, down, 0.0, 40.0, 2),
        Transition("a", U, D, slow, 40.0, 100.0, 3),
    ]


def test_a_first_failure_is_told_too() -> None:
    engine = serving_engine(check())
    told = follow(engine)
    run_check(engine, unhealthy("down"), 7.0)
    assert told == [Transition("a", None, U, unhealthy("down"), 0.0, 7.0, 1)]


def test_a_status_that_stays_is_not_told() -> None:
    engine = serving_engine(check())
    told = follow(engine)
    for moment, result in enumerate([healthy(), healthy("again"), unhealthy("once"), healthy(), unhealthy("once")]):
        run_check(engine, result, 20.0 * moment)
    assert len(told) == 1


def test_the_exception_behind_a_failure_is_handed_over() -> None:
    engine = serving_engine(check())
    told = follow(engine)
    error = ValueError("x")
    engine.record(start_run(engine, 0.0), unhealthy("ValueError: x"), 0.5, error)
    assert told[0].error is error


def test_a_late_failure_has_no_exception_of_its_own() -> None:
    engine = serving_engine(check(timeout=2.0))
    told = follow(engine)
    engine.record(start_run(engine, 0.0), unhealthy("ValueError: x"), 2.5, ValueError("x"))
    assert told[0].error is None
    assert told[0].result == Result(U, "timed out after 2.0 s")


def test_removed_checks_and_second_lives_are_not_told() -> None:
    engine = serving_engine(check())
    run_check(engine, healthy(), 0.0)
    told = follow(engine)
    engine.remove("a")
    engine.add(check())
    engine.stop(0.0)
    engine.finish(LIFESPAN)
    engine.start(LIFESPAN, 0.0)
    assert told == []


def test_every_subscriber_is_told_once_in_order() -> None:
    engine = serving_engine(check())
    told: list[str] = []

    def first(_: Transition) -> None:
        told.append("first")

    def second(_: Transition) -> None:
        told.append("second")

    for callback in (first, second, first):
        engine.subscribe(callback)
    run_check(engine, healthy(), 0.0)
    assert told == ["first", "second"]


def test_who_unsubscribes_hears_no_more_and_may_do_so_twice() -> None:
    engine = serving_engine(check(failure_threshold=1))
    told: list[Transition] = []
    end = engine.subscribe(told.append)
    run_check(engine, healthy(), 0.0)
    end()
    end()
    run_check(engine, unhealthy("x"), 20.0)
    assert [transition.new for transition in told] == [H]


# A plain function is not what is cancelled: a CancelledError out of it is that of a future into which it looked.
@pytest.mark.parametrize("error", [ValueError, CancelledError, SystemExit])
def test_a_subscriber_that_raises_is_logged_and_changes_nothing(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    engine = serving_engine(check("a"), check("b", timeout=2.0))

    def broken(_: Transition) -> None:
        raise error("broken subscriber")

    engine.subscribe(broken)
    told = follow(engine)
    a, b = engine.due(0.0).start
    with caplog.at_level(logging.ERROR, "asgi_health"):
        engine.record(a, healthy(), 0.5)
        assert engine.due(2.0).cancel == (b,)
    assert [(transition.name, transition.new) for transition in told] == [("a", H), ("b", U)]
    assert (check_status(engine, "a"), check_status(engine, "b")) == (H, U)
    assert [record.getMessage() for record in caplog.records] == [
        "a subscriber failed on the change of check 'a'",
        "a subscriber failed on the change of check 'b'",
    ]
    assert all(record.exc_info and isinstance(record.exc_info[1], error) for record in caplog.records)


def test_a_subscriber_sees_the_change_done_and_may_change_things_itself() -> None:
    engine = serving_engine(check("a"), check("spare"))
    seen: list[Status | None] = []

    def act(transition: Transition) -> None:
        seen.append(check_status(engine, "a"))
        if transition.name == "a":
            engine.remove("spare")
            engine.add(check("fallback"))
            engine.drain(0.0)

    engine.subscribe(act)
    engine.record(engine.due(0.0).start[0], healthy(), 0.5)
    assert seen == [H]
    assert [each.name for each in engine.checks] == ["a", "fallback"]


def test_a_subscriber_may_leave_while_it_is_told() -> None:
    engine = serving_engine(check(failure_threshold=1))
    told: list[Transition] = []

    def once(transition: Transition) -> None:
        told.append(transition)
        leave()

    leave = engine.subscribe(once)
    others = follow(engine)
    run_check(engine, healthy(), 0.0)
    run_check(engine, unhealthy("x"), 20.0)
    assert (len(told), len(others)) == (1, 2)


def test_who_subscribes_while_others_are_told_hears_of_the_next_change() -> None:
    engine = serving_engine(check(failure_threshold=1))
    late: list[Transition] = []

    def bring_another(_: Transition) -> None:
        engine.subscribe(late.append)

    engine.subscribe(bring_another)
    run_check(engine, healthy(), 0.0)
    run_check(engine, unhealthy("x"), 20.0)
    assert [transition.new for transition in late] == [U]
