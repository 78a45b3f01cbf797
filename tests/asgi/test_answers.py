"""The bytes of the answers to clients that may read no details."""

import pytest

from asgi_health import HealthMiddleware, healthy, unhealthy

from ..support.asgi_caller import Reply, ask_scope, at_once, echo_nothing, get, http_scope
from ..support.known_state import Clock, health_with, make_check

PASS = HealthMiddleware(echo_nothing, health_with(Clock(), (make_check("database"), healthy())))
FAIL = HealthMiddleware(echo_nothing, health_with(Clock(), (make_check("database"), unhealthy("down"))))
WARN = HealthMiddleware(echo_nothing, health_with(Clock(), (make_check("cache", critical=False), unhealthy("down"))))

PATHS = ("/health", "/healthz", "/health/live", "/livez", "/health/ready", "/readyz", "/health/startup", "/startupz")


def passing(*, details: bool) -> HealthMiddleware:
    return HealthMiddleware(echo_nothing, health_with(Clock(), (make_check("database"), healthy())), details=details)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_every_path_answers_every_safe_method_in_the_same_way(path: str, method: str) -> None:
    reply = get(PASS, path, method=method).check_form()
    assert reply.status == 200
    assert reply.headers == {
        "content-type": "application/health+json",
        "content-length": "17",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        **({"allow": "GET, HEAD, OPTIONS"} if method == "OPTIONS" else {}),
    }
    assert reply.body == (b"" if method == "HEAD" else b'{"status":"pass"}')


@pytest.mark.parametrize(
    ("app", "status", "body"),
    [(PASS, 200, b'{"status":"pass"}'), (WARN, 200, b'{"status":"warn"}'), (FAIL, 503, b'{"status":"fail"}')],
    ids=["pass", "warn", "fail"],
)
@pytest.mark.parametrize("path", ["/readyz", "/health"])
@pytest.mark.parametrize("query", [b"", b"t=1700000000"], ids=["plain", "with a cache buster"])
def test_the_status_is_200_or_503_and_the_body_is_one_word(
    app: HealthMiddleware, status: int, body: bytes, path: str, query: bytes
) -> None:
    reply = get(app, path, query).check_form()
    assert (reply.status, reply.body) == (status, body)
    assert reply.headers["content-length"] == str(len(body))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "get", "", "QUERY"])
def test_the_answer_to_any_other_method_is_405_and_names_the_allowed_ones(path: str, method: str) -> None:
    reply = get(PASS, path, method=method).check_form()
    assert reply.status == 405
    assert reply.headers["allow"] == "GET, HEAD, OPTIONS"
    assert reply.headers["content-length"] == str(len(reply.body))
    assert reply.headers["cache-control"] == "no-store"


def test_the_answer_to_head_has_the_status_and_headers_of_get() -> None:
    for path in PATHS:
        for app in (PASS, WARN, FAIL):
            head, full = get(app, path, method="HEAD"), get(app, path)
            assert (head.status, head.headers) == (full.status, full.headers)


@pytest.mark.parametrize(
    "query",
    [b"verbose", b"verbose=1", b"format=text", b"exclude=database", b"verbose&exclude=database", b"exclude=cache"],
)
@pytest.mark.parametrize("path", PATHS)
def test_without_details_each_query_gets_the_minimal_body(path: str, query: bytes) -> None:
    for app in (PASS, WARN, FAIL):
        assert get(app, path, query).messages == get(app, path).messages


@pytest.mark.parametrize("version", ["1.0", "1.1", "2", "3"])
@pytest.mark.parametrize("headers", [[], [(b"accept", b"*/*")]], ids=["no headers", "no host"])
def test_the_request_of_haproxy_is_answered(version: str, headers: list[tuple[bytes, bytes]]) -> None:
    assert get(PASS, "/readyz", method="OPTIONS", http_version=version, headers=headers).status == 200


@pytest.mark.parametrize(
    "key", ["asgi", "http_version", "scheme", "raw_path", "query_string", "root_path", "headers", "client", "server"]
)
@pytest.mark.parametrize("details", [False, True])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_scope_without_an_optional_key_is_answered(key: str, details: bool, method: str) -> None:
    app = passing(details=details)
    scope = http_scope("/readyz", method)
    del scope[key]
    assert at_once(ask_scope(app, scope)).check_form().status == 200


@pytest.mark.parametrize("details", [False, True])
def test_a_scope_without_a_method_is_a_405_and_no_error(details: bool) -> None:
    app = passing(details=details)
    scope = http_scope("/readyz")
    del scope["method"]
    assert at_once(ask_scope(app, scope)).check_form().status == 405


def test_none_as_the_value_of_a_key_is_no_error() -> None:
    scope = http_scope("/readyz", query_string=None, root_path=None, headers=None, client=None, server=None)
    for details in (False, True):
        app = passing(details=details)
        assert at_once(ask_scope(app, dict(scope))).status == 200


def test_an_answer_leaves_the_scope_as_it_was() -> None:
    for query in (b"", b"verbose&exclude=database"):
        for details in (False, True):
            app = HealthMiddleware(
                echo_nothing, health_with(Clock(), (make_check("database"), healthy())), details=details
            )
            scope = http_scope("/api/readyz", "GET", query, root_path="/api")
            before = dict(scope)
            reply: Reply = at_once(ask_scope(app, scope))
            assert reply.status == 200
            assert scope == before
