"""Import what ``module:app`` names."""

import importlib
import inspect
import sys
from collections.abc import Callable
from typing import Any

from .trouble import Trouble


def load(module: str, attribute: str) -> object:
    """Return what is called `attribute` in `module`, or what it makes where that ends in ``()``. Raises Trouble."""
    sys.path.insert(0, "")  # the current directory, as servers do
    found: Any = _tried(f"importing {module} failed", lambda: importlib.import_module(module))
    name = module
    for part in attribute.removesuffix("()").split("."):
        found = _tried(f"reading {part!r} of {name} failed", lambda: _attribute(found, part, name))  # noqa: B023
        name = f"{name}:{part}" if name == module else f"{name}.{part}"
    if attribute.endswith("()"):
        if not callable(found):
            raise Trouble(f"{name} cannot be called: it is of type {type(found).__name__}")
        return _tried(f"{name}() failed", found)
    if inspect.isfunction(found) and _takes(found, 0) and not _takes(found, 3):
        raise Trouble(f"{name} is a function, not an ASGI app; if it makes one, write {name}()")
    return found


def _tried(doing: str, call: Callable[[], object]) -> object:
    """Return what `call` returns. It is the app's code: whatever comes out of it, sys.exit too, is a Trouble."""
    try:
        return call()
    except (KeyboardInterrupt, Trouble):
        raise
    except BaseException as error:
        raise Trouble(doing, error) from error


def _attribute(owner: object, part: str, name: str) -> object:
    try:
        return getattr(owner, part)
    except AttributeError:
        raise Trouble(f"{name} has no attribute {part!r}") from None


def _takes(function: Callable[..., object], count: int) -> bool:
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    return True
