"""The client of the application: passed as it is, or as a function that returns it, because the startup makes it."""

import inspect
import sys
from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import Any, TypeAlias, TypeVar, cast

from ...core.result import Result

T = TypeVar("T")

ClientOrFactory: TypeAlias = T | Callable[[], T | None]
"""A client, or a plain function without arguments that returns it. The function may return None before the client
exists.
"""

AsyncCheck = Callable[[], Coroutine[object, object, Result]]
"""An async check. It runs in the event loop, and its deadline cancels it."""

PlainCheck = Callable[[], Result]
"""A check with a blocking driver. It runs in a thread, which no deadline can end."""


class ClientError(Exception):
    """The client cannot be used: it does not exist yet, is closed, or belongs to another event loop."""


def load(module: str, *, extra: str) -> Any:
    """Return `module` of a driver, imported now.

    Raises ModuleNotFoundError that names the extra where the driver is not installed. Where the driver is installed and
    lacks a module of its own, that error is raised as it is.
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
    """Return a function that returns the client when the check runs.

    The returned function raises ClientError while there is no client, and in a task of trio unless `on_trio`. It raises
    TypeError where the caller's function returns something else than a client.

    Args:
        given: The client, or the function that returns it.
        kinds: The classes of the client.
        by: The name of the check, with which errors begin.
        on_trio: The client works on trio too.

    Raises:
        TypeError: `given` is neither such a client nor a function without arguments.
    """
    if isinstance(given, kinds):

        def function() -> object:
            return given

    elif _is_function(given):
        function = cast("Callable[[], object]", given)
    else:
        expected, found = _names(kinds, given)
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
            expected, other = _names(kinds, found)
            raise TypeError(f"{by}: the function returned {other}, expected {expected}")
        return cast("T", found)

    return get


def require_asyncio() -> None:
    """Raise ClientError in a task of trio. Most drivers need asyncio, and fail on trio with errors that hide this.

    A thread runs no task, so a blocking driver passes.
    """
    trio = sys.modules.get("trio")  # where nothing has imported it, it does not run
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


def _names(kinds: tuple[type, ...], found: object) -> tuple[str, str]:
    """Return the names of the expected classes and of what was found: package and class, or module and class.

    The module is named where package and class are the same for both: users know redis.client.Redis and
    redis.asyncio.client.Redis as redis.Redis.
    """
    other = found if isinstance(found, type) else type(found)
    ambiguous = other not in kinds and _short_name(other) in map(_short_name, kinds)
    name = _full_name if ambiguous else _short_name
    expected = " or ".join(map(name, kinds))
    return expected, f"the class {name(other)}" if isinstance(found, type) else f"one of {name(other)}"


def _short_name(kind: type) -> str:
    package = kind.__module__.partition(".")[0]
    return kind.__qualname__ if package == "builtins" else f"{package}.{kind.__qualname__}"


def _full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
