"""The Health of the HealthMiddleware around an app, for its routes."""

from typing import Any, cast

from ...asgi.app_structure import attribute, components_of
from ...core.lifecycle import Phase
from ...health import Health, engine_of
from ...middleware import HealthMiddleware, middlewares
from .. import not_installed

try:
    from fastapi.requests import HTTPConnection
except ModuleNotFoundError as error:
    raise not_installed(error, "fastapi", extra="fastapi") from None

MAX_DEPTH = 100
"""Middlewares that are followed from the outermost one to the app."""


async def get_health(connection: HTTPConnection) -> Health:  # async: FastAPI would run a plain one in a thread
    """Return the Health of the app that answers this request: ``Depends(get_health)``.

    The HealthMiddleware may be among the app's own middlewares (``app.add_middleware``) or around the app. It is found
    through the app, so that requests carry nothing for it.

    Args:
        connection: The request or the websocket.

    Raises:
        RuntimeError: when there is no HealthMiddleware around the app.
    """
    app: object = connection.scope.get("app")
    middleware = find_middleware(app)
    if middleware is None:
        raise RuntimeError(
            f"get_health: there is no HealthMiddleware around this {type(app).__name__}; expected"
            " app.add_middleware(HealthMiddleware, ...) or HealthMiddleware(app, ...)"
        )
    return middleware.health


def find_middleware(app: object) -> HealthMiddleware | None:
    """Return the HealthMiddleware among the middlewares of `app`, or the one around it.

    Where an app has been wrapped several times, as test suites do, it is the one that serves, or the last.
    """
    inside = _inside(app)
    if inside is not None:
        return inside
    around = [each for each in middlewares() if _leads_to(each, app)]
    if not around:  # a mounted app
        around = [
            each
            for each in middlewares()
            if any(component.value is app for component in components_of(each.app, HealthMiddleware))
        ]
    serving = [each for each in around if engine_of(each.health).phase in (Phase.SERVING, Phase.DRAINING)]
    candidates = serving or around
    return candidates[-1] if candidates else None


def _inside(app: object) -> HealthMiddleware | None:
    layer: Any = attribute(app, "middleware_stack")
    for _ in range(MAX_DEPTH):
        if layer is None or isinstance(layer, HealthMiddleware):
            return layer
        layer = _next(layer)
    return None


def _leads_to(middleware: HealthMiddleware, app: object) -> bool:
    layer: Any = middleware.app
    for _ in range(MAX_DEPTH):
        if layer is None or layer is app:
            return layer is not None
        layer = _next(layer)
    return False


def _next(layer: Any) -> Any:
    """Return what a middleware passes requests to. Without `attribute`, which takes 20 us for an app that has none."""
    if isinstance(layer, HealthMiddleware):
        return layer.app
    try:
        return cast("dict[str, Any]", vars(layer)).get("app")
    except TypeError:  # a class with slots
        return attribute(layer, "app")
