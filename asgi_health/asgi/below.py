"""What an app is made of, as far as its framework lets one see it: other health layers, and literal routes.

No framework is imported. An object is known by what it has: the attributes in which ASGI middlewares, Starlette,
FastAPI, Litestar, Quart, Flask, Channels and Django keep what comes next.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from inspect import getattr_static
from types import FunctionType, MemberDescriptorType, MethodType
from typing import Any, cast

NEXT = (
    *("app", "_app", "inner", "middleware_stack", "router", "asgi_app", "asgi_handler", "wsgi_app", "application"),
    *("wrapped", "wrapped_app", "other_asgi_app", "__wrapped__", "func"),  # of Socket.IO, functools.wraps and partial
)
"""Where an object keeps what it hands requests to."""

MOST = 1_000
"""Objects that are looked at: an app that is larger has better things to do when it starts."""


@dataclass(frozen=True, slots=True)
class Thing:
    """One object on the way of a request, `prefix` being what of the path is taken off before."""

    prefix: str
    it: Any


@dataclass(frozen=True, slots=True)
class Route:
    """A route without parameters."""

    path: str
    name: str


def things_below(app: object, last: type) -> Iterator[Thing]:
    """Yield `app` and all that a request may come to behind it, each once; nothing behind one of class `last`."""
    waiting = [Thing("", app)]
    seen: set[tuple[str, int]] = set()  # the same one may be mounted twice
    while waiting and len(seen) < MOST:
        thing = waiting.pop()
        key = thing.prefix, id(thing.it)
        if key not in seen:
            seen.add(key)
            yield thing
            if not issubclass(type(thing.it), last):
                waiting += _next(thing)


def routes_of(thing: Thing, *, load: bool) -> Iterator[Route]:
    """Yield the literal routes that an object itself has; with `load` those too whose module must be imported first."""
    for route in _list(thing.it, "routes"):
        path = attribute(route, "path")
        if (
            isinstance(path, str)
            and "{" not in path
            and attribute(route, "_base_app") is None
            and not _is_socket(route)
        ):
            yield Route(thing.prefix + path, _name(route))
    url_map = attribute(thing.it, "url_map")  # Quart, Flask
    for rule in url_map.iter_rules() if hasattr(url_map, "iter_rules") else ():
        if "<" not in rule.rule and not getattr(rule, "websocket", False):
            yield Route(thing.prefix + rule.rule, rule.endpoint)
    if any(each.__module__ == "django.core.handlers.asgi" for each in type(thing.it).__mro__):
        for route in _routes_of_django(load):
            yield Route(thing.prefix + route.path, route.name)


def added_to(thing: Thing) -> Iterator[Any]:
    """Yield what Starlette is to make middlewares of: it makes them when the first request comes."""
    if attribute(thing.it, "middleware_stack") is None:
        yield from _list(thing.it, "user_middleware")


def _next(thing: Thing) -> Iterator[Thing]:
    it, prefix = thing.it, thing.prefix
    for name in NEXT:
        following = attribute(it, name)
        if following is not None and not isinstance(following, str):
            yield Thing(prefix, following)
    if isinstance(it, MethodType):  # Quart's own asgi_app, when it is wrapped
        yield Thing(prefix, it.__self__)
    if isinstance(it, FunctionType):  # a middleware that is a function in a function
        for cell in it.__closure__ or ():
            try:
                if callable(cell.cell_contents):
                    yield Thing(prefix, cell.cell_contents)
            except ValueError:  # an empty one
                continue
    mapping = attribute(it, "application_mapping")  # Channels
    if isinstance(mapping, dict) and "http" in mapping:
        yield Thing(prefix, mapping["http"])
    for route in _list(it, "routes"):
        router = attribute(route, "original_router")  # of FastAPI, included
        if router is not None:
            yield Thing(f"{prefix}{getattr(attribute(route, 'include_context'), 'prefix', '')}", router)
        elif attribute(route, "_base_app") is not None:  # of Starlette, mounted
            yield Thing(f"{prefix}{attribute(route, 'path') or ''}", route.app)


def attribute(it: object, name: str) -> Any:
    """Return an attribute that is simply there: no property is run, and nothing lazy is woken."""
    try:
        return vars(it)[name]
    except (KeyError, TypeError):
        slot = getattr_static(type(it), name, None)
        return getattr(it, name, None) if isinstance(slot, MemberDescriptorType) else None


def _list(it: object, name: str) -> list[Any]:
    value = attribute(it, name)
    return cast(Any, value) if isinstance(value, list) else []


def _is_socket(route: object) -> bool:
    """Tell whether a route is one of websockets, which go past the health paths."""
    return any(each.__name__ == "WebSocketRoute" for each in type(route).__mro__)


def _name(route: object) -> str:
    return str(
        attribute(route, "name") or getattr(attribute(route, "endpoint"), "__name__", "") or type(route).__name__
    )


def _routes_of_django(load: bool) -> Iterator[Route]:
    urls: Any = import_module("django.urls")  # which is there: its handler was found
    if not load and import_module("django.conf").settings.ROOT_URLCONF not in sys.modules:
        return

    def patterns(resolver: Any, before: str) -> Iterator[Route]:
        for each in resolver.url_patterns:
            path = before + str(each.pattern).removeprefix("^").removesuffix("$").removesuffix(r"\Z")
            if not set(path) & set("<(*+?[\\"):
                if isinstance(each, urls.URLResolver):
                    yield from patterns(each, path)
                elif isinstance(each, urls.URLPattern):
                    yield Route(f"/{path}", each.name or each.lookup_str)

    yield from patterns(urls.get_resolver(), "")
