"""What is answered on the wire, whoever asks."""

import pytest

from asgi_health import HealthMiddleware, healthy, unhealthy

from ..support.asgi_caller import Reply, ask_scope, at_once, echo_nothing, get, http_scope
from ..support.known_state import Clock, a_check, known

PASS = HealthMiddleware(echo_nothing, known(Clock(), (a_check("database"), healthy())))
FAIL = HealthMiddleware(echo_nothing, known(Clock(), (a_check("database"), unhealthy("down"))))
WARN = HealthMiddleware(echo_nothing, known(Clock(), (a_check("cache", critical=False), unhealthy("down"))))

PATHS = ("/health", "/healthz", "/health/live", "/livez", "/health/ready", "/readyz", "/health/startup", "/startupz")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_every_path_answers_every_safe_method_alike(path: str, method: str) -> None:
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
def test_the_status_is_200_or_503_and_the_body_says_one_word(
    app: HealthMiddleware, status: int, body: bytes, path: str, query: bytes
) -> None:
    reply = get(app, path, query).check_form()
    assert (reply.status, reply.body) == (status, body)
    assert reply.headers["content-length"] == str(len(body))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "get", "", "QUERY"])
def test_any_other_method_is_405_and_is_told_what_is_allowed(path: str, method: str) -> None:
    reply = get(PASS, path, method=method).check_form()
    assert reply.status == 405
    assert reply.headers["allow"] == "GET, HEAD, OPTIONS"
    assert reply.headers["content-length"] == str(len(reply.body))
    assert reply.headers["cache-control"] == "no-store"


def test_the_head_of_an_answer_is_that_of_get() -> None:
    for path in PATHS:
        for app in (PASS, WARN, FAIL):
            head, full = get(app, path, method="HEAD"), get(app, path)
            assert (head.status, head.headers) == (full.status, full.headers)


@pytest.mark.parametrize(
    "query",
    [b"verbose", b"verbose=1", b"format=text", b"exclude=database", b"verbose&exclude=database", b"exclude=cache"],
)
@pytest.mark.parametrize("path", PATHS)
def test_strangers_get_the_minimal_body_whatever_they_ask_for(path: str, query: bytes) -> None:
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
    app = HealthMiddleware(echo_nothing, known(Clock(), (a_check("database"), healthy())), details=details)
    scope = http_scope("/readyz", method)
    del scope[key]
    assert at_once(ask_scope(app, scope)).check_form().status == 200


@pytest.mark.parametrize("details", [False, True])
def test_a_scope_without_a_method_is_not_allowed_rather_than_an_error(details: bool) -> None:
    app = HealthMiddleware(echo_nothing, known(Clock(), (a_check("database"), healthy())), details=details)
    scope = http_scope("/readyz")
    del scope["method"]
    assert at_once(ask_scope(app, scope)).check_form().status == 405


def test_a_null_where_a_server_has_nothing_to_say_is_no_error() -> None:
    scope = http_scope("/readyz", query_string=None, root_path=None, headers=None, client=None, server=None)
    for details in (False, True):
        app = HealthMiddleware(echo_nothing, known(Clock(), (a_check("database"), healthy())), details=details)
        assert at_once(ask_scope(app, dict(scope))).status == 200


def test_an_answer_leaves_the_scope_as_it_was() -> None:
    for query in (b"", b"verbose&exclude=database"):
        for details in (False, True):
            app = HealthMiddleware(echo_nothing, known(Clock(), (a_check("database"), healthy())), details=details)
            scope = http_scope("/api/readyz", "GET", query, root_path="/api")
            before = dict(scope)
            reply: Reply = at_once(ask_scope(app, scope))
            assert reply.status == 200
            assert scope == before
