"""The application's own client: given as it is, or as a function that returns it, because it is made at startup."""

import inspect
import sys
from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import Any, TypeAlias, TypeVar, cast

from ...core.result import Result

T = TypeVar("T")

ClientOrFactory: TypeAlias = T | Callable[[], T | None]
"""A client, or a plain function without arguments that returns it once it is there."""

AsyncCheck = Callable[[], Coroutine[object, object, Result]]
"""What an async check of these rooms is: it runs in the loop, and its deadline cancels it."""

PlainCheck = Callable[[], Result]
"""What a check with a blocking driver is: it runs in a thread, which no deadline can end."""


class ClientError(Exception):
    """There is no client to ask with: it is not there yet, it is closed, or it works on another event loop."""


def load(module: str, *, extra: str) -> Any:
    """Return `module` of a driver.

    Raises ModuleNotFoundError with the extra that brings the driver where it is not installed. What the driver itself
    lacks is raised as it is.
    """
    driver = module.partition(".")[0]
    try:
        import_module(driver)
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != driver:
            raise
        raise ModuleNotFoundError(
            f'{driver} is not installed; try: pip install "asgi-health[{extra}]"', name=error.name
        ) from None


def client_getter(given: ClientOrFactory[T], *kinds: type, by: str, on_trio: bool = False) -> Callable[[], T]:
    """Return a function that returns the client, an instance of one of `kinds`, whenever a check of `by` runs.

    Raises TypeError at once where `given` is neither such a client nor a function without arguments. The function
    returned raises ClientError while there is no client, and in a task of trio unless the clients work `on_trio`, and
    TypeError when it is handed another thing.
    """
    if isinstance(given, kinds):

        def function() -> object:
            return given

    elif _is_function(given):
        function = cast("Callable[[], object]", given)
    else:
        expected, found = _told_apart(kinds, given)
        raise TypeError(
            f"{by}: expected {expected}, or a plain function without arguments that returns one, not {found}"
        )

    def get() -> T:
        if not on_trio:
            require_asyncio()
        found = function()
        if found is None:
            raise ClientError("there is no client yet: the function that should return it returned None")
        if not isinstance(found, kinds):
            if inspect.iscoroutine(found):
                found.close()
            expected, other = _told_apart(kinds, found)
            raise TypeError(f"{by}: the function returned {other}, expected {expected}")
        return cast("T", found)

    return get


def require_asyncio() -> None:
    """Raise ClientError in a task of trio: most drivers are made for asyncio, and would fail there in words of theirs.

    In a thread there is no task, and a plain driver is at home.
    """
    trio = sys.modules.get("trio")  # one that nobody has imported does not run
    if trio is not None and trio.lowlevel.in_trio_task():
        raise ClientError("the driver needs asyncio, and the event loop is trio's")


def _is_function(given: object) -> bool:
    if not callable(given) or isinstance(given, type) or inspect.iscoroutinefunction(given):
        return False
    try:
        inspect.signature(given).bind()
    except (TypeError, ValueError):
        return False
    return True


def _told_apart(kinds: tuple[type, ...], found: object) -> tuple[str, str]:
    """Return what was expected and what was found, by their packages, or by their modules where that is not enough.

    redis.client.Redis and redis.asyncio.client.Redis are both redis.Redis to their users.
    """
    other = found if isinstance(found, type) else type(found)
    alike = other not in kinds and _short_name(other) in map(_short_name, kinds)
    name = _full_name if alike else _short_name
    expected = " or ".join(map(name, kinds))
    return expected, f"the class {name(other)}" if isinstance(found, type) else f"one of {name(other)}"


def _short_name(kind: type) -> str:
    package = kind.__module__.partition(".")[0]
    return kind.__qualname__ if package == "builtins" else f"{package}.{kind.__qualname__}"


def _full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
