"""Streaks and thresholds: the state of a check after a row of results."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_health import Check, Result, Status
from asgi_health.core.state import UNKNOWN, CheckState, advance

from ..support.core_cases import RESULTS, check, checks, no_deadline, results, statuses
from ..support.expected_check import ExpectedCheck

LETTERS = {"h": Status.HEALTHY, "d": Status.DEGRADED, "u": Status.UNHEALTHY}

rows = st.lists(statuses, max_size=30)


def after(subject: Check, row: list[Status]) -> CheckState:
    """Return the state after the results of `row`, one a second."""
    state = UNKNOWN
    for moment, status in enumerate(row):
        state = advance(subject, state, RESULTS[status], float(moment), 0.25)
    return state


def expected_statuses(subject: Check, row: list[Status]) -> list[Status | None]:
    """Return the status that is expected after each result of `row`."""
    expected = ExpectedCheck(subject)
    shown: list[Status | None] = []
    for moment, status in enumerate(row):
        expected.record(status, float(moment))
        shown.append(expected.status)
    return shown


@no_deadline
@given(checks(), rows)
def test_thresholds_change_the_status_as_looking_back_says(subject: Check, row: list[Status]) -> None:
    shown = expected_statuses(subject, row)
    assert [after(subject, row[: length + 1]).status for length in range(len(row))] == shown


@no_deadline
@given(checks(), rows)
def test_the_rest_of_the_state_follows_from_the_statuses(subject: Check, row: list[Status]) -> None:
    shown = expected_statuses(subject, row)
    state = after(subject, row)
    bad = [status is Status.UNHEALTHY for status in row]
    passed = [moment for moment, status in enumerate(shown) if status is not Status.UNHEALTHY and not bad[moment]]
    streak_begins = passed[-1] + 1 if passed else 0
    assert state.failures == sum(bad[streak_begins:])
    assert state.passes == next((ago for ago, failed in enumerate(reversed(bad)) if failed), len(row))
    assert state.passed == any(status is not Status.UNHEALTHY for status in shown)
    changes = [moment for moment in range(len(row)) if moment == 0 or shown[moment] is not shown[moment - 1]]
    assert state.since == (changes[-1] if changes else 0.0)
    assert state.time == (len(row) - 1 if row else None)
    assert state.result == (RESULTS[row[-1]] if row else None)


@pytest.mark.parametrize(
    ("row", "status"),
    [
        ("", None),
        ("h", "h"),
        ("d", "d"),
        ("u", "u"),  # the first result counts at once
        ("hu", "h"),
        ("huu", "h"),
        ("huuu", "u"),
        ("huuhuu", "h"),
        ("huuduu", "d"),  # a degraded result ends a streak of failures
        ("hd", "d"),
        ("dh", "h"),
        ("duu", "d"),
        ("uh", "u"),
        ("uhh", "h"),
        ("uhd", "d"),
        ("udd", "d"),
        ("uhuh", "u"),
        ("huuuhuhh", "h"),
    ],
)
def test_rows_with_three_failures_and_two_passes(row: str, status: str | None) -> None:
    subject = check(failure_threshold=3, success_threshold=2)
    expected = None if status is None else LETTERS[status]
    assert after(subject, [LETTERS[letter] for letter in row]).status is expected


@pytest.mark.parametrize(
    ("row", "settled"),
    [("", False), ("h", True), ("d", True), ("hu", False), ("huh", True), ("u", True), ("uu", True), ("uh", False)],
)
def test_a_check_is_settled_unless_a_change_of_its_status_may_be_in_progress(row: str, settled: bool) -> None:
    subject = check(failure_threshold=3, success_threshold=2)
    assert after(subject, [LETTERS[letter] for letter in row]).settled is settled


@pytest.mark.parametrize(
    ("row", "retries"), [("huu", 0), ("huuu", 0), ("huuuu", 1), ("u", 0), ("uuuu", 3), ("uuhu", 0), ("uuhuu", 1)]
)
def test_retries_count_the_failures_after_the_check_has_settled_as_unhealthy(row: str, retries: int) -> None:
    subject = check(failure_threshold=3, success_threshold=2)
    assert after(subject, [LETTERS[letter] for letter in row]).retries == retries


@no_deadline
@given(checks(), rows, results)
def test_a_state_is_replaced_and_never_changed(subject: Check, row: list[Status], result: Result) -> None:
    state = after(subject, row)
    before = repr(state)
    advance(subject, state, result, 100.0, 1.0)
    assert repr(state) == before
