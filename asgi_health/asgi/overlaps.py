"""What a health layer and its app both answer: logged once, when the app has started."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from ..core.health import Health
from ..core.logger import logger
from ..core.standing import PROBES
from .below import Thing, added_to, routes_of, things_below
from .paths import Paths

OPTIONS = ("health", "live", "ready", "startup")


def warn_of_overlaps(app: object, health: Health, paths: Paths, layer: type, *, load: bool) -> None:
    """Log a warning of each other health layer below, and of the routes that the health paths hide.

    `layer` is the class of such layers. Nothing that goes wrong here concerns the app.
    """
    try:
        for thing in things_below(app, layer):
            for other, its_paths in _layers(thing, layer):
                if other is not health:
                    _warn_of_layer(health, paths, other, its_paths, thing.prefix)
            for route in routes_of(thing, load=load):
                _warn_of_route(paths, route.path, route.name)
    except Exception as error:
        logger.debug("what lies below the health layer cannot be seen: %r", error)


def _layers(thing: Thing, layer: type) -> Iterator[tuple[Any, Paths]]:
    if issubclass(type(thing.it), layer):
        yield thing.it.health, thing.it.paths
    for each in added_to(thing):
        if isinstance(each.cls, type) and issubclass(each.cls, layer):
            yield each.kwargs.get("checks"), each.kwargs.get("paths", Paths())


def _warn_of_layer(health: Health, paths: Paths, other: Any, its_paths: Paths, prefix: str) -> None:
    answered = {path for probe in PROBES for path in paths.of(probe)}
    left = [f"{prefix}{path}" for probe in PROBES for path in its_paths.of(probe) if f"{prefix}{path}" not in answered]
    logger.warning(
        "two health layers in one app: the outer one (checks: %s) answers %s; the inner one (checks: %s) %s, and its"
        " checks do not count for the outer one. Expected one layer, or the same Health for both",
        _names(health),
        " ".join(sorted(answered)),
        _names(other),
        f"answers {' '.join(left)} alone" if left else "is asked nothing",
    )


def _names(health: Any) -> str:
    checks = health.checks if isinstance(health, Health) else health
    if not isinstance(checks, list | tuple | Mapping):
        return "none" if checks is None else "some"  # an iterator, which is the other layer's to use up
    names = [str(getattr(each, "name", each)) for each in cast("list[object]", checks)]
    return ", ".join(names) or "none"


def _warn_of_route(paths: Paths, path: str, name: str) -> None:
    for option in OPTIONS:
        given: tuple[str, ...] = getattr(paths, option)
        if path.rstrip("/") in given:
            left = tuple(each for each in given if each != path.rstrip("/"))
            value = repr(left[0]) if len(left) == 1 else repr(left or None)
            logger.warning(
                "the health path %s hides the app's route %s (%s); paths=Paths(%s=%s) gives it back",
                path.rstrip("/"),
                path,
                name,
                option,
                value,
            )
