"""Logs what the health layer hides or duplicates in the app, and where it does not work: once, when the app starts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MethodType
from typing import Any, Literal, Protocol, cast

from ..core.check import Check
from ..core.logger import logger
from ..core.status import Probe
from .app_structure import Component, attribute, components_of, pending_middlewares_of, routes_of
from .paths import Paths

PATH_OPTIONS = ("health", "live", "ready", "startup", "metrics", "events", "maintenance")

LITESTAR_WARNING = (
    "HealthMiddleware in middleware=[...] of Litestar sees only paths that have a route, so every probe gets a 404, and"
    " it gets no lifespan; expected: app = HealthMiddleware(Litestar(...), ...) or plugins=[HealthPlugin(...)]"
)

MAX_WRAPPERS = 10
"""Wrappers around wrappers that are followed to find Litestar."""


class HasChecks(Protocol):
    """A Health."""

    @property
    def checks(self) -> tuple[Check, ...]:
        """Its checks."""
        ...


@dataclass(frozen=True, slots=True)
class Overlap:
    """A part of the app that the layer hides or duplicates.

    Attributes:
        kind: "layer" for another layer inside of the app, "route" for a route that is hidden.
        what: What is hidden by what.
        cure: What to change.
    """

    kind: Literal["layer", "route"]
    what: str
    cure: str


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
        for each in overlaps(app, health, paths, layer, may_import=may_import):
            logger.warning("%s%s %s", each.what, ";" if each.kind == "route" else ".", each.cure)
    except Exception as error:
        logger.debug("the structure of the app cannot be inspected: %r", error)


def overlaps(app: object, health: HasChecks, paths: Paths, layer: type, *, may_import: bool) -> Iterator[Overlap]:
    """Yield each other health layer inside of the app, and each route that the health paths hide.

    The arguments are those of `warn_of_overlaps`.
    """
    for component in components_of(app, layer):
        for other, other_paths in _layers(component, layer):
            if other is not health:
                yield _layer_inside(health, paths, other, other_paths, component.prefix)
        for route in routes_of(component, may_import=may_import):
            yield from _hidden_by(paths, route.path, route.name)


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


def _layer_inside(health: HasChecks, paths: Paths, other: Any, other_paths: Paths, prefix: str) -> Overlap:
    answered = {path for probe in Probe for path in paths.of(probe)}
    reachable = [
        f"{prefix}{path}" for probe in Probe for path in other_paths.of(probe) if f"{prefix}{path}" not in answered
    ]
    reached = f"answers only {' '.join(reachable)}" if reachable else "gets no request"
    return Overlap(
        "layer",
        f"two health layers in one app: the outer one (checks: {_names(health)}) answers {' '.join(sorted(answered))};"
        f" the inner one (checks: {_names(other)}) {reached}, and its checks do not count for the outer one",
        "Expected one layer, or the same Health for both",
    )


def _names(checks: Any) -> str:
    checks = getattr(checks, "checks", checks)
    if not isinstance(checks, list | tuple | Mapping):
        return "none" if checks is None else "some"  # an iterator, which only the other layer may consume
    names = [str(getattr(each, "name", each)) for each in cast("list[object]", checks)]
    return ", ".join(names) or "none"


def _hidden_by(paths: Paths, path: str, name: str) -> Iterator[Overlap]:
    for option in PATH_OPTIONS:
        used: tuple[str, ...] = getattr(paths, option)
        if path.rstrip("/") in used:
            remaining = tuple(each for each in used if each != path.rstrip("/"))
            value = repr(remaining[0]) if len(remaining) == 1 else repr(remaining or None)
            yield Overlap(
                "route",
                f"the health path {path.rstrip('/')} hides the app's route {path} ({name})",
                f"paths=Paths({option}={value}) makes it reachable",
            )
