"""Find the HealthMiddleware of an app, and its Health, wherever in the app it is."""

import gc
import sys
from collections import deque
from collections.abc import Iterable
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any

from asgi_health import Health, HealthMiddleware

from ...asgi.types import Receive, Scope, Send
from .check_error import CheckError

MAX_OBJECTS = 200_000
"""Maximum number of objects that are searched, the nearest first: an app may refer to everything in its process."""

NOT_SEARCHED = (str, bytes, int, float, type, ModuleType, CodeType, FrameType, BuiltinFunctionType, Health)
"""Types whose objects contain no middleware, or lead to other apps: classes and modules lead to everything."""


def bypass_middleware() -> None:
    """Make every HealthMiddleware of this process call its app directly.

    The checks need what the app's own startup creates, but not the listener and the signal handler of asgi-health.
    """
    HealthMiddleware.__call__ = _call_app  # type: ignore[method-assign]


def require_app(value: Any, name: str) -> None:
    """Raise CheckError if `value` obviously is not an ASGI app."""
    if isinstance(value, type):
        raise CheckError(
            f"{name} is the class {value.__name__}, expected an ASGI app or a Health; "
            f"if its instances are apps, write {name}()"
        )
    if not callable(value):
        raise CheckError(f"{name} is of type {type(value).__name__}, expected an ASGI app or a Health")


def find_healths(app: Any, name: str) -> list[Health]:
    """Return each Health whose middleware `find_middlewares` finds, once. Raises CheckError as it does."""
    healths: list[Health] = []
    for middleware in find_middlewares(app, name):
        if middleware.health not in healths:
            healths.append(middleware.health)
    return healths


def find_middlewares(app: Any, name: str) -> list[HealthMiddleware]:
    """Return each HealthMiddleware around `app` or reachable from it, the nearest first: added, wrapped or mounted.

    Raises CheckError if the middleware of the app cannot be created.
    """
    middlewares: list[HealthMiddleware] = []
    seen = {id(app)}
    queue = deque([app])
    for _ in range(MAX_OBJECTS):
        if not queue:
            break
        value = queue.popleft()
        if _is_instance(value, HealthMiddleware):
            middlewares.append(value)
            references: Iterable[Any] = [value.app]
        else:
            _build_middleware(value, name)
            references = _references(value)
        for reference in references:
            if not _is_instance(reference, *NOT_SEARCHED) and id(reference) not in seen:
                seen.add(id(reference))
                queue.append(reference)
    return middlewares


def suggest_health(app: object) -> str:
    """Return a hint, for the end of an error message, at a Health that may have been meant instead of `app`."""
    candidates = [value for value in gc.get_objects() if _is_instance(value, HealthMiddleware, Health)]
    around = [value for value in candidates if _is_instance(value, HealthMiddleware) and value.app is app]
    names = sorted(
        f"{module.__name__}:{attribute}"
        for module in list(sys.modules.values())
        for attribute, value in list(vars(module).items())
        if attribute.isidentifier() and any(value is candidate for candidate in around or candidates)
    )
    if names:
        return f"; did you mean {' or '.join(names[:3])}?"
    if candidates:
        return "; there is one that the app does not refer to: assign it to a variable of a module and name that"
    return ""


async def _call_app(self: HealthMiddleware, scope: Scope, receive: Receive, send: Send) -> None:
    await self.app(scope, receive, send)


def _is_instance(value: object, *kinds: type[Any]) -> bool:
    """Return whether `value` is of one of `kinds`. Unlike isinstance, this ignores the class that a proxy claims."""
    return issubclass(_class_of(value), kinds)


def _class_of(value: object) -> type[object]:
    return type(value)


def _build_middleware(value: Any, name: str) -> None:
    """Make Starlette and FastAPI create their middleware now; they do so at their first request otherwise."""
    build = getattr(_class_of(value), "build_middleware_stack", None)
    if callable(build) and getattr(value, "middleware_stack", 0) is None:
        try:
            value.middleware_stack = value.build_middleware_stack()
        except Exception as error:
            raise CheckError(f"{name}: its middleware cannot be created", error) from error


def _references(value: object) -> Iterable[Any]:
    """Return the objects that `value` refers to, without running its code.

    Not by getattr(), because a mock returns something for every attribute.
    """
    if type(value) is FunctionType:  # without its globals, which are its module
        return [*(value.__closure__ or ()), *(value.__defaults__ or ()), value.__dict__]
    return gc.get_referents(value)
