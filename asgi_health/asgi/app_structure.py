"""Finds the components of an app that its framework exposes: middlewares, mounted apps and routes without parameters.

No framework is imported. An object is recognised by the attributes in which ASGI middlewares, Starlette, FastAPI,
Litestar, Quart, Flask, Channels and Django keep the next component.
"""

import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from inspect import getattr_static
from types import FunctionType, MemberDescriptorType, MethodType
from typing import Any, cast

NEXT_ATTRIBUTES = (
    *("app", "_app", "inner", "middleware_stack", "router", "asgi_app", "asgi_handler", "wsgi_app", "application"),
    *("wrapped", "wrapped_app", "other_asgi_app", "__wrapped__", "func"),  # of Socket.IO, functools.wraps and partial
)
"""The attributes in which a component keeps the one that it passes requests to."""

MAX_COMPONENTS = 1_000
"""Components that are inspected: more would delay the start of a large app."""


@dataclass(frozen=True, slots=True)
class Component:
    """One component of an app that a request may reach.

    Attributes:
        prefix: Beginning of the path that is removed before the request reaches it.
        value: The middleware, app or router.
    """

    prefix: str
    value: Any


@dataclass(frozen=True, slots=True)
class AppRoute:
    """A route of the app without parameters."""

    path: str
    name: str


def components_of(app: object, last: type) -> Iterator[Component]:
    """Yield `app` and each component that a request may reach through it; none behind one of class `last`."""
    waiting = [Component("", app)]
    seen: set[tuple[str, int]] = set()  # the same one may be mounted twice
    while waiting and len(seen) < MAX_COMPONENTS:
        component = waiting.pop()
        key = component.prefix, id(component.value)
        if key not in seen:
            seen.add(key)
            yield component
            if not issubclass(type(component.value), last):
                waiting += _next(component)


def components_outside_of(layer: object, app: object) -> tuple[Any, ...]:
    """Return the components that a request passes on its way from `app` to `layer`, the outermost first."""
    waiting: deque[tuple[Component, tuple[Any, ...]]] = deque([(Component("", app), ())])
    seen: set[int] = set()
    while waiting and len(seen) < MAX_COMPONENTS:
        component, outside = waiting.popleft()  # so the shortest way is found
        if component.value is layer:
            return outside
        if id(component.value) not in seen:
            seen.add(id(component.value))
            waiting += [(each, (*outside, component.value)) for each in _next(component)]
    return ()


def routes_of(component: Component, *, may_import: bool) -> Iterator[AppRoute]:
    """Yield the routes without parameters that a component has itself.

    With `may_import` also those of Django whose module must be imported first.
    """
    for route in _list(component.value, "routes"):
        path = attribute(route, "path")
        if (
            isinstance(path, str)
            and "{" not in path
            and attribute(route, "_base_app") is None
            and not _is_socket(route)
        ):
            yield AppRoute(component.prefix + path, _name(route))
    url_map = attribute(component.value, "url_map")  # Quart, Flask
    for rule in url_map.iter_rules() if hasattr(url_map, "iter_rules") else ():
        if "<" not in rule.rule and not getattr(rule, "websocket", False):
            yield AppRoute(component.prefix + rule.rule, rule.endpoint)
    if any(each.__module__ == "django.core.handlers.asgi" for each in type(component.value).__mro__):
        for route in _routes_of_django(may_import):
            yield AppRoute(component.prefix + route.path, route.name)


def pending_middlewares_of(component: Component) -> Iterator[Any]:
    """Yield the middlewares that Starlette makes later, when the first request comes."""
    if attribute(component.value, "middleware_stack") is None:
        yield from _list(component.value, "user_middleware")


def _next(component: Component) -> Iterator[Component]:
    value, prefix = component.value, component.prefix
    for name in NEXT_ATTRIBUTES:
        following = attribute(value, name)
        if following is not None and not isinstance(following, str):
            yield Component(prefix, following)
    if isinstance(value, MethodType):  # Quart's own asgi_app, when it is wrapped
        yield Component(prefix, value.__self__)
    if isinstance(value, FunctionType):  # a middleware that is a function in a function
        for cell in value.__closure__ or ():
            try:
                if callable(cell.cell_contents):
                    yield Component(prefix, cell.cell_contents)
            except ValueError:  # an empty one
                continue
    mapping = attribute(value, "application_mapping")  # Channels
    if isinstance(mapping, dict) and "http" in mapping:
        yield Component(prefix, mapping["http"])
    for route in _list(value, "routes"):
        router = attribute(route, "original_router")  # of FastAPI, included
        if router is not None:
            yield Component(f"{prefix}{getattr(attribute(route, 'include_context'), 'prefix', '')}", router)
        elif attribute(route, "_base_app") is not None:  # of Starlette, mounted
            yield Component(f"{prefix}{attribute(route, 'path') or ''}", route.app)


def attribute(value: object, name: str) -> Any:
    """Return an attribute that is stored in the object: no property is run, and no lazy object is evaluated."""
    try:
        return vars(value)[name]
    except (KeyError, TypeError):
        slot = getattr_static(type(value), name, None)
        return getattr(value, name, None) if isinstance(slot, MemberDescriptorType) else None


def _list(value: object, name: str) -> list[Any]:
    found = attribute(value, name)
    return cast(Any, found) if isinstance(found, list) else []


def _is_socket(route: object) -> bool:
    """Return whether a route is for websockets, which the health paths do not hide."""
    return any(each.__name__ == "WebSocketRoute" for each in type(route).__mro__)


def _name(route: object) -> str:
    return str(
        attribute(route, "name") or getattr(attribute(route, "endpoint"), "__name__", "") or type(route).__name__
    )


def _routes_of_django(may_import: bool) -> Iterator[AppRoute]:
    urls: Any = import_module("django.urls")  # which is there: its handler was found
    if not may_import and import_module("django.conf").settings.ROOT_URLCONF not in sys.modules:
        return

    def patterns(resolver: Any, before: str) -> Iterator[AppRoute]:
        for each in resolver.url_patterns:
            path = before + str(each.pattern).removeprefix("^").removesuffix("$").removesuffix(r"\Z")
            if not set(path) & set("<(*+?[\\"):
                if isinstance(each, urls.URLResolver):
                    yield from patterns(each, path)
                elif isinstance(each, urls.URLPattern):
                    yield AppRoute(f"/{path}", each.name or each.lookup_str)

    yield from patterns(urls.get_resolver(), "")
