"""Import the app that ``module:app`` names."""

import importlib
import inspect
import sys
from collections.abc import Callable
from typing import Any

from .check_error import CheckError


def load_app(module: str, attribute: str) -> object:
    """Return `attribute` of `module`, or what it returns if the attribute ends in ``()``. Raises CheckError."""
    sys.path.insert(0, "")  # the current directory, as servers do
    value: Any = _call_app(f"importing {module} failed", lambda: importlib.import_module(module))
    name = module
    for part in attribute.removesuffix("()").split("."):
        value = _call_app(f"reading {part!r} of {name} failed", lambda: _get_attribute(value, part, name))  # noqa: B023
        name = f"{name}:{part}" if name == module else f"{name}.{part}"
    if attribute.endswith("()"):
        if not callable(value):
            raise CheckError(f"{name} cannot be called: it is of type {type(value).__name__}")
        return _call_app(f"{name}() failed", value)
    if inspect.isfunction(value) and _accepts_arguments(value, 0) and not _accepts_arguments(value, 3):
        raise CheckError(f"{name} is a function, not an ASGI app; if it returns one, write {name}()")
    return value


def _call_app(step: str, call: Callable[[], object]) -> object:
    """Return what `call` returns. It runs code of the app, so each exception, SystemExit too, becomes a CheckError."""
    try:
        return call()
    except (KeyboardInterrupt, CheckError):
        raise
    except BaseException as error:
        raise CheckError(step, error) from error


def _get_attribute(owner: object, part: str, name: str) -> object:
    try:
        return getattr(owner, part)
    except AttributeError:
        raise CheckError(f"{name} has no attribute {part!r}") from None


def _accepts_arguments(function: Callable[..., object], count: int) -> bool:
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    return True
