"""How a return value or an exception becomes a Result: only None, True and a Result can pass, and nothing raises."""

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_health import Result, Status, degraded, healthy, unhealthy
from asgi_health.core.result import MESSAGE_LIMIT, failure, interpret

from ..support.core_cases import no_deadline, refused

MAKE: Callable[..., Result] = Result
HEALTHY: Callable[..., Result] = healthy
EXPECTED = "expected None, True, False, healthy(...), degraded(...) or unhealthy(...)"


async def asynchronous() -> None: ...


def generator() -> Iterator[None]:
    yield


class Unreadable:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __repr__(self) -> str:
        raise self.error


class Awkward(Exception):
    """An exception whose `__str__` returns or raises what it is given."""

    def __init__(self, text: object) -> None:
        self.text = text

    def __str__(self) -> str:
        if isinstance(self.text, BaseException):
            raise self.text
        return self.text  # type: ignore[return-value]  # the subject of the test


@pytest.mark.parametrize("value", [None, True])
def test_none_and_true_are_a_pass(value: object) -> None:
    assert interpret(value) == Result(Status.HEALTHY)


@pytest.mark.parametrize("value", [healthy("fine"), degraded("slow"), unhealthy("down"), healthy(data={"n": 1})])
def test_a_result_is_returned_as_it_is(value: Result) -> None:
    assert interpret(value) is value


def test_false_is_a_failure() -> None:
    assert interpret(False) == Result(Status.UNHEALTHY, "returned False")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "int 0"),
        (1, "int 1"),
        (1.0, "float 1.0"),
        ("", "str ''"),
        ("ok", "str 'ok'"),
        (b"", "bytes b''"),
        ([], "list []"),
        ({}, "dict {}"),
        ((True,), "tuple (True,)"),
        (Status.HEALTHY, "Status <Status.HEALTHY: 1>"),
        (NotImplemented, "NotImplementedType NotImplemented"),
        ("x" * 200, "str '" + "x" * 78 + "…"),
    ],
)
def test_any_other_value_fails_and_names_what_was_returned_and_what_was_expected(value: object, shown: str) -> None:
    result = interpret(value)
    assert result.status is Status.UNHEALTHY
    assert re.fullmatch(rf"returned {re.escape(shown)}…?, {re.escape(EXPECTED)}", result.message)


def test_a_coroutine_that_was_not_awaited_fails_and_is_closed() -> None:
    coroutine = asynchronous()
    result = interpret(coroutine)
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
    assert result.status is Status.UNHEALTHY
    assert result.message.startswith("returned coroutine <coroutine object asynchronous at ")


def test_a_generator_that_was_not_run_fails() -> None:
    assert interpret(generator()).status is Status.UNHEALTHY


@pytest.mark.parametrize("error", [ValueError("no"), RecursionError(), SystemExit(3), KeyboardInterrupt()])
def test_a_value_whose_repr_raises_still_fails(error: BaseException) -> None:
    assert interpret(Unreadable(error)).message == f"returned Unreadable …, {EXPECTED}"


@no_deadline
@given(st.from_type(type).flatmap(st.from_type) | st.text() | st.integers() | st.lists(st.none()) | st.binary())
def test_no_value_passes_by_accident(value: object) -> None:
    good = value is None or value is True or (isinstance(value, Result) and value.status is not Status.UNHEALTHY)
    assert (interpret(value).status is not Status.UNHEALTHY) == good


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("no route"), "ValueError: no route"),
        (ConnectionError(), "ConnectionError"),
        (TimeoutError("  \n"), "TimeoutError"),
        (KeyError("k"), "KeyError: 'k'"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (Awkward("text"), "Awkward: text"),
        (Awkward(5), "Awkward (its text cannot be read: __str__ raised)"),
        (Awkward(ValueError()), "Awkward (its text cannot be read: __str__ raised)"),
        (Awkward(SystemExit()), "Awkward (its text cannot be read: __str__ raised)"),
        (ExceptionGroup("g", [ValueError("a"), KeyError("b")]), "ExceptionGroup: ValueError: a; KeyError: 'b'"),
        (BaseExceptionGroup("g", [SystemExit(1)]), "BaseExceptionGroup: SystemExit: 1"),
        (
            ExceptionGroup("g", [ValueError(str(n)) for n in range(5)]),
            "ExceptionGroup: ValueError: 0; ValueError: 1; ValueError: 2 (+2 more)",
        ),
        (
            ExceptionGroup("g", [ExceptionGroup("h", [Awkward(ValueError())]), ValueError("b")]),
            "ExceptionGroup: ExceptionGroup: Awkward (its text cannot be read: __str__ raised); ValueError: b",
        ),
    ],
)
def test_the_message_of_an_exception_is_its_type_and_text(error: BaseException, message: str) -> None:
    assert failure(error) == Result(Status.UNHEALTHY, message)


def test_groups_nested_deeper_than_the_stack_have_a_message() -> None:
    error: Any = ValueError("at the bottom")
    for _ in range(3000):
        error = ExceptionGroup("retry", [error])
    result = failure(error)
    assert result.status is Status.UNHEALTHY
    assert result.message.startswith("ExceptionGroup: ")


@pytest.mark.timeout(5)
def test_an_exception_that_many_groups_share_takes_no_time() -> None:
    # Three exceptions of each level are named: without a bound on the depth that would be 3 ** 40.
    error: Any = ValueError("shared")
    for _ in range(40):
        error = ExceptionGroup("retry", [error, error, error])
    assert len(failure(error).message) <= MESSAGE_LIMIT


def test_a_long_message_is_cut_and_ends_with_an_ellipsis() -> None:
    message = unhealthy("x" * 5000).message
    assert len(message) == MESSAGE_LIMIT == 1000
    assert message == "x" * 999 + "…"
    assert unhealthy("x" * MESSAGE_LIMIT).message == "x" * MESSAGE_LIMIT


@pytest.mark.parametrize("status", [None, 1, 3, "healthy", True])
def test_a_status_must_be_a_status(status: object) -> None:
    with refused(TypeError, "result: status ", repr(status), "Status"):
        MAKE(status)


@pytest.mark.parametrize("message", [None, ValueError("x"), b"x"])
def test_a_message_must_be_a_string(message: object) -> None:
    with refused(TypeError, "result: message ", repr(message), "str"):
        MAKE(Status.HEALTHY, message)


def test_an_observed_value_without_a_unit_has_an_empty_one() -> None:
    data = {"free": (5.5, "GB"), "queued": 3, "leader": True, "role": "replica"}
    observed = {"free": (5.5, "GB"), "queued": (3, ""), "leader": (True, ""), "role": ("replica", "")}
    assert dict(HEALTHY(data=data).data) == dict(MAKE(Status.HEALTHY, "", data).data) == observed


@pytest.mark.parametrize("value", [None, [1], (1, 2), (1, "s", "x"), {"a": 1}, 1j, b"x", object])
def test_a_value_that_no_response_could_show_is_refused(value: object) -> None:
    with refused(TypeError, "result: data['n'] ", type(value).__name__, "a number, a string, or a pair of one and its"):
        HEALTHY(data={"n": value})


@pytest.mark.parametrize("name", [1, None, b"n", ("a", "b")])
def test_the_name_of_an_observed_value_must_be_a_string(name: object) -> None:
    with refused(TypeError, "result: ", repr(name)):
        HEALTHY(data={name: 1})


def test_observed_values_are_copied_and_cannot_be_changed() -> None:
    given = {"n": 1}
    result = healthy(data=given)
    given["n"] = 2
    assert result.data["n"] == (1, "")
    data: Any = result.data
    with pytest.raises(TypeError):
        data["n"] = (3, "")


def test_a_result_cannot_be_changed() -> None:
    result: Any = healthy()
    with pytest.raises(FrozenInstanceError):
        result.status = Status.UNHEALTHY


class Raising(float):
    """A number each of whose own methods raises."""

    def __int__(self) -> int:
        raise RuntimeError("no int")

    __float__ = __index__ = __le__ = __ge__ = __lt__ = __gt__ = __repr__ = __str__ = __bool__ = __round__ = __int__  # type: ignore[assignment]


class RaisingCount(int):
    def __int__(self) -> int:
        raise RuntimeError("no int")

    __float__ = __index__ = __le__ = __ge__ = __lt__ = __gt__ = __repr__ = __str__ = __bool__ = __neg__ = __int__  # type: ignore[assignment]


class RaisingWord(str):
    __slots__ = ()

    def __len__(self) -> int:
        raise RuntimeError("no length")

    __str__ = __repr__ = __format__ = __getitem__ = encode = replace = split = __len__  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("value", "plain"),
    [(Raising(1.5), 1.5), (RaisingCount(5), 5), (RaisingWord("w"), "w")],
    ids=["float", "int", "str"],
)
def test_values_of_derived_types_become_plain_ones_without_a_call_of_their_methods(value: Any, plain: object) -> None:
    data = healthy(data={"n": value, "m": (value, RaisingWord("unit")), RaisingWord("name"): 1}).data
    assert data == {"n": (plain, ""), "m": (plain, "unit"), "name": (1, "")}
    assert [type(observed) for observed, _ in data.values()] == [type(plain), type(plain), int]
    assert {type(name) for name in data} == {str}


def test_a_message_of_a_derived_type_becomes_a_plain_one() -> None:
    assert type(unhealthy(RaisingWord("down")).message) is str


def test_names_that_become_equal_by_cutting_get_a_number() -> None:
    data = healthy(data={"x" * 200 + str(number): number for number in range(4)}).data
    cut = "x" * 99 + "…"
    assert dict(data) == {cut: (0, ""), f"{cut} (2)": (1, ""), f"{cut} (3)": (2, ""), f"{cut} (4)": (3, "")}


def test_a_name_that_equals_a_numbered_one_gets_a_number_too() -> None:
    cut = "x" * 99 + "…"
    data = healthy(data={f"{cut} (2)": 1, cut: 2, "x" * 200: 3}).data
    assert sorted(value for value, _ in data.values()) == [1, 2, 3]


@pytest.mark.timeout(10)
def test_thousands_of_equal_names_take_no_time() -> None:
    assert len(healthy(data={"x" * 100 + str(number): number for number in range(20_000)}).data) == 20_000
