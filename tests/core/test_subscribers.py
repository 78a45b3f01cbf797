"""Subscribers: the transitions that they receive, and that no behaviour of theirs harms the engine."""

import logging
from asyncio import CancelledError

import pytest

from asgi_health import Result, Status, Transition, degraded, healthy, unhealthy
from asgi_health.core.engine import Engine

from ..support.core_cases import LIFESPAN, check, check_status, run_check, serving_engine, start_run

H, D, U = Status.HEALTHY, Status.DEGRADED, Status.UNHEALTHY


def subscribed(engine: Engine) -> list[Transition]:
    """Return the list to which a new subscriber appends the transitions that it receives."""
    received: list[Transition] = []
    engine.subscribe(received.append)
    return received


def test_a_transition_has_the_statuses_the_result_the_times_and_the_failures() -> None:
    engine = serving_engine(check(failure_threshold=2, success_threshold=2))
    received = subscribed(engine)
    down, slow = unhealthy("down"), degraded("slow")
    for moment, result in enumerate([healthy(), down, down, down, healthy(), slow]):
        run_check(engine, result, 20.0 * moment)
    assert received == [
        Transition("a", None, H, healthy(), 0.0, 0.0, 0),
        Transition("a", H, U, down, 0.0, 40.0, 2),
        Transition("a", U, D, slow, 40.0, 100.0, 3),
    ]


def test_a_first_failure_is_a_transition() -> None:
    engine = serving_engine(check())
    received = subscribed(engine)
    run_check(engine, unhealthy("down"), 7.0)
    assert received == [Transition("a", None, U, unhealthy("down"), 0.0, 7.0, 1)]


def test_a_result_without_a_change_of_the_status_is_no_transition() -> None:
    engine = serving_engine(check())
    received = subscribed(engine)
    for moment, result in enumerate([healthy(), healthy("again"), unhealthy("once"), healthy(), unhealthy("once")]):
        run_check(engine, result, 20.0 * moment)
    assert len(received) == 1


def test_a_transition_has_the_exception_of_a_failure() -> None:
    engine = serving_engine(check())
    received = subscribed(engine)
    error = ValueError("x")
    engine.record(start_run(engine, 0.0), unhealthy("ValueError: x"), 0.5, error)
    assert received[0].error is error


def test_the_transition_of_a_late_failure_has_no_exception() -> None:
    engine = serving_engine(check(timeout=2.0))
    received = subscribed(engine)
    engine.record(start_run(engine, 0.0), unhealthy("ValueError: x"), 2.5, ValueError("x"))
    assert received[0].error is None
    assert received[0].result == Result(U, "timed out after 2.0 s")


def test_removing_a_check_and_a_second_lifespan_are_no_transitions() -> None:
    engine = serving_engine(check())
    run_check(engine, healthy(), 0.0)
    received = subscribed(engine)
    engine.remove("a")
    engine.add(check())
    engine.stop(0.0)
    engine.finish(LIFESPAN)
    engine.start(LIFESPAN, 0.0)
    assert received == []


def test_every_subscriber_is_called_once_in_the_order_of_subscribing() -> None:
    engine = serving_engine(check())
    called: list[str] = []

    def first(_: Transition) -> None:
        called.append("first")

    def second(_: Transition) -> None:
        called.append("second")

    for callback in (first, second, first):
        engine.subscribe(callback)
    run_check(engine, healthy(), 0.0)
    assert called == ["first", "second"]


def test_unsubscribing_ends_the_calls_and_may_be_repeated() -> None:
    engine = serving_engine(check(failure_threshold=1))
    received: list[Transition] = []
    unsubscribe = engine.subscribe(received.append)
    run_check(engine, healthy(), 0.0)
    unsubscribe()
    unsubscribe()
    run_check(engine, unhealthy("x"), 20.0)
    assert [transition.new for transition in received] == [H]


# A plain function cannot be cancelled: it raises CancelledError when it asks a cancelled future for its result.
@pytest.mark.parametrize("error", [ValueError, CancelledError, SystemExit])
def test_a_subscriber_that_raises_is_logged_and_changes_nothing(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    engine = serving_engine(check("a"), check("b", timeout=2.0))

    def broken(_: Transition) -> None:
        raise error("broken subscriber")

    engine.subscribe(broken)
    received = subscribed(engine)
    a, b = engine.due(0.0).start
    with caplog.at_level(logging.ERROR, "asgi_health"):
        engine.record(a, healthy(), 0.5)
        assert engine.due(2.0).cancel == (b,)
    assert [(transition.name, transition.new) for transition in received] == [("a", H), ("b", U)]
    assert (check_status(engine, "a"), check_status(engine, "b")) == (H, U)
    assert [record.getMessage() for record in caplog.records] == [
        "a subscriber failed on the change of check 'a'",
        "a subscriber failed on the change of check 'b'",
    ]
    assert all(record.exc_info and isinstance(record.exc_info[1], error) for record in caplog.records)


def test_a_subscriber_runs_after_the_change_and_may_change_the_engine() -> None:
    engine = serving_engine(check("a"), check("spare"))
    seen: list[Status | None] = []

    def change(transition: Transition) -> None:
        seen.append(check_status(engine, "a"))
        if transition.name == "a":
            engine.remove("spare")
            engine.add(check("fallback"))
            engine.drain(0.0)

    engine.subscribe(change)
    engine.record(engine.due(0.0).start[0], healthy(), 0.5)
    assert seen == [H]
    assert [each.name for each in engine.checks] == ["a", "fallback"]


def test_a_subscriber_may_unsubscribe_while_it_is_called() -> None:
    engine = serving_engine(check(failure_threshold=1))
    received: list[Transition] = []

    def once(transition: Transition) -> None:
        received.append(transition)
        unsubscribe()

    unsubscribe = engine.subscribe(once)
    other = subscribed(engine)
    run_check(engine, healthy(), 0.0)
    run_check(engine, unhealthy("x"), 20.0)
    assert (len(received), len(other)) == (1, 2)


def test_a_subscriber_added_by_another_receives_the_next_transition() -> None:
    engine = serving_engine(check(failure_threshold=1))
    added: list[Transition] = []

    def subscribe_another(_: Transition) -> None:
        engine.subscribe(added.append)

    engine.subscribe(subscribe_another)
    run_check(engine, healthy(), 0.0)
    run_check(engine, unhealthy("x"), 20.0)
    assert [transition.new for transition in added] == [U]
