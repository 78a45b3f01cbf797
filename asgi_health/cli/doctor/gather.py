"""Collect the facts of a loaded app. Nothing is started, and no check runs."""

from collections.abc import Sequence
from typing import Any

from asgi_health import Health, HealthMiddleware

from ...asgi.app_structure import components_of, components_outside_of, routes_of
from ...asgi.app_warnings import overlaps
from ...asgi.router import HealthRouter, Route
from ...middleware import router_of
from ..check.find_health import find_middlewares
from .facts import Layer
from .manifest import Container


def layers_of(app: Any, name: str) -> list[Layer]:
    """Return each layer of `app`, or the Health that it is. Raises CheckError as `find_middlewares` does."""
    if isinstance(app, Health):
        return [Layer(app.checks)]
    return [_layer(middleware, app) for middleware in find_middlewares(app, name)]


def routes_inside(app: Any) -> frozenset[str]:
    """Return the paths of the app's own routes without parameters."""
    # Not behind any class: those of the app inside of the layer count too.
    components = components_of(app, _NoClass)
    return frozenset(route.path for component in components for route in routes_of(component, may_import=True))


def containers_of_app(containers: Sequence[Container], layers: Sequence[Layer], name: str | None) -> list[Container]:
    """Return the containers that run the app: those of this name, or else those that ask a path of its layers.

    Where none asks one, and a single container has probes, it is that one: its paths are wrong.
    """
    if name is not None:
        return [each for each in containers if each.short_name == name]
    if len(containers) > 1:
        answered = [
            container
            for container in containers
            if any(layer.find and layer.find(each.path) for layer in layers for each in container.probes if each.path)
        ]
        return answered or [each for each in containers if each.probes]
    return list(containers)


def _layer(middleware: HealthMiddleware, app: Any) -> Layer:
    router = router_of(middleware)
    return Layer(
        middleware.health.checks,
        middleware.paths,
        middleware.drain,
        middleware.listener,
        getattr(middleware, "board", None),
        router.policies,
        lambda path: _find(router, path),
        components_outside_of(middleware, app),
        tuple(overlaps(middleware.app, middleware.health, middleware.paths, HealthMiddleware, may_import=True)),
    )


def _find(router: HealthRouter, path: str) -> Route | None:
    return router.find({"type": "http", "method": "GET", "path": path, "root_path": ""})


class _NoClass:
    """No component is of this class."""
