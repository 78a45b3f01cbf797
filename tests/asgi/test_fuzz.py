"""Random requests get a valid answer without a byte of a secret, or of the request."""

import re
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asgi_health import HealthMiddleware, Paths, Probe, ServiceInfo, bearer_token, client_in, degraded, unhealthy
from asgi_health.asgi.query import FORMATS

from ..support.asgi_caller import ask_scope, at_once, echo_nothing, http_scope
from ..support.known_state import Clock, health_with, make_check

SECRET = "qxsecretxq"  # in every name, message, value and unit
MARK = "wzmarkzw"  # in each part of the request
TOKEN = "open-sesame"
MAINTENANCE = "/health/maintenance"


def health_of_secrets(clock: Clock) -> Any:
    return health_with(
        clock,
        (make_check(f"{SECRET}.ready"), unhealthy(f"{SECRET} refused", data={SECRET: (1, SECRET)})),
        (make_check(f"{SECRET}.live", probes=(Probe.LIVENESS,)), degraded(f"{SECRET} slow")),
        (make_check(f"{SECRET}.start", probes=(Probe.STARTUP,)), unhealthy(f"{SECRET} not migrated")),
    )


SERVICE = ServiceInfo(SECRET, SECRET, SECRET, SECRET, links={SECRET: SECRET}, notes=(SECRET,))
GUARDED = [
    HealthMiddleware(
        echo_nothing,
        health_of_secrets(Clock()),
        service=SERVICE,
        details=details,
        paths=Paths(maintenance=MAINTENANCE if details else None),
        allow_maintenance=details,
    )
    for details in (False, bearer_token(TOKEN), client_in("10.0.0.0/8"), lambda scope: bool(scope["x"] / 0))
]
OPEN = HealthMiddleware(
    echo_nothing,
    health_of_secrets(Clock()),
    service=SERVICE,
    details=True,
    paths=Paths(maintenance=MAINTENANCE),
    allow_maintenance=True,
)

names = st.sampled_from([f"{SECRET}.ready", f"{SECRET}.live", MARK, "", "x" * 64, "é", "..", "%2e", "\x00"])
known_paths = st.sampled_from(
    [
        "/health",
        "/healthz",
        "/livez",
        "/readyz",
        "/startupz",
        "/health/live",
        "/health/ready",
        "/health/startup",
        MAINTENANCE,
    ]
)
paths = st.one_of(
    known_paths,
    known_paths.map(lambda path: path + "/"),
    st.tuples(known_paths, names).map("/".join),
    st.tuples(st.just(f"/{MARK}"), known_paths).map("".join),
    st.text(max_size=30),
)
options = st.sampled_from(["verbose", "format", "exclude", "group", "strict", "signin", "verbos", "check", MARK, ""])
values = st.sampled_from([f"{SECRET}.ready", *FORMATS, MARK, "", "1", "%00", "%zz", "%ff", "+", "<b>"])
queries = st.one_of(
    st.lists(st.tuples(options, values).map("=".join), max_size=5).map(lambda pairs: "&".join(pairs).encode()),
    st.binary(max_size=40),
)
header_names = st.sampled_from([b"authorization", b"accept", b"x-forwarded-for", b"host", MARK.encode()])
header_values = st.sampled_from(
    [
        b"text/html,*/*;q=0.8",
        b"text/html;q=0,*/*",
        b"Bearer",
        b"Bearer ",
        b"Bearer open-sesam",
        b"bearer open-sesame1",
        b"10.0.0.1",
        b"\xff\x00",
        MARK.encode(),
    ]
) | st.binary(max_size=10)
headers = st.lists(st.tuples(header_names, header_values), max_size=4)
clients = st.one_of(
    st.none(),
    st.tuples(st.sampled_from(["192.0.2.7", "::ffff:192.0.2.7", "", "unix:", MARK, "10.0.0.1 "]), st.integers()),
    st.just(()),
    st.text(max_size=5),
    st.integers(),
)
OPTIONAL = ["method", "query_string", "root_path", "headers", "client", "http_version", "raw_path", "scheme", "server"]
scopes = st.builds(
    lambda missing, **keys: {key: value for key, value in http_scope(**keys).items() if key not in missing},
    missing=st.sets(st.sampled_from(OPTIONAL)),
    path=paths,
    method=st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "DELETE", "get", MARK]) | st.text(max_size=5),
    query=queries,
    root_path=st.sampled_from(["", "/", f"/{MARK}", f"/{MARK}/", "//"]) | st.text(max_size=5),
    headers=headers,
    client=clients,
    http_version=st.sampled_from(["1.0", "1.1", "2", MARK]),
)
fuzz = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])

STATUSES = {200, 400, 404, 405, 503}


def valid_answer(app: HealthMiddleware, scope: dict[str, Any]) -> bytes:
    """Return everything in the answer, which must be valid; empty for an answer of the app."""
    reply = at_once(ask_scope(app, scope))
    if reply.from_app:
        return b""
    reply.check_form()
    assert reply.status in STATUSES
    length = int(reply.headers["content-length"])
    assert len(reply.body) in ({0} if scope.get("method") == "HEAD" else {length})
    assert MARK.encode() not in reply.everything
    return reply.everything


@fuzz
@given(scope=scopes)
def test_a_stranger_reads_no_secret(scope: dict[str, Any]) -> None:
    for app in GUARDED:
        answer = valid_answer(app, scope)
        assert SECRET.encode() not in answer
        assert not re.search(rb"refused|slow|migrated|database", answer)


@fuzz
@given(scope=scopes)
def test_an_authorised_reader_gets_a_valid_answer(scope: dict[str, Any]) -> None:
    valid_answer(OPEN, scope)


@fuzz
@given(scope=scopes)
def test_the_right_token_is_never_refused(scope: dict[str, Any]) -> None:
    """Without this, the test of the strangers could pass because the policy refuses every client."""
    scope = {
        **scope,
        "path": "/health",
        "query_string": b"",
        "method": "GET",
        "headers": [(b"authorization", b"Bearer " + TOKEN.encode())],
    }
    assert SECRET.encode() in valid_answer(GUARDED[1], scope)


def test_the_secret_is_found_where_details_are_shown() -> None:
    assert SECRET.encode() in valid_answer(OPEN, http_scope("/health"))
    assert SECRET.encode() in valid_answer(OPEN, http_scope(f"/readyz/{SECRET}.ready"))
