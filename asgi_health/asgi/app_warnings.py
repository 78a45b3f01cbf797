"""Logs what the health layer hides or duplicates in the app, and where it does not work: once, when the app starts."""

from collections.abc import Iterator, Mapping
from functools import cache
from types import MethodType
from typing import Any, Protocol, cast

from ..core.check import Check
from ..core.logger import logger
from ..core.status import Probe
from .app_structure import Component, attribute, components_of, pending_middlewares_of, routes_of
from .paths import Paths

PATH_OPTIONS = ("health", "live", "ready", "startup", "metrics", "events", "maintenance")

LITESTAR_WARNING = (
    "HealthMiddleware in middleware=[...] of Litestar sees only paths that have a route, so every probe gets a 404, and"
    " it gets no lifespan; expected: app = HealthMiddleware(Litestar(...), ...)"
)

MAX_WRAPPERS = 10
"""Wrappers around wrappers that are followed to find Litestar."""


class HasChecks(Protocol):
    """A Health."""

    @property
    def checks(self) -> tuple[Check, ...]:
        """Its checks."""
        ...


def warn_of_overlaps(app: object, health: HasChecks, paths: Paths, layer: type, *, may_import: bool) -> None:
    """Log a warning for each other health layer inside of the app, and for each route that the health paths hide.

    An error in here is logged and has no other effect.

    Args:
        app: The app inside of the health layer.
        health: The Health of the layer.
        paths: The paths of the layer.
        layer: The class of health layers.
        may_import: Whether modules of the app may be imported to see their routes.
    """
    try:
        for component in components_of(app, layer):
            for other, other_paths in _layers(component, layer):
                if other is not health:
                    _warn_of_layer(health, paths, other, other_paths, component.prefix)
            for route in routes_of(component, may_import=may_import):
                _warn_of_route(paths, route.path, route.name)
    except Exception as error:
        logger.debug("the structure of the app cannot be inspected: %r", error)


def warn_of_litestar(app: object) -> None:
    """Log that `app` is a component of Litestar, which gives each route middlewares of its own."""
    for _ in range(MAX_WRAPPERS):
        if isinstance(app, MethodType):
            app = app.__self__
        classes = type(app).__mro__
        if any(each.__name__ == "Litestar" for each in classes):
            return
        if classes[0].__module__.partition(".")[0] == "litestar":
            _warn_once(LITESTAR_WARNING)
            return
        app = attribute(app, "app")


@cache
def _warn_once(text: str) -> None:
    logger.warning("%s", text)  # Litestar makes one middleware per route


def _layers(component: Component, layer: type) -> Iterator[tuple[Any, Paths]]:
    if issubclass(type(component.value), layer):
        yield component.value.health, component.value.paths
    for each in pending_middlewares_of(component):
        if isinstance(each.cls, type) and issubclass(each.cls, layer):
            yield each.kwargs.get("checks"), each.kwargs.get("paths", Paths())


def _warn_of_layer(health: HasChecks, paths: Paths, other: Any, other_paths: Paths, prefix: str) -> None:
    answered = {path for probe in Probe for path in paths.of(probe)}
    reachable = [
        f"{prefix}{path}" for probe in Probe for path in other_paths.of(probe) if f"{prefix}{path}" not in answered
    ]
    logger.warning(
        "two health layers in one app: the outer one (checks: %s) answers %s; the inner one (checks: %s) %s, and its"
        " checks do not count for the outer one. Expected one layer, or the same Health for both",
        _names(health),
        " ".join(sorted(answered)),
        _names(other),
        f"answers only {' '.join(reachable)}" if reachable else "gets no request",
    )


def _names(checks: Any) -> str:
    checks = getattr(checks, "checks", checks)
    if not isinstance(checks, list | tuple | Mapping):
        return "none" if checks is None else "some"  # an iterator, which only the other layer may consume
    names = [str(getattr(each, "name", each)) for each in cast("list[object]", checks)]
    return ", ".join(names) or "none"


def _warn_of_route(paths: Paths, path: str, name: str) -> None:
    for option in PATH_OPTIONS:
        used: tuple[str, ...] = getattr(paths, option)
        if path.rstrip("/") in used:
            remaining = tuple(each for each in used if each != path.rstrip("/"))
            value = repr(remaining[0]) if len(remaining) == 1 else repr(remaining or None)
            logger.warning(
                "the health path %s hides the app's route %s (%s); paths=Paths(%s=%s) makes it reachable",
                path.rstrip("/"),
                path,
                name,
                option,
                value,
            )
