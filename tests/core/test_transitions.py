"""The transitions of checks and probes: what they say, when they are passed on, and in which order."""

from collections.abc import Callable
from math import inf

import pytest

from asgi_health import (
    Check,
    CheckTransition,
    Probe,
    ProbeTransition,
    Result,
    Status,
    Transition,
    degraded,
    healthy,
    unhealthy,
)
from asgi_health.core.engine import Engine
from asgi_health.core.schedule import Run

from ..support.core_cases import (
    LIFESPAN,
    check,
    check_transitions,
    new_engine,
    run_check,
    serving_engine,
    start_run,
)

H, D, U = Status.HEALTHY, Status.DEGRADED, Status.UNHEALTHY


def of_probe(engine: Engine, probe: Probe = Probe.READINESS) -> list[ProbeTransition]:
    """Return the list to which the later transitions of `probe` are appended."""
    received: list[ProbeTransition] = []

    def receive(transition: Transition) -> None:
        if isinstance(transition, ProbeTransition) and transition.probe is probe:
            received.append(transition)

    engine.on_transition(receive)
    return received


# -- of checks


def test_a_transition_of_a_check_has_the_statuses_the_result_the_times_and_the_failures() -> None:
    engine = serving_engine(check(failure_threshold=2, success_threshold=2))
    received = check_transitions(engine)
    down, slow = unhealthy("down"), degraded("slow")
    for moment, result in enumerate([healthy(), down, down, down, healthy(), slow]):
        run_check(engine, result, 20.0 * moment)
    assert received == [
        CheckTransition("a", None, H, healthy(), 0.0, 0.0, 0),
        CheckTransition("a", H, U, down, 0.0, 40.0, 2),
        CheckTransition("a", U, D, slow, 40.0, 100.0, 3),
    ]


def test_a_first_failure_is_a_transition() -> None:
    engine = serving_engine(check())
    received = check_transitions(engine)
    run_check(engine, unhealthy("down"), 7.0)
    assert received == [CheckTransition("a", None, U, unhealthy("down"), 0.0, 7.0, 1)]


def test_a_result_without_a_change_of_the_status_is_no_transition() -> None:
    engine = serving_engine(check())
    received = check_transitions(engine)
    for moment, result in enumerate([healthy(), healthy("again"), unhealthy("once"), healthy(), unhealthy("once")]):
        run_check(engine, result, 20.0 * moment)
    assert len(received) == 1


def test_a_transition_has_the_exception_of_a_failure() -> None:
    engine = serving_engine(check())
    received = check_transitions(engine)
    error = ValueError("x")
    engine.record(start_run(engine, 0.0), unhealthy("ValueError: x"), 0.5, error)
    assert received[0].error is error


def test_the_transition_of_a_late_failure_has_no_exception() -> None:
    engine = serving_engine(check(timeout=2.0))
    received = check_transitions(engine)
    engine.record(start_run(engine, 0.0), unhealthy("ValueError: x"), 2.5, ValueError("x"))
    assert received[0].error is None
    assert received[0].result == Result(U, "timed out after 2.0 s")


@pytest.mark.parametrize("how", ["removed", "restarted"])
def test_a_check_that_is_removed_or_starts_again_turns_to_no_status(how: str) -> None:
    engine = serving_engine(check())
    run_check(engine, unhealthy("down"), 3.0)
    received = check_transitions(engine)
    if how == "removed":
        engine.remove("a", 7.0)
    else:
        engine.start(LIFESPAN, 7.0)
    assert received == [CheckTransition("a", U, None, None, 3.0, 7.0, 0)]


def test_a_check_without_a_result_turns_to_nothing_when_it_is_removed() -> None:
    engine = serving_engine(check())
    received = check_transitions(engine)
    engine.remove("a", 7.0)
    assert received == []


# -- of probes


def test_a_check_turns_its_probes_after_its_own_transition() -> None:
    engine = serving_engine(check(failure_threshold=1))
    run_check(engine, healthy(), 0.0)
    received: list[Transition] = []
    engine.on_transition(received.append)
    run_check(engine, unhealthy("down"), 20.0)
    first, *others = received
    assert isinstance(first, CheckTransition)
    assert others == [
        ProbeTransition(Probe.READINESS, H, U, "check", ("a",), 0.0, 20.0),
        ProbeTransition(Probe.HEALTH, H, U, "check", ("a",), 0.0, 20.0),
    ]


def test_a_second_failing_check_makes_no_second_transition_of_the_probe() -> None:
    engine = serving_engine(check("a"), check("b"))
    received = of_probe(engine)
    for run in engine.due(0.0).start:
        engine.record(run, unhealthy("down"), 0.0)
    assert received == [ProbeTransition(Probe.READINESS, U, U, "check", ("a",), 0.0, 0.0)]


def test_the_start_of_an_app_without_checks_has_the_cause_started() -> None:
    engine = new_engine()
    received = of_probe(engine)
    engine.start(LIFESPAN, 1.0)
    assert received == []  # it was starting before
    engine.serve(2.0)
    assert received == [ProbeTransition(Probe.READINESS, U, H, "started", (), 1.0, 2.0)]


def test_first_results_end_the_start() -> None:
    engine = serving_engine(check())
    received = of_probe(engine)
    run_check(engine, degraded("slow"), 3.0)
    assert received == [ProbeTransition(Probe.READINESS, U, D, "started", ("a",), 0.0, 3.0)]


def test_a_first_failure_replaces_the_start_as_the_reason() -> None:
    engine = serving_engine(check())
    received = of_probe(engine)
    run_check(engine, unhealthy("down"), 3.0)
    run_check(engine, healthy(), 30.0)
    assert [(each.old, each.new, each.cause, each.checks) for each in received] == [
        (U, U, "check", ("a",)),
        (U, H, "check", ()),
    ]


def test_a_startup_check_names_itself_as_the_reason_of_readiness() -> None:
    engine = new_engine(check("migrations", probes=(Probe.STARTUP,)))
    received = of_probe(engine)
    engine.serve(0.0)
    run_check(engine, unhealthy("pending"), 1.0)
    run_check(engine, healthy(), 30.0)
    assert [(each.old, each.new, each.cause, each.checks) for each in received] == [
        (U, U, "check", ("migrations",)),
        (U, H, "check", ()),
    ]


def test_an_optional_check_degrades_and_a_critical_one_makes_unhealthy() -> None:
    engine = serving_engine(check("a", critical=False, failure_threshold=1), check("b", failure_threshold=2))
    received = of_probe(engine)
    for moment, result in ((0.0, healthy()), (20.0, unhealthy("down")), (40.0, unhealthy("down"))):
        for run in engine.due(moment).start:
            engine.record(run, result, moment)
    assert [(each.old, each.new, each.checks) for each in received[1:]] == [(H, D, ("a",)), (D, U, ("b",))]


def test_a_drain_turns_readiness_and_names_no_check() -> None:
    engine = serving_engine()
    received = of_probe(engine)
    engine.set_temporary_drain(True, 5.0)
    engine.set_temporary_drain(False, 9.0)
    assert received == [
        ProbeTransition(Probe.READINESS, H, U, "draining", (), 0.0, 5.0),
        ProbeTransition(Probe.READINESS, U, H, "draining", (), 5.0, 9.0),
    ]


def test_a_drain_and_the_stop_are_transitions_although_a_check_has_failed() -> None:
    engine = serving_engine(check())
    run_check(engine, unhealthy("down"), 0.0)
    received = of_probe(engine)
    engine.drain(5.0)
    engine.stop(9.0)
    assert [(each.old, each.new, each.cause, each.since, each.at) for each in received] == [
        (U, U, "draining", 0.0, 5.0),
        (U, U, "stopped", 5.0, 9.0),
    ]


def test_neither_a_drain_nor_the_stop_turns_liveness_or_startup() -> None:
    engine = serving_engine()
    liveness, startup = of_probe(engine, Probe.LIVENESS), of_probe(engine, Probe.STARTUP)
    engine.drain(5.0)
    engine.stop(9.0)
    assert liveness == startup == []


def test_a_second_lifespan_starts_again() -> None:
    engine = serving_engine()
    engine.stop(5.0)
    engine.finish(LIFESPAN)
    received = of_probe(engine)
    engine.start(LIFESPAN, 7.0)
    engine.serve(8.0)
    assert [(each.old, each.new, each.cause, each.at) for each in received] == [
        (U, U, "starting", 7.0),
        (U, H, "started", 8.0),
    ]


# -- by age


def aging_engine() -> Engine:
    engine = serving_engine(
        Check("optional", lambda: None, critical=False, interval=2.0, timeout=1.0, max_age=5.0),
        Check("critical", lambda: None, interval=2.0, timeout=1.0, max_age=8.0),
    )
    for run in engine.due(0.0).start:
        engine.record(run, healthy(), 0.0)
    return engine


def test_results_that_grow_stale_turn_the_probe_and_name_their_checks() -> None:
    engine = aging_engine()
    received = of_probe(engine)
    assert engine.next_decay == 5.0
    engine.pass_on_decay(4.9)
    assert received == []
    engine.pass_on_decay(5.0)
    assert engine.next_decay == 8.0
    engine.pass_on_decay(8.0)
    assert received == [
        ProbeTransition(Probe.READINESS, H, D, "stale", ("optional",), 0.0, 5.0),
        ProbeTransition(Probe.READINESS, D, U, "stale", ("critical",), 5.0, 8.0),
    ]
    assert engine.next_decay == inf


def test_the_schedule_wakes_when_a_result_grows_stale_and_not_again() -> None:
    engine = aging_engine()
    engine.due(2.0)
    engine.due(3.0)  # both runs are late, and do not end
    assert engine.next_wake() <= 5.0


def test_a_decay_that_is_noticed_late_has_begun_when_it_happened() -> None:
    engine = aging_engine()
    received = of_probe(engine)
    engine.pass_on_decay(100.0)
    assert [(each.new, each.cause, each.at) for each in received] == [(U, "stale", 8.0)]


def test_a_result_ends_the_decay() -> None:
    engine = aging_engine()
    engine.pass_on_decay(6.0)
    received = of_probe(engine)
    for run in engine.due(6.0).start:
        engine.record(run, healthy(), 6.5)
    assert [(each.old, each.new, each.cause, each.at) for each in received] == [(D, H, "stale", 6.5)]


def bring_a_result(engine: Engine) -> None:
    for run in engine.due(100.0).start:
        engine.record(run, healthy(), 100.0)


@pytest.mark.parametrize(
    "change",
    [
        bring_a_result,
        lambda engine: engine.drain(100.0),
        lambda engine: engine.set_temporary_drain(True, 100.0),
        lambda engine: engine.set_stalled(frozenset(Probe), 100.0),
        lambda engine: engine.stop(100.0),
        lambda engine: engine.remove("critical", 100.0),
        lambda engine: engine.start(object(), 100.0),
    ],
    ids=["result", "drain", "drain file", "stall", "stop", "removal", "lifespan"],
)
def test_a_decay_that_another_change_finds_is_not_lost(change: Callable[[Engine], object]) -> None:
    engine = aging_engine()
    received = of_probe(engine)
    change(engine)
    assert (received[0].new, received[0].cause, received[0].at) == (U, "stale", 8.0)
    assert {each.at for each in received[1:]} == {100.0}


CHANGES: dict[str, Callable[[Engine, Run], object]] = {
    "result": lambda engine, run: engine.record(run, healthy(), 8.5),
    "failure": lambda engine, run: engine.record(run, unhealthy("down"), 8.5),
    "schedule": lambda engine, run: engine.due(8.5),
    "drain": lambda engine, run: engine.drain(8.5),
    "drain file": lambda engine, run: engine.set_temporary_drain(True, 8.5),
    "stall": lambda engine, run: engine.set_stalled(frozenset({Probe.READINESS}), 8.5),
    "added check": lambda engine, run: engine.add(check("new"), 8.5),
    "removed check": lambda engine, run: engine.remove("a", 8.5),
    "stop": lambda engine, run: engine.stop(8.5),
    "second lifespan": lambda engine, run: engine.start(object(), 8.5),
}


@pytest.mark.parametrize("change", CHANGES)
def test_no_change_hides_a_decay_before_it(change: str) -> None:
    """A blocked loop notices neither the decay nor the change before it runs again."""
    engine = serving_engine(check("a", interval=2.0, timeout=1.0, max_age=8.0))
    run_check(engine, healthy(), 0.0)
    run = start_run(engine, 7.75)
    received: list[Transition] = []
    engine.on_transition(received.append)
    CHANGES[change](engine, run)
    assert received[:2] == [
        ProbeTransition(Probe.READINESS, H, U, "stale", ("a",), 0.0, 8.0),
        ProbeTransition(Probe.HEALTH, H, U, "stale", ("a",), 0.0, 8.0),
    ]


# -- in time


def test_a_moment_that_another_thread_has_overtaken_does_not_go_back() -> None:
    """Each thread reads the clock before it waits for the lock."""
    engine = serving_engine()
    received = of_probe(engine)
    engine.set_temporary_drain(True, 5.0)
    engine.set_temporary_drain(False, 4.0)
    engine.drain(3.0)
    assert [(each.since, each.at) for each in received] == [(0.0, 5.0), (5.0, 5.0), (5.0, 5.0)]


def test_a_lifespan_on_a_clock_that_begins_again_has_the_times_of_that_clock() -> None:
    engine = serving_engine(check())
    run_check(engine, healthy(), 1000.0)
    engine.stop(2000.0)
    engine.finish(LIFESPAN)
    received: list[Transition] = []
    engine.on_transition(received.append)
    engine.start(LIFESPAN, 1.0)
    engine.serve(2.0)
    run_check(engine, healthy(), 3.0)
    assert {each.at for each in received} == {1.0, 2.0, 3.0}
    assert all(each.since <= each.at for each in received)


# -- by a blocked event loop


def test_a_stall_turns_the_probes_and_its_end_turns_them_back() -> None:
    engine = serving_engine()
    received = of_probe(engine)
    engine.set_stalled(frozenset({Probe.READINESS}), 5.0)
    engine.set_stalled(frozenset(), 9.0)
    assert [(each.old, each.new, each.cause, each.at) for each in received] == [
        (H, U, "stalled", 5.0),
        (U, H, "stalled", 9.0),
    ]


def test_a_stall_does_not_replace_a_drain_and_turns_liveness_in_it() -> None:
    engine = serving_engine()
    engine.drain(1.0)
    readiness, liveness = of_probe(engine), of_probe(engine, Probe.LIVENESS)
    engine.set_stalled(frozenset(Probe), 5.0)
    assert readiness == []
    assert [(each.new, each.cause) for each in liveness] == [(U, "stalled")]


def test_the_effective_status_is_that_of_the_last_transition() -> None:
    engine = serving_engine(check(interval=1.0, max_age=10.0))
    run_check(engine, healthy(), 1.0)
    assert engine.effective_status(Probe.READINESS, 2.0) == (H, None)
    engine.set_stalled(frozenset({Probe.READINESS}), 5.0)
    assert engine.effective_status(Probe.READINESS, 5.0) == (U, "stalled")
    assert engine.effective_status(Probe.LIVENESS, 5.0) == (H, None)
    engine.set_stalled(frozenset(), 9.0)
    assert engine.effective_status(Probe.READINESS, 100.0) == (U, "stale")
    engine.drain(101.0)
    assert engine.effective_status(Probe.READINESS, 101.0) == (U, "draining")


def test_liveness_that_awaits_a_first_result_is_turned_by_a_stall() -> None:
    engine = serving_engine(check(probes=(Probe.LIVENESS,)))
    received = of_probe(engine, Probe.LIVENESS)
    engine.set_stalled(frozenset({Probe.LIVENESS}), 5.0)
    assert [(each.old, each.new, each.cause) for each in received] == [(D, U, "stalled")]


# -- callbacks


def test_every_callback_receives_every_transition_once_in_the_same_order() -> None:
    engine = serving_engine(check(failure_threshold=1))
    first: list[Transition] = []
    second: list[Transition] = []

    def change(transition: Transition) -> None:
        first.append(transition)
        if transition.new is U:
            engine.drain(20.0)  # from within: it must not overtake the transition that is being passed on

    engine.on_transition(change)
    engine.on_transition(second.append)
    run_check(engine, healthy(), 0.0)
    run_check(engine, unhealthy("x"), 20.0)
    assert first == second
    assert isinstance(first[-1], ProbeTransition)
    assert first[-1].cause == "draining"
