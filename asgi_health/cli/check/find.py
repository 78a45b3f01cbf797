"""Find the Health of an app, wherever in it the middleware stands."""

import gc
import sys
from collections import deque
from collections.abc import Iterable
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any

from ...asgi.types import Receive, Scope, Send
from ...health import Health
from ...middleware import HealthMiddleware
from .trouble import Trouble

MOST = 200_000
"""Objects that are looked at, the nearest first: an app may hold on to all that there is."""

LEAVES = (str, bytes, int, float, type, ModuleType, CodeType, FrameType, BuiltinFunctionType, Health)
"""What no middleware stands in, or what leads to other apps: from a class or a module one gets to everything."""


def take_out() -> None:
    """Make every HealthMiddleware of this process hand over to the app inside, without a word of its own.

    The checks need what the app's own startup makes, but no listener and no signal handler of the health layer.
    """
    HealthMiddleware.__call__ = _hand_over  # type: ignore[method-assign]


def require_app(thing: Any, name: str) -> None:
    """Raise Trouble for what is no app at first sight."""
    if isinstance(thing, type):
        raise Trouble(
            f"{name} is the class {thing.__name__}, expected an ASGI app or a Health; if it makes one, write {name}()"
        )
    if not callable(thing):
        raise Trouble(f"{name} is of type {type(thing).__name__}, expected an ASGI app or a Health")


def find(app: Any, name: str) -> list[Health]:
    """Return each Health whose middleware is around `app`, or can be reached from it: added, wrapped, mounted.

    Raises Trouble where the middleware of the app cannot be made.
    """
    healths: list[Health] = []
    seen = {id(app)}
    waiting = deque([app])
    for _ in range(MOST):
        if not waiting:
            break
        thing = waiting.popleft()
        if _is(thing, HealthMiddleware):
            if thing.health not in healths:
                healths.append(thing.health)
            inside: Iterable[Any] = [thing.app]
        else:
            _build(thing, name)
            inside = _inside(thing)
        for each in inside:
            if not _is(each, *LEAVES) and id(each) not in seen:
                seen.add(id(each))
                waiting.append(each)
    return healths


def elsewhere(app: object) -> str:
    """Return how to name a Health that could have been meant instead of `app`, nothing when there is none."""
    made = [thing for thing in gc.get_objects() if _is(thing, HealthMiddleware, Health)]
    around = [each for each in made if _is(each, HealthMiddleware) and each.app is app]
    names = sorted(
        f"{module.__name__}:{attribute}"
        for module in list(sys.modules.values())
        for attribute, value in list(vars(module).items())
        if attribute.isidentifier() and any(value is each for each in around or made)
    )
    if names:
        return f"; name the one that is meant: {' or '.join(names[:3])}"
    if made:
        return "; one was made in this process, but no way leads to it from there: give it a name in a module"
    return ""


async def _hand_over(self: HealthMiddleware, scope: Scope, receive: Receive, send: Send) -> None:
    await self.app(scope, receive, send)


def _is(thing: object, *kinds: type[Any]) -> bool:
    """Tell whether `thing` is of one of the kinds, without asking it: a proxy claims to be what it stands for."""
    return issubclass(_class_of(thing), kinds)


def _class_of(thing: object) -> type[object]:
    return type(thing)


def _build(thing: Any, name: str) -> None:
    """Let Starlette and FastAPI make their middleware now, which they otherwise do at the first request."""
    build = getattr(_class_of(thing), "build_middleware_stack", None)
    if callable(build) and getattr(thing, "middleware_stack", 0) is None:
        try:
            thing.middleware_stack = thing.build_middleware_stack()
        except Exception as error:
            raise Trouble(f"{name}: its middleware cannot be made", error) from error


def _inside(thing: object) -> Iterable[Any]:
    """Return what `thing` holds, without running any code of it: it may make up an attribute for every name."""
    if type(thing) is FunctionType:  # not its module
        return [*(thing.__closure__ or ()), *(thing.__defaults__ or ()), thing.__dict__]
    return gc.get_referents(thing)
