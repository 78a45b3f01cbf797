"""Every request that is not for a health path reaches the app with the identical objects."""

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asgi_health import HealthMiddleware, bearer_token, unhealthy
from asgi_health.asgi.types import Receive, Scope, Send

from ..support.asgi_caller import at_once, http_scope
from ..support.known_state import Clock, health_with, make_check

PATHS = ("/health", "/healthz", "/health/live", "/livez", "/health/ready", "/readyz", "/health/startup", "/startupz")
PROBES = PATHS[2:]


class Recorder:
    """An app that records the arguments of its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, object, object]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.calls.append((scope, receive, send))


APP = Recorder()
MIDDLEWARES = [
    HealthMiddleware(APP, health_with(Clock(), (make_check("database"), unhealthy("down"))), details=details)
    for details in (False, True, bearer_token("secret"))
]


async def receive() -> dict[str, Any]:
    raise AssertionError("the app does not read a request here")


async def send(message: object) -> None:
    raise AssertionError(f"the app sends no answer here, and the middleware must not: {message!r}")


def assert_passed_on(scope: dict[str, Any]) -> None:
    """Call every middleware with `scope`, and check that the app gets the identical objects."""
    before = copy.deepcopy(scope)
    for middleware in MIDDLEWARES:
        APP.calls.clear()
        at_once(middleware(scope, receive, send))
        assert len(APP.calls) == 1
        seen = APP.calls[0]
        assert seen[0] is scope
        assert seen[1] is receive
        assert seen[2] is send
        assert scope == before


def is_health_path(path: str, root: str) -> bool:
    """Return whether a middleware with details answers the path: the specification, written in another way."""
    paths = [path]
    root = root.rstrip("/")
    if root and path.startswith(root + "/"):
        paths.append(path[len(root) :])
    below = {probe + "/" for probe in PROBES}
    return any(
        each in PATHS
        or (each.endswith("/") and each[:-1] in PATHS)
        or any(each.startswith(start) and each[len(start) :].rstrip("/").count("/") == 0 for start in below)
        for each in paths
    )


segments = st.sampled_from(
    ["health", "live", "livez", "ready", "readyz", "healthz", "api", "", "x", "..", "LIVEZ", "é"]
)
paths = st.lists(segments, max_size=4).map(lambda each: "/" + "/".join(each)) | st.text(max_size=20)
roots = st.sampled_from(["", "/", "/api", "/api/", "/x", "api"]) | st.text(max_size=5)
methods = st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "get", ""])
queries = st.sampled_from([b"", b"verbose", b"exclude=database"]) | st.binary(max_size=10)
fuzz = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
odd = st.none() | st.integers() | st.binary(max_size=5) | st.text(max_size=5) | st.lists(st.integers(), max_size=2)


@fuzz
@given(path=paths, root=roots, method=methods, query=queries)
def test_every_other_path_reaches_the_app(path: str, root: str, method: str, query: bytes) -> None:
    if not is_health_path(path, root):
        assert_passed_on(http_scope(path, method, query, root_path=root))


@fuzz
@given(path=st.sampled_from(PATHS) | paths, root=roots, query=queries, method=st.none() | methods)
def test_a_websocket_on_any_path_reaches_the_app(path: str, root: str, query: bytes, method: str | None) -> None:
    scope = {**http_scope(path, "GET", query, root_path=root), "type": "websocket", "subprotocols": ["chat"]}
    del scope["method"]
    if method is not None:  # no server sends one, and it must not make an HTTP request of it
        scope["method"] = method
    assert_passed_on(scope)


@fuzz
@given(
    kind=st.sampled_from(["mqtt", "HTTP", "http2", "telnet", "", "lifespan.startup", None, b"http", 0, ("http",)]),
    path=st.sampled_from(PATHS) | paths,
    missing=st.sets(st.sampled_from(["path", "method", "query_string", "root_path", "headers"])),
)
def test_an_unknown_type_of_scope_reaches_the_app(kind: object, path: str, missing: set[str]) -> None:
    scope = {**http_scope(path), "type": kind}
    for key in missing:
        del scope[key]
    assert_passed_on(scope)


@fuzz
@given(
    kind=st.sampled_from(["http", "websocket", "mqtt", None]),
    odd_ones=st.dictionaries(st.sampled_from(["path", "root_path", "query_string", "method", "headers"]), odd),
)
def test_a_scope_with_values_of_unexpected_types_reaches_the_app(kind: object, odd_ones: dict[str, Any]) -> None:
    assert_passed_on({**http_scope("/users"), "type": kind, **odd_ones})


@pytest.mark.parametrize("scope", [{}, {"type": "http"}, {"path": "/livez"}, {"type": "websocket", "path": "/livez"}])
def test_a_scope_with_few_keys_reaches_the_app(scope: dict[str, Any]) -> None:
    assert_passed_on(scope)


def test_an_exception_of_the_app_is_passed_on_unchanged() -> None:
    error: Exception = RuntimeError("the app's own")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    for scope in (
        http_scope("/users"),
        {**http_scope("/livez"), "type": "websocket"},
        http_scope("/x", root_path="/y"),
    ):
        for wanted in (KeyError("path"), TypeError("unhashable"), error):
            error = wanted  # also those that the lookup itself could have raised
            with pytest.raises(type(wanted)) as raised:
                at_once(HealthMiddleware(app, details=True)(scope, receive, send))
            assert raised.value is wanted
