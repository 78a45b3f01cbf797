"""The result of one run of a check, and how the return value of a check function becomes one."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from inspect import iscoroutine
from itertools import chain, count
from types import MappingProxyType
from typing import cast

from .status import Status
from .validate import require_type

Observed = tuple[float | int | str | bool, str]
"""An observed value and its unit; the unit is empty for a bare number or word."""

NOTHING_OBSERVED: Mapping[str, Observed] = MappingProxyType({})

MESSAGE_LIMIT = 1000
"""Characters kept of a message: a kubelet reads 10 KiB of a body, and drivers put whole statements into errors."""

NAME_LIMIT = 100
"""Characters kept of a name in `data`."""

VALUE_LIMIT = 80
"""Characters shown of a return value that a check function must not return."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one run of a check.

    Attributes:
        status: Outcome of the run.
        message: Reason in words, cut to 1,000 characters.
        data: Observed values as ``{name: (value, unit)}``. A bare value is stored with an empty unit; names are cut to
            100 characters, strings to 1,000.

    Raises:
        TypeError: for a value that no response could show.
    """

    status: Status
    message: str = ""
    data: Mapping[str, Observed] = field(default_factory=lambda: NOTHING_OBSERVED, hash=False)

    def __post_init__(self) -> None:
        require_type("result: status", self.status, Status)
        require_type("result: message", self.message, str)
        if type(self.message) is not str or len(self.message) > MESSAGE_LIMIT:
            object.__setattr__(self, "message", _cut(self.message))
        if self.data is not NOTHING_OBSERVED:
            require_type("result: data", self.data, Mapping)
            observed: dict[str, Observed] = {}
            for name, value in self.data.items():
                require_type("result: a name in data", name, str)
                observed[unique_name(_cut(name, NAME_LIMIT), observed)] = _observed(name, value)
            object.__setattr__(self, "data", MappingProxyType(observed))


Data = Mapping[str, Observed | float | int | str | bool]
"""The forms in which a check function may pass observed values."""


def healthy(message: str = "", *, data: Data | None = None) -> Result:
    """Return a pass, for a check function to return.

    Args:
        message: Reason in words; the first 1,000 characters are kept.
        data: Observed values as ``{name: value}`` or ``{name: (value, unit)}``, for the details.
    """
    return _result(Status.HEALTHY, message, data)


def degraded(message: str, *, data: Data | None = None) -> Result:
    """Return a warning: the probe stays 200, and its body says ``warn``.

    Args:
        message: Reason in words; the first 1,000 characters are kept.
        data: Observed values as ``{name: value}`` or ``{name: (value, unit)}``, for the details.
    """
    return _result(Status.DEGRADED, message, data)


def unhealthy(message: str, *, data: Data | None = None) -> Result:
    """Return a failure with a message of your own, where an exception would give its own text.

    Args:
        message: Reason in words; the first 1,000 characters are kept.
        data: Observed values as ``{name: value}`` or ``{name: (value, unit)}``, for the details.
    """
    return _result(Status.UNHEALTHY, message, data)


HEALTHY = Result(Status.HEALTHY)


def interpret(value: object) -> Result:
    """Return the result that the return value of a check function stands for.

    Only None, True and a Result can be a pass. Anything else is a programming error and fails, because a check that
    returns ``0`` or ``[]`` has not said that it passed.
    """
    if value is None or value is True:
        return HEALTHY
    if isinstance(value, Result):
        return value
    if value is False:
        return Result(Status.UNHEALTHY, "returned False")
    if iscoroutine(value):
        value.close()  # otherwise the interpreter warns that it was never awaited
    return Result(
        Status.UNHEALTHY,
        f"returned {_shorten(value)}, expected None, True, False, healthy(...), degraded(...) or unhealthy(...)",
    )


def failure(error: BaseException) -> Result:
    """Return the failure that an exception stands for. Never raises, whatever the exception's ``__str__`` does."""
    return Result(Status.UNHEALTHY, describe(error))


def describe(error: BaseException, levels: int = 3) -> str:
    """Return ``TypeName: text`` for an exception, and for a group the same of the first exceptions inside.

    Groups in groups are followed to a depth of `levels`, because nested groups may share exceptions exponentially.
    """
    inside = _exceptions(error)
    if inside and levels:
        texts = "; ".join(describe(each, levels - 1) for each in inside[:3])
        more = f" (+{len(inside) - 3} more)" if len(inside) > 3 else ""
        return f"{type(error).__name__}: {texts}{more}"
    name = type(error).__name__
    try:
        text = str(error).strip()
    except BaseException:  # __str__ is the check's code, and may raise anything
        return f"{name} (its text cannot be read: __str__ raised)"
    return f"{name}: {text}" if text else name


def _exceptions(error: BaseException) -> tuple[BaseException, ...]:
    if isinstance(error, BaseExceptionGroup):
        return cast("BaseExceptionGroup[BaseException]", error).exceptions
    return ()


def _result(status: Status, message: str, data: Data | None) -> Result:
    return Result(status, message, NOTHING_OBSERVED if data is None else cast("Mapping[str, Observed]", data))


def unique_name(name: str, taken: Collection[str]) -> str:
    """Return `name`, with a number appended where it is `taken`: removing characters may have made names equal."""
    if name not in taken:
        return name
    # From the number of names: with thousands of equal names, counting from 2 for each would take quadratic time.
    numbers = chain((2,), count(len(taken)))
    return next(other for number in numbers if (other := f"{name} ({number})") not in taken)


def _observed(name: object, value: object) -> Observed:
    match value:
        case (str() | float() | int() as observed, str() as unit):
            return _plain(observed), _cut(unit)
        case str() | float() | int():
            return _plain(value), ""
        case _:
            raise TypeError(
                f"result: data[{name!r}] must be a number, a string, or a pair of one and its unit,"
                f" not {_shorten(value)}"
            )


def _plain(value: float | int | str | bool) -> float | int | str | bool:
    # By the methods of the builtin types: those of a subclass are code of the app, which may raise later, when a
    # response is rendered.
    match value:
        case bool():
            return value
        case str():
            return _cut(value)
        case int():
            return int.__int__(value)
        case _:
            return float.__float__(value)


def _cut(text: str, limit: int = MESSAGE_LIMIT) -> str:
    text = str.__str__(text)  # a plain str, also for a subclass
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _shorten(value: object) -> str:
    try:
        text = repr(value)
    except BaseException:
        text = "…"
    return f"{type(value).__name__} {text if len(text) <= VALUE_LIMIT else text[: VALUE_LIMIT - 1] + '…'}"
