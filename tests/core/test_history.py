"""Histories against a model that keeps everything: the last results and changes, and uptime by integration."""

import tracemalloc
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_health import Status
from asgi_health.core.history import BUCKET, DAY, HOUR, CheckHistory, ProbeHistory
from asgi_health.core.past import Uptime

from ..support.core_cases import ProbeChange, no_deadline, statuses
from ..support.deep_size import deep_size

HEALTHY, DEGRADED, UNHEALTHY = Status
FIVE_MINUTES = 300.0


class Interval(NamedTuple):
    """A time that counts: up from `begin` to `up_until`, and not up from there to `end`."""

    begin: float
    end: float
    up_until: float


def integrate(intervals: Iterable[Interval], begin: float, end: float) -> tuple[float, float]:
    """Return the seconds known and the seconds up between two moments."""
    known = up = 0.0
    for each in intervals:
        first, last = max(begin, each.begin), min(end, each.end)
        known += max(0.0, last - first)
        up += max(0.0, min(last, each.up_until) - first)
    return known, up


def window(now: float, sums: int) -> float:
    """Return the beginning of the window: `sums` complete spans of five minutes before the one that has begun."""
    return (now // FIVE_MINUTES - sums) * FIVE_MINUTES


def half_hours(intervals: Iterable[Interval], now: float) -> list[object]:
    """Return the seconds known and up in each of the last 48 half hours."""
    kept, first = list(intervals), window(now, 287)
    parts = (first + 1800.0 * number for number in range(48))
    return [pytest.approx(integrate(kept, begin, min(now, begin + 1800.0)), abs=1e-6) for begin in parts]


class Model:
    """Everything that happened to a check."""

    def __init__(self) -> None:
        self.results: list[tuple[float, Status, float]] = []
        self.flips: list[tuple[float, Status | None, Status]] = []
        self.intervals: list[Interval] = []
        self.status: Status | None = None
        self.stopped = False
        self.running: tuple[float, float] | None = None

    def record(self, now: float, outcome: Status, duration: float, new: Status, stale_at: float) -> None:
        self.results.append((now, outcome, duration))
        if new is not self.status:
            self.flips.append((now, self.status, new))
        self.status = new
        if not self.stopped:
            self.end(now)
            self.running = now, -inf if new is UNHEALTHY else stale_at

    def end(self, now: float) -> None:
        if self.running is not None:
            begin, up_until = self.running
            self.intervals.append(Interval(begin, now, up_until))
            self.running = None

    def all_intervals(self, now: float) -> list[Interval]:
        return (
            self.intervals
            if self.running is None
            else [*self.intervals, Interval(self.running[0], now, self.running[1])]
        )

    def uptime(self, now: float, sums: int) -> tuple[float, float]:
        return integrate(self.all_intervals(now), window(now, sums), now)


@dataclass(frozen=True)
class Step:
    """What happens to a check after `wait` seconds."""

    wait: float
    action: str
    outcome: Status
    status: Status
    fresh_for: float


waits = st.sampled_from([0.0, 0.25, 10.0, 299.75, 300.0]) | st.integers(0, 8000).map(lambda n: n / 4)
long_waits = waits | st.integers(0, 400_000).map(float)
steps = st.builds(
    Step,
    long_waits,
    st.sampled_from(["record"] * 8 + ["start", "stop"]),
    statuses,
    statuses,
    st.sampled_from([0.0, 32.0, 3600.0, inf]) | waits,
)


def as_seconds(uptime: Uptime) -> tuple[float, float]:
    return uptime.known, uptime.up


@no_deadline
@given(st.lists(steps, max_size=40), st.sampled_from([0.0, 1e6 + 0.5]), long_waits)
def test_a_history_shows_what_a_list_of_everything_would(story: list[Step], now: float, last: float) -> None:
    history, model = CheckHistory(), Model()
    for step in story:
        now += step.wait
        if step.action == "start":
            history.start(now)
            model.end(now)
            model.status, model.stopped = None, False
        elif step.action == "stop":
            history.stop(now)
            model.end(now)
            model.stopped = True
        else:
            stale_at = now + step.fresh_for
            history.record(now, step.outcome, step.wait, model.status, step.status, stale_at)
            model.record(now, step.outcome, step.wait, step.status, stale_at)
        past = history.past(now)
        assert past.results == tuple(model.results[-120:])
        assert past.flips == tuple(model.flips[-50:])
        assert as_seconds(past.hour) == pytest.approx(model.uptime(now, 12), abs=1e-6)
    now += last
    past = history.past(now)
    assert as_seconds(past.hour) == pytest.approx(model.uptime(now, 12), abs=1e-6)
    assert as_seconds(past.day) == pytest.approx(model.uptime(now, 288), abs=1e-6)
    assert [as_seconds(each) for each in past.day_in_parts(48)] == half_hours(model.all_intervals(now), now)


def run(history: CheckHistory, now: float, old: Status | None, new: Status, fresh_for: float = 32.0) -> None:
    history.record(now, new, 0.125, old, new, now + fresh_for)


def test_only_the_last_results_and_flips_are_kept() -> None:
    history = CheckHistory()
    status: Status | None = None
    for number in range(1000):
        new = UNHEALTHY if number % 2 else HEALTHY
        run(history, float(number), status, new)
        status = new
    past = history.past(1000.0)
    assert [each.time for each in past.results] == [float(number) for number in range(880, 1000)]
    assert [each.at for each in past.flips] == [float(number) for number in range(950, 1000)]
    assert past.last_flips(2) == past.flips[-2:]


def test_nothing_is_known_before_the_first_result() -> None:
    past = CheckHistory().past(500.0)
    assert (past.results, past.flips, past.hour.percent, past.day.percent) == ((), (), None, None)


def test_uptime_includes_the_running_period() -> None:
    history = CheckHistory()
    run(history, 1000.0, None, HEALTHY)
    assert as_seconds(history.past(1007.5).hour) == (7.5, 7.5)


def test_a_degraded_check_is_up() -> None:
    history = CheckHistory()
    run(history, 1000.0, None, DEGRADED)
    assert history.past(1010.0).hour.percent == 100.0


def test_a_stale_result_counts_as_not_up() -> None:
    history = CheckHistory()
    run(history, 1000.0, None, HEALTHY, fresh_for=32.0)
    assert as_seconds(history.past(1100.0).hour) == (100.0, 32.0)
    run(history, 1100.0, HEALTHY, HEALTHY)
    assert as_seconds(history.past(1110.0).hour) == (110.0, 42.0)


def test_time_before_the_first_result_of_a_lifespan_and_after_its_stop_does_not_count() -> None:
    history = CheckHistory()
    history.start(1000.0)
    run(history, 1010.0, None, HEALTHY)
    history.stop(1020.0)
    run(history, 1021.0, HEALTHY, UNHEALTHY)
    history.start(1500.0)
    run(history, 1510.0, None, UNHEALTHY)
    assert as_seconds(history.past(1520.0).hour) == (20.0, 10.0)
    assert len(history.past(1520.0).results) == 3


def test_an_uptime_of_a_hundred_percent_is_never_a_rounded_one() -> None:
    assert Uptime(86_400.0, 86_399.9).percent == 99.999
    assert Uptime(86_400.0, 86_400.0).percent == 100.0
    assert Uptime(86_400.0, 0.0).percent == 0.0


def test_a_check_that_was_always_up_has_an_uptime_of_a_hundred_percent() -> None:
    # The sums of the known time and of the time up are the same floats, whatever is lost in rounding.
    history, now = CheckHistory(), 0.1
    status: Status | None = None
    for number in range(3000):
        now += 0.1 * (number % 700)
        new = DEGRADED if number % 3 else HEALTHY
        run(history, now, status, new, fresh_for=100.0)
        status = new
    assert history.past(now + 0.3).day.percent == 100.0


def test_a_moment_before_the_last_one_changes_no_sum() -> None:
    # Two threads read their clocks, and the later one records first.
    history = CheckHistory()
    run(history, 1000.0, None, HEALTHY)
    run(history, 1010.0, HEALTHY, UNHEALTHY)
    run(history, 1009.0, UNHEALTHY, HEALTHY)
    run(history, 1008.0, HEALTHY, UNHEALTHY)
    run(history, 1020.0, UNHEALTHY, HEALTHY)
    assert as_seconds(history.past(1030.0).hour) == (30.0, 20.0)


def test_the_window_of_uptime_moves_on() -> None:
    history = CheckHistory()
    run(history, 0.0, None, UNHEALTHY)
    run(history, 600.0, UNHEALTHY, HEALTHY, fresh_for=inf)
    assert as_seconds(history.past(4000.0).hour) == (3700.0, 3400.0)  # from 300 s on
    assert history.past(600.0 + 3600.0).hour.percent == 100.0
    assert history.past(86_400.0 + 600.0).day.percent == 100.0


def full_check_history() -> CheckHistory:
    history, now = CheckHistory(), 1e6
    status: Status | None = None
    for number in range(2000):
        now += 60.25
        new = Status(number % 3 + 1)
        run(history, now, status, new)
        status = new
    return history


def test_a_full_history_takes_at_most_12_kib() -> None:
    assert 8 * 2 * (120 + DAY) < deep_size(full_check_history()) <= 12 * 1024


def test_a_full_history_allocates_at_most_12_kib() -> None:
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        histories = [full_check_history() for _ in range(10)]
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(histories[0].past(2e6).results) == 120
    assert (after - before) / 10 <= 12 * 1024


# -- probes


def change(at: float, new: Status, cause: str = "check", names: tuple[str, ...] = ("a",)) -> ProbeChange:
    return ProbeChange(HEALTHY if new is UNHEALTHY else UNHEALTHY, new, cause, names, at)


def test_the_uptime_of_a_probe_counts_from_the_end_of_the_startup_to_the_stop() -> None:
    history = ProbeHistory()
    history.pause(1000.0)
    assert history.past(1010.0).hour.percent is None
    history.serve(UNHEALTHY, 1010.0)
    history.record(change(1015.0, HEALTHY))
    history.record(change(1035.0, UNHEALTHY, "stopped"))
    history.pause(1035.0)
    history.record(change(1036.0, UNHEALTHY, "stopped"))
    assert as_seconds(history.past(1500.0).hour) == (25.0, 20.0)
    history.serve(HEALTHY, 2000.0)
    assert as_seconds(history.past(2010.0).hour) == (35.0, 30.0)


def test_a_probe_has_its_status_since_its_last_change() -> None:
    history = ProbeHistory()
    assert (history.past(5.0).status, history.past(5.0).since) == (None, None)
    history.serve(HEALTHY, 10.0)
    assert (history.past(15.0).status, history.past(15.0).since) == (HEALTHY, 10.0)
    history.serve(HEALTHY, 12.0)
    assert history.past(15.0).since == 10.0
    history.record(change(20.0, UNHEALTHY, "draining", ()))
    assert (history.past(25.0).status, history.past(25.0).since) == (UNHEALTHY, 20.0)


def test_a_change_of_a_probe_keeps_three_names_and_the_number_of_the_others() -> None:
    history = ProbeHistory()
    history.record(change(1.0, UNHEALTHY, names=tuple("abcde")))
    history.record(change(2.0, HEALTHY, "check", ()))
    assert history.past(3.0).flips == (
        (1.0, HEALTHY, UNHEALTHY, "check", ("a", "b", "c"), 2),
        (2.0, UNHEALTHY, HEALTHY, "check", (), 0),
    )


@no_deadline
@given(st.lists(st.tuples(long_waits, statuses), max_size=80), long_waits)
def test_the_history_of_a_probe_shows_what_a_list_of_everything_would(
    changes: list[tuple[float, Status]], last: float
) -> None:
    history, now, status = ProbeHistory(), 0.0, UNHEALTHY
    history.serve(status, now)
    intervals: list[Interval] = []
    seen: list[ProbeChange] = []
    for wait, new in changes:
        intervals.append(Interval(now, now + wait, -inf if status is UNHEALTHY else inf))
        now += wait
        seen.append(ProbeChange(status, new, "check", (), now))
        history.record(seen[-1])
        status = new
    end = now + last
    intervals.append(Interval(now, end, -inf if status is UNHEALTHY else inf))
    past = history.past(end)
    assert [(each.at, each.old, each.new) for each in past.flips] == [(e.at, e.old, e.new) for e in seen[-50:]]
    for uptime, sums in ((past.hour, HOUR), (past.day, DAY)):
        assert as_seconds(uptime) == pytest.approx(integrate(intervals, window(end, sums), end), abs=1e-6)
    assert [as_seconds(each) for each in past.day_in_parts(48)] == half_hours(intervals, end)


def test_a_full_history_of_a_probe_is_bounded() -> None:
    history = ProbeHistory()
    history.serve(HEALTHY, 0.0)
    sizes = []
    for number in range(20_000):
        names = tuple(f"{number}-{each}-{'x' * 50}" for each in range(20))
        history.record(change(BUCKET * 0.1 * number, Status(number % 3 + 1), names=names))
        if number in (1000, 19_999):
            sizes.append(deep_size(history))
    assert sizes[1] <= 1.05 * sizes[0] < 40_000
