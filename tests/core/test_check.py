"""A Check that could not work is refused when it is made, with an error that says how to repair it."""

import inspect
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from enum import StrEnum
from functools import partial
from math import inf, isclose, nan
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from asgi_health import Check, Probe
from asgi_health.core.status import CHECK_PROBES
from asgi_health.core.validate import MAX_SECONDS, MAX_WAIT, MIN_SECONDS

from ..support.core_cases import no_deadline, passing, refused

MAKE: Callable[..., Check] = Check  # untyped: the tests pass what a type checker would not allow


async def asynchronous() -> None: ...


def returning_a_coroutine() -> object:
    return asynchronous()


class Callable0:
    def __call__(self) -> None: ...


class AsyncCallable:
    async def __call__(self) -> None: ...


@pytest.mark.parametrize("name", ["a", "0", "a" * 63, "db.main_replica-2", "9lives"])
def test_good_names_are_accepted(name: str) -> None:
    assert MAKE(name, passing).name == name


@pytest.mark.parametrize("name", ["", "-a", ".a", "_a", "Db", "a b", "a/b", "a:b", "a\n", "ä", "a" * 64, "١"])
def test_a_malformed_name_is_refused_with_the_rule(name: str) -> None:
    with refused(ValueError, f"check {name!r}: name ", "1-63 of a-z 0-9 . _ -", "begin with a letter or a digit"):
        MAKE(name, passing)


@pytest.mark.parametrize("name", [None, 7, b"db", ["db"]])
def test_a_name_that_is_not_a_string_is_refused(name: object) -> None:
    with refused(TypeError, f"check {name!r}: name ", repr(name), "str"):
        MAKE(name, passing)


@pytest.mark.parametrize("run", [None, 5, "ping", [passing]])
def test_a_run_that_cannot_be_called_is_refused(run: object) -> None:
    with refused(TypeError, "check 'db': run ", repr(run), "a function without arguments"):
        MAKE("db", run)


def test_a_coroutine_is_refused_and_closed() -> None:
    coroutine = asynchronous()
    with refused(TypeError, "check 'db': run ", "is a coroutine", "pass the function itself, without calling it"):
        MAKE("db", coroutine)
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED


@pytest.mark.parametrize("run", [lambda pool: None, lambda *, pool: None, divmod, Callable0.__call__])
def test_a_function_with_required_arguments_is_refused(run: object) -> None:
    with refused(TypeError, "check 'db': run ", "", "callable without arguments: "):
        MAKE("db", run)


@pytest.mark.parametrize("run", [lambda pool=None: None, lambda *_: None, partial(divmod, 4, 2), dict, Callable0()])
def test_a_function_without_required_arguments_is_accepted(run: Callable[[], object]) -> None:
    assert MAKE("db", run).run is run


@pytest.mark.parametrize("group", ["a", "Team Payments", "Zahlungsverkehr", "支払い", "g" * 100, "<b>&"])
def test_a_group_is_any_readable_text(group: str) -> None:
    assert MAKE("db", passing, group=group).group == group


def test_a_check_has_no_group_unless_it_is_given_one() -> None:
    assert MAKE("db", passing).group is None
    assert MAKE("db", passing, group=None).group is None


def test_a_group_is_a_plain_string_also_of_a_string_enum() -> None:
    team = StrEnum("team", {"PAYMENTS": "payments"})
    assert type(MAKE("db", passing, group=team.PAYMENTS).group) is str


@pytest.mark.parametrize("group", ["", " ", " a", "a ", "a\nb", "tab\t", "\x1b[31m", "rtl\u202e", "\ud800", "g" * 101])
def test_a_group_that_readers_could_not_read_is_refused(group: str) -> None:
    with refused(ValueError, "check 'db': group ", repr(group), "1-100 printable characters"):
        MAKE("db", passing, group=group)


def test_of_a_long_group_the_error_shows_the_beginning() -> None:
    with pytest.raises(ValueError, match="group must be") as found:
        MAKE("db", passing, group="g" * 10_000)
    assert len(str(found.value)) < 300


@pytest.mark.parametrize("group", [5, b"shop", ["shop"], ("shop",)])
def test_a_group_that_is_not_a_string_is_refused(group: object) -> None:
    with refused(TypeError, "check 'db': group ", repr(group), "str"):
        MAKE("db", passing, group=group)


SECONDS = ("interval", "retry_interval", "timeout", "max_age")


@pytest.mark.parametrize("option", SECONDS)
@pytest.mark.parametrize("value", [0, 0.0, -1, -0.1, nan, inf, -inf])
def test_seconds_must_be_positive_and_finite(option: str, value: float) -> None:
    with refused(ValueError, f"check 'db': {option} ", repr(value), "positive, finite number of seconds"):
        MAKE("db", passing, **{option: value})


@pytest.mark.parametrize("option", SECONDS)
@pytest.mark.parametrize("value", [MAX_SECONDS + 1, 1e300, 10**400, 10**5000], ids=["year", "float", "long", "longer"])
def test_seconds_are_at_most_a_year(option: str, value: float) -> None:
    with refused(ValueError, f"check 'db': {option} ", "", "at most 31536000 s"):
        MAKE("db", passing, **{option: value})


@pytest.mark.parametrize("option", SECONDS)
@pytest.mark.parametrize("value", [0.00099, 1e-12, 5e-324])
def test_seconds_are_at_least_the_resolution_of_a_timer(option: str, value: float) -> None:
    with refused(ValueError, f"check 'db': {option} ", repr(value), "at least 0.001 s"):
        MAKE("db", passing, **{option: value})


@pytest.mark.parametrize("seconds", [MIN_SECONDS, 1, 0.5, 60, MAX_WAIT])
def test_seconds_between_the_limits_are_accepted(seconds: float) -> None:
    check = MAKE("db", passing, interval=seconds, retry_interval=seconds, timeout=seconds)
    assert (check.interval, check.retry_interval, check.timeout) == (seconds, seconds, seconds)
    assert seconds < check.stale_after < inf


@pytest.mark.parametrize(
    ("options", "found", "meant"),
    [
        ({"timeout": 2000, "interval": 1}, "timeout must be at most 300 s, not 2000 s", "2"),
        ({"timeout": 300.5, "interval": 1e3}, "timeout must be at most 300 s, not 300.5 s", "0.3005"),
        ({"timeout": MAX_SECONDS, "interval": MAX_SECONDS}, "timeout must be at most 300 s", "31536"),
        ({"timeout": 100}, "timeout 100 s is more than three times interval 10 s", "0.1"),
        ({"timeout": 300, "interval": 99.9}, "timeout 300 s is more than three times interval 99.9 s", "0.3"),
        ({"timeout": 61, "interval": 0.5}, "timeout 61 s is more than three times interval 0.5 s", "0.061"),
        ({"interval": 10_000}, "interval 10000 s is more than an hour", "10"),
        ({"interval": 3601}, "interval 3601 s is more than an hour", "3.601"),
        ({"max_age": 30_000}, "max_age 30000 s is more than an hour, and a hundred times as long", "30"),
        ({"interval": 2000, "timeout": 500, "max_age": 9000}, "timeout must be at most 300 s, not 500 s", "0.5"),
    ],
)
def test_numbers_meant_as_milliseconds_are_refused(options: dict[str, float], found: str, meant: str) -> None:
    with refused(ValueError, f"check 'db': {found}", "", "the unit is seconds, and ", f" ms would be {meant}"):
        MAKE("db", passing, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 60},
        {"timeout": 60, "interval": 0.001},
        {"timeout": 300, "interval": 100},
        {"interval": 3600},
        {"interval": 86_400, "max_age": 100_000},
        {"interval": 30, "max_age": 3600},
    ],
)
def test_a_rare_or_slow_check_is_accepted_where_its_numbers_fit(options: dict[str, float]) -> None:
    check = MAKE("db", passing, **options)
    assert {name: getattr(check, name) for name in options} == options


@pytest.mark.parametrize("option", SECONDS)
@pytest.mark.parametrize("value", [True, False, "1", b"1", 1j, [1]])
def test_seconds_must_be_a_number(option: str, value: object) -> None:
    with refused(TypeError, f"check 'db': {option} ", repr(value), "a number of seconds"):
        MAKE("db", passing, **{option: value})


@pytest.mark.parametrize("option", ["interval", "retry_interval", "timeout"])
def test_only_max_age_may_be_none(option: str) -> None:
    with refused(TypeError, f"check 'db': {option} ", "None", "a number of seconds"):
        MAKE("db", passing, **{option: None})


COUNTS = ("failure_threshold", "success_threshold")


@pytest.mark.parametrize("option", COUNTS)
@pytest.mark.parametrize("value", [0, -1, -(10**400)])
def test_thresholds_are_at_least_one(option: str, value: int) -> None:
    with refused(ValueError, f"check 'db': {option} ", str(value), "at least 1"):
        MAKE("db", passing, **{option: value})


@pytest.mark.parametrize("option", COUNTS)
@pytest.mark.parametrize("value", [True, 1.0, "3", None, nan])
def test_thresholds_are_whole_numbers(option: str, value: object) -> None:
    with refused(TypeError, f"check 'db': {option} ", repr(value), "a whole number"):
        MAKE("db", passing, **{option: value})


@pytest.mark.parametrize("value", [1, 0, None, "yes"])
def test_critical_must_be_a_bool(value: object) -> None:
    with refused(TypeError, "check 'db': critical ", repr(value), "bool"):
        MAKE("db", passing, critical=value)


@pytest.mark.parametrize("value", [Probe.READINESS, None, 5, "readiness", b"readiness"])
def test_probes_must_be_a_collection(value: object) -> None:
    with refused(TypeError, "check 'db': probes ", repr(value), "a tuple such as (Probe.READINESS,)"):
        MAKE("db", passing, probes=value)


@pytest.mark.parametrize(
    ("value", "found", "hint"),
    [
        (("ready",), "'ready'", ""),
        (("health",), "'health'", ""),
        ((Probe.READINESS, 1), "1", ""),
        (("readiness",), "'readiness'", "; write Probe.READINESS"),
        (["Startup"], "'Startup'", "; write Probe.STARTUP"),
    ],
)
def test_probes_must_hold_members_of_probe(value: object, found: str, hint: str) -> None:
    with pytest.raises(TypeError) as refusal:
        MAKE("db", passing, probes=value)
    assert str(refusal.value) == f"check 'db': probes must hold members of Probe, not {found}{hint}"


@pytest.mark.parametrize("value", [(Probe.HEALTH,), (Probe.READINESS, Probe.HEALTH), tuple(Probe)])
def test_a_check_cannot_name_the_probe_that_every_check_counts_for(value: object) -> None:
    with refused(
        ValueError, "check 'db': probes ", "Probe.HEALTH", "every check counts for", "expected some of Probe.LIVENESS"
    ):
        MAKE("db", passing, probes=value)


def test_a_check_may_name_all_other_probes() -> None:
    assert MAKE("db", passing, probes=CHECK_PROBES).probes == CHECK_PROBES
    assert {*CHECK_PROBES} == {*Probe} - {Probe.HEALTH}


@pytest.mark.parametrize("value", [(), [], frozenset()])
def test_a_check_that_counts_for_no_probe_is_refused(value: object) -> None:
    with refused(ValueError, "check 'db': probes ", "empty", "at least one probe"):
        MAKE("db", passing, probes=value)


def test_probes_become_a_tuple_without_repetition() -> None:
    probes = iter([Probe.STARTUP, Probe.READINESS, Probe.STARTUP])
    assert MAKE("db", passing, probes=probes).probes == (Probe.STARTUP, Probe.READINESS)


@pytest.mark.parametrize("max_age", [0.5, 10.0, 12.9, 13.0])
def test_a_max_age_that_ends_before_the_next_result_is_refused(max_age: float) -> None:
    with refused(ValueError, "check 'db': max_age ", str(max_age), "longer than interval with jitter + timeout = 13 s"):
        MAKE("db", passing, interval=10.0, timeout=2.0, max_age=max_age)


@no_deadline
@given(st.floats(0.001, 1e3), st.floats(0.001, 60.0), st.floats(0.001, 3.6e3))
def test_a_max_age_is_accepted_exactly_when_the_next_result_comes_sooner(
    interval: float, timeout: float, max_age: float
) -> None:
    longest = interval * 1.1 + timeout
    assume(not isclose(max_age, longest))
    if max_age > longest:
        assert MAKE("db", passing, interval=interval, timeout=timeout, max_age=max_age).stale_after == max_age
    else:
        with refused(ValueError, "check 'db': max_age ", str(max_age)):
            MAKE("db", passing, interval=interval, timeout=timeout, max_age=max_age)


def test_a_max_age_of_none_is_three_intervals_and_a_timeout() -> None:
    assert MAKE("db", passing, interval=7.0, timeout=0.5).stale_after == 21.5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((passing,), "check: the name is missing; write Check('a-name', passing)"),
        ((Callable0(),), "check: the name is missing; write Check('a-name', Callable0)"),
        (("db",), "missing 1 required positional argument: 'run'"),
        ((), "missing 2 required positional arguments: 'name' and 'run'"),
    ],
)
def test_a_missing_argument_is_named(arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(TypeError) as refusal:
        MAKE(*arguments, timeout=1.0)
    assert words in str(refusal.value)


def test_positional_options_are_refused() -> None:
    with pytest.raises(TypeError):
        MAKE("db", passing, (Probe.READINESS,))


def test_a_check_cannot_be_changed() -> None:
    check: Any = MAKE("db", passing)
    with pytest.raises(FrozenInstanceError):
        check.timeout = 60.0


@pytest.mark.parametrize(
    ("run", "is_async"),
    [
        (asynchronous, True),
        (partial(asynchronous), True),
        (partial(partial(asynchronous)), True),
        (AsyncCallable(), True),
        (partial(AsyncCallable()), True),
        (AsyncCallable().__call__, True),
        (passing, False),
        (Callable0(), False),
        (returning_a_coroutine, False),
    ],
)
def test_a_function_is_async_only_where_a_call_of_it_cannot_block(run: Callable[[], object], is_async: bool) -> None:
    assert MAKE("db", run).is_async is is_async
