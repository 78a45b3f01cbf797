"""The pause between two runs of a check, and the timers that hold the next moments."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from asgi_health import Check, Status
from asgi_health.core.schedule import Timers, pause
from asgi_health.core.state import UNKNOWN, CheckState
from asgi_health.core.validate import MAX_SECONDS, MIN_SECONDS

from ..support.core_cases import check, checks, no_deadline
from ..support.deep_size import deep_size

jitters = st.floats(0.0, 1.0, exclude_max=True)
states = st.builds(
    CheckState,
    status=st.none() | st.sampled_from(Status),
    failures=st.integers(0, 5),
    passes=st.integers(0, 5),
    retries=st.integers(0, 10_000),
)


@pytest.mark.parametrize(
    ("state", "seconds"),
    [
        (UNKNOWN, 1.0),
        (CheckState(status=Status.HEALTHY, passes=7), 10.0),
        (CheckState(status=Status.DEGRADED, passes=7), 10.0),
        (CheckState(status=Status.HEALTHY, failures=1), 1.0),
        (CheckState(status=Status.DEGRADED, failures=2), 1.0),
        (CheckState(status=Status.UNHEALTHY, failures=3, passes=1), 1.0),  # recovering
        (CheckState(status=Status.UNHEALTHY, failures=3), 1.0),
        (CheckState(status=Status.UNHEALTHY, failures=4, retries=1), 2.0),
        (CheckState(status=Status.UNHEALTHY, failures=5, retries=2), 4.0),
        (CheckState(status=Status.UNHEALTHY, failures=6, retries=3), 8.0),
        (CheckState(status=Status.UNHEALTHY, failures=7, retries=4), 10.0),
        (CheckState(status=Status.UNHEALTHY, failures=9999, retries=9999), 10.0),
    ],
)
def test_the_pause_follows_from_the_state(state: CheckState, seconds: float) -> None:
    assert pause(check(interval=10.0, retry_interval=1.0), state, 0.5) == pytest.approx(seconds)


@no_deadline
@given(checks(), states, jitters)
def test_the_pause_is_never_longer_than_the_interval_nor_shorter_than_the_shorter_of_both(
    subject: Check, state: CheckState, jitter: float
) -> None:
    shortest = min(subject.interval, subject.retry_interval)
    assert 0.9 * shortest * (1 - 1e-9) <= pause(subject, state, jitter) <= 1.1 * subject.interval * (1 + 1e-9)


@no_deadline
@given(checks(), states, jitters, jitters)
def test_jitter_moves_a_pause_by_a_tenth_in_either_direction(
    subject: Check, state: CheckState, one: float, other: float
) -> None:
    middle = pause(subject, state, 0.5)
    assert pause(subject, state, one) == pytest.approx(middle * (0.9 + 0.2 * one))
    assert (pause(subject, state, one) < pause(subject, state, other)) <= (one < other)


@pytest.mark.parametrize("retry_interval", [MIN_SECONDS, MAX_SECONDS])
def test_a_long_streak_does_not_overflow(retry_interval: float) -> None:
    state = CheckState(status=Status.UNHEALTHY, retries=1_000_000)
    assert 0 < pause(check(interval=10.0, retry_interval=retry_interval), state, 0.5) <= 10.0


moments = st.integers(-5, 50).map(lambda n: n / 2)


class TimersMachine(RuleBasedStateMachine):
    """Timers, compared with a search through a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.timers = Timers()
        self.model: dict[str, float] = {}

    @rule(key=st.sampled_from("abcdef"), when=moments | st.just(-inf))
    def set(self, key: str, when: float) -> None:
        self.timers.set(key, when)
        self.model[key] = when

    @rule(key=st.sampled_from("abcdef"))
    def remove(self, key: str) -> None:
        self.timers.set(key, inf)
        self.model.pop(key, None)

    @rule(now=moments)
    def pop_first(self, now: float) -> None:
        earliest = min(self.model.values(), default=inf)
        popped = self.timers.pop_first(now)
        if popped is None:
            assert earliest > now
        else:
            assert self.model.pop(popped) == earliest <= now

    @rule(now=moments)
    def pop(self, now: float) -> None:
        popped = [(self.model.pop(key), key) for key in self.timers.pop(now)]
        assert [when for when, _ in popped] == sorted(when for when, _ in popped)
        assert all(when <= now for when, _ in popped)
        assert all(when > now for when in self.model.values())

    @rule(key=st.sampled_from("abcdef"), times=st.integers(50, 200))
    def move_repeatedly(self, key: str, times: int) -> None:
        for step in range(times):
            self.set(key, 60.0 + step)

    @invariant()
    def next_is_the_earliest(self) -> None:
        assert self.timers.next() == min(self.model.values(), default=inf)

    @invariant()
    def outdated_entries_take_little_memory(self) -> None:
        assert deep_size(self.timers) <= MEMORY_OF_100_ENTRIES


MEMORY_OF_100_ENTRIES = 25_000
"""Bytes. Twice the six keys, 64 entries that are kept anyway, and the dict."""

TestTimers = TimersMachine.TestCase
TestTimers.settings = no_deadline


def test_timers_of_many_keys_that_move_without_end_stay_small() -> None:
    timers = Timers()
    for step in range(100_000):
        timers.set(str(step % 100), float(step))
    assert deep_size(timers) <= 3 * MEMORY_OF_100_ENTRIES
    assert timers.next() == 99_900.0
