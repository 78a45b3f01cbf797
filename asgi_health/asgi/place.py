"""Where in an app the middleware stands, as far as that can be seen, and what does not work there."""

from functools import cache
from types import MethodType

from ..core.logger import logger
from .below import attribute
from .types import Scope

LITESTAR = (
    "HealthMiddleware in middleware=[...] of Litestar sees no path that has no route, so that every probe is a 404, and"
    " no lifespan; expected: app = HealthMiddleware(Litestar(...), ...)"
)

DEEP = 10
"""Wrappers around wrappers that are looked through."""


def root_of(scope: Scope) -> str:
    """Return the path below which the app of this request is mounted, empty for none."""
    root = scope.get("root_path")
    return root.rstrip("/") if isinstance(root, str) else ""


def warn_of_litestar(app: object) -> None:
    """Log that `app` is a part of Litestar's, which gives each route a stack of middleware of its own."""
    for _ in range(DEEP):
        if isinstance(app, MethodType):
            app = app.__self__
        classes = type(app).__mro__
        if any(each.__name__ == "Litestar" for each in classes):
            return
        if classes[0].__module__.partition(".")[0] == "litestar":
            _warn_once(LITESTAR)
            return
        app = attribute(app, "app")


@cache
def _warn_once(text: str) -> None:
    logger.warning("%s", text)  # one is made for each route
