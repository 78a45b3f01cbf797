"""The application's own client: given as it is, or as a function that returns it, because it is made at startup."""

import inspect
from collections.abc import Callable, Coroutine
from typing import TypeAlias, TypeVar, cast

from ..core.result import Result

T = TypeVar("T")

Given: TypeAlias = T | Callable[[], T | None]
"""A client, or a plain function without arguments that returns it once it is there."""

AsyncCheck = Callable[[], Coroutine[object, object, Result]]
"""What an async check of these rooms is: it runs in the loop, and its deadline cancels it."""

PlainCheck = Callable[[], Result]
"""What a check with a blocking driver is: it runs in a thread, which no deadline can end."""


class ClientError(Exception):
    """There is no client to ask with: it is not there yet, or it is closed."""


def client_getter(given: Given[T], *kinds: type, by: str) -> Callable[[], T]:
    """Return a function that returns the client, an instance of one of `kinds`, whenever a check of `by` runs.

    Raises TypeError at once where `given` is neither such a client nor a function without arguments. The function
    returned raises ClientError while there is no client, and TypeError when it is handed another thing.
    """
    if isinstance(given, kinds):
        client = cast("T", given)
        return lambda: client
    if not _is_function(given):
        expected = f"{_names(kinds)}, or a plain function without arguments that returns one"
        raise TypeError(f"{by}: expected {expected}, not {_name(given)}")
    function = cast("Callable[[], object]", given)

    def get() -> T:
        found = function()
        if found is None:
            raise ClientError("there is no client yet: the function that should return it returned None")
        if not isinstance(found, kinds):
            if inspect.iscoroutine(found):
                found.close()
            raise TypeError(f"{by}: the function returned {_name(found)}, expected {_names(kinds)}")
        return cast("T", found)

    return get


def _is_function(given: object) -> bool:
    if not callable(given) or isinstance(given, type) or inspect.iscoroutinefunction(given):
        return False
    try:
        inspect.signature(given).bind()
    except (TypeError, ValueError):
        return False
    return True


def _names(kinds: tuple[type, ...]) -> str:
    return " or ".join(map(_full_name, kinds))


def _name(value: object) -> str:
    return f"the class {_full_name(value)}" if isinstance(value, type) else f"one of {_full_name(type(value))}"


def _full_name(kind: type) -> str:
    package = kind.__module__.partition(".")[0]
    return kind.__qualname__ if package == "builtins" else f"{package}.{kind.__qualname__}"
