"""Find the Health of an app, and the app without its health layer.

The checks need what the app's own startup makes, but no listener and no signal handler of the health layer. So each
HealthMiddleware is taken out of its place, and what is left is what gets started.
"""

from typing import Any

from ...asgi.middleware import HealthMiddleware
from ...core.health import Health
from .trouble import Trouble

INNER = ("app", "asgi_app", "middleware_stack")
"""The attributes in which wrappers and frameworks keep the next app: by convention, Quart, Starlette and FastAPI."""

MOST = 100
"""Apps in apps that are looked at: there are objects that make up an attribute for every name."""


class Found:
    """What there is to check, and what has to be started for it; `app` is None for a Health without an app."""

    def __init__(self, app: Any, healths: list[Health]) -> None:
        self.app = app
        self.healths = healths


def find(thing: Any, name: str) -> Found:
    """Return what `thing` consists of. Raises Trouble when it is no app, or has no health layer."""
    if isinstance(thing, Health):
        return Found(None, [thing])
    if isinstance(thing, type):
        raise Trouble(
            f"{name} is the class {thing.__name__}, expected an ASGI app or a Health; if it makes one, write {name}()"
        )
    if not callable(thing):
        raise Trouble(f"{name} is of type {type(thing).__name__}, expected an ASGI app or a Health")
    search = _Search(name)
    app = search.stripped(thing)
    if not search.healths:
        raise Trouble(f"{name} has no HealthMiddleware, around it or added to it")
    return Found(app, search.healths)


class _Search:
    """A walk from the outermost app to the innermost."""

    def __init__(self, name: str) -> None:
        self.healths: list[Health] = []
        self._name = name
        self._seen: list[Any] = []

    def stripped(self, app: Any) -> Any:
        """Return `app` without its health layers."""
        while isinstance(app, HealthMiddleware):
            if app.health not in self.healths:
                self.healths.append(app.health)
            app = app.app
        if len(self._seen) == MOST or any(app is each for each in self._seen):
            return app
        self._seen.append(app)
        self._build(app)
        for attribute in INNER:
            inner = _attribute(app, attribute)
            if callable(inner) and (rest := self.stripped(inner)) is not inner:
                self._put(app, attribute, rest)
        return app

    def _put(self, app: Any, attribute: str, rest: Any) -> None:
        try:
            setattr(app, attribute, rest)
        except Exception as error:
            what = f"{type(app).__name__}.{attribute}"
            raise Trouble(f"{self._name}: the health layer cannot be taken out of {what}", error) from error

    def _build(self, app: Any) -> None:
        """Let Starlette and FastAPI make their middleware now, which they otherwise do at the first request."""
        build = _attribute(app, "build_middleware_stack")
        if callable(build) and getattr(app, "middleware_stack", app) is None:
            try:
                app.middleware_stack = build()
            except Exception as error:
                raise Trouble(f"{self._name}: its middleware cannot be made", error) from error


def _attribute(app: Any, name: str) -> object:
    try:
        return getattr(app, name, None)
    except Exception:  # one that is computed, and cannot be yet
        return None
