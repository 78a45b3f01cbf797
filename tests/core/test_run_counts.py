"""What the runs of a check add up to, from its addition on."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_health import Health, Status
from asgi_health.core.engine import Engine
from asgi_health.core.failure_category import CATEGORIES, Category
from asgi_health.core.run_counts import BUCKET_BOUNDS, RunCounts
from asgi_health.health import engine_of

from ..support.core_cases import (
    LIFESPAN,
    RESULTS,
    check,
    check_status,
    new_engine,
    no_deadline,
    run_check,
    serving_engine,
    start_run,
)
from ..support.known_state import Clock, finish, health_with, make_check, start_due


def counts_of(engine: Engine, name: str = "a") -> RunCounts:
    (counts,) = (each.counts for each in engine.slots if each.check.name == name)
    return counts


@given(st.lists(st.floats(0, 100), max_size=50))
def test_each_duration_is_in_the_first_bucket_whose_bound_it_does_not_exceed(durations: list[float]) -> None:
    counts = RunCounts()
    for each in durations:
        counts.record(each, None, changed=False)
    below = [sum(each <= bound for each in durations) for bound in BUCKET_BOUNDS]
    assert [sum(counts.buckets[: number + 1]) for number in range(len(BUCKET_BOUNDS))] == below
    assert counts.runs == len(durations)
    assert counts.seconds == pytest.approx(sum(durations))


@given(st.lists(st.tuples(st.floats(0, 100), st.none() | st.sampled_from(CATEGORIES), st.booleans())))
def test_failures_are_among_the_runs_and_overruns_have_no_duration(
    records: list[tuple[float, Category | None, bool]],
) -> None:
    counts = RunCounts()
    for duration, failure, changed in records:
        counts.record(duration, failure, changed=changed)
    assert sum(counts.failures.values()) == sum(failure is not None for _, failure, _ in records) <= counts.runs
    assert sum(counts.buckets) == counts.runs - counts.failures["overrun"]
    assert counts.transitions == sum(changed for _, _, changed in records)


@no_deadline
@given(st.lists(st.sampled_from(Status), max_size=30))
def test_each_change_of_the_status_is_counted_the_first_result_included(statuses: list[Status]) -> None:
    engine = serving_engine(check(interval=10.0, retry_interval=10.0))
    seen: list[Status | None] = [None]
    for number, status in enumerate(statuses):
        run_check(engine, RESULTS[status], 20.0 * number)
        seen.append(check_status(engine, now=20.0 * number))
    counts = counts_of(engine)
    assert counts.transitions == sum(old is not new for old, new in pairwise(seen))
    assert counts.runs == len(statuses)
    assert sum(counts.failures.values()) == statuses.count(Status.UNHEALTHY)


def test_a_new_lifespan_does_not_reset_the_counts() -> None:
    engine = new_engine(check())
    for number in range(3):
        lifespan = object()
        engine.start(lifespan, 100.0 * number)
        engine.serve(100.0 * number)
        run_check(engine, RESULTS[Status.UNHEALTHY], 100.0 * number)
        engine.stop(100.0 * number + 1)
        engine.finish(lifespan)
        assert counts_of(engine).runs == counts_of(engine).failures["other"] == number + 1


def test_the_stalls_of_all_lifespans_are_counted_while_a_report_has_those_of_the_present_one() -> None:
    engine = new_engine()
    engine.start(LIFESPAN, 0.0)
    engine.record_stall(2.0)
    engine.stop(1.0)
    engine.finish(LIFESPAN)
    engine.start(object(), 10.0)
    engine.record_stall(0.5)
    assert (engine.stalls.count, engine.stalls.total, engine.stalls.longest) == (2, 2.5, 2.0)


def test_a_check_that_is_added_again_counts_from_zero() -> None:
    clock = Clock()
    health = health_with(clock, (make_check("a"), RESULTS[Status.HEALTHY]))
    assert counts_of(engine_of(health)).runs == 1
    health.remove("a")
    health.add(make_check("a"))
    assert counts_of(engine_of(health)).runs == 0


def test_a_run_that_was_given_up_or_whose_check_was_removed_does_not_count() -> None:
    clock = Clock()
    health = Health([make_check("a"), make_check("b")], clock=clock)
    a, b = start_due(health, clock)
    engine_of(health).abandon(a)
    health.remove("b")
    finish(health, clock, b, RESULTS[Status.HEALTHY])
    assert counts_of(engine_of(health)).runs == 0


def test_a_pass_is_counted_with_its_duration() -> None:
    engine = serving_engine(check())
    engine.record(start_run(engine, 10.0), RESULTS[Status.HEALTHY], 10.25)
    counts = counts_of(engine)
    assert (counts.runs, counts.seconds, counts.buckets[BUCKET_BOUNDS.index(0.3)]) == (1, 0.25, 1)
