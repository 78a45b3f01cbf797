"""Whatever a stranger sends: an orderly answer, not a byte of a secret, and nothing of his own words back."""

import re
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asgi_health import HealthMiddleware, Probe, ServiceInfo, bearer_token, client_in, degraded, unhealthy

from ..support.asgi_caller import ask_scope, at_once, echo_nothing, http_scope
from ..support.known_state import Clock, a_check, known

SECRET = "qxsecretxq"  # in every name, message, value and unit
MARK = "wzmarkzw"  # in whatever the request is made of
TOKEN = "open-sesame"


def health_of_secrets(clock: Clock) -> Any:
    return known(
        clock,
        (a_check(f"{SECRET}.ready"), unhealthy(f"{SECRET} refused", data={SECRET: (1, SECRET)})),
        (a_check(f"{SECRET}.live", probes=(Probe.LIVENESS,)), degraded(f"{SECRET} slow")),
        (a_check(f"{SECRET}.start", probes=(Probe.STARTUP,)), unhealthy(f"{SECRET} not migrated")),
    )


SERVICE = ServiceInfo(SECRET, SECRET, SECRET, SECRET, links={SECRET: SECRET}, notes=(SECRET,))
GUARDED = [
    HealthMiddleware(echo_nothing, health_of_secrets(Clock()), service=SERVICE, details=details)
    for details in (False, bearer_token(TOKEN), client_in("10.0.0.0/8"), lambda scope: bool(scope["x"] / 0))
]
OPEN = HealthMiddleware(echo_nothing, health_of_secrets(Clock()), service=SERVICE, details=True)

names = st.sampled_from([f"{SECRET}.ready", f"{SECRET}.live", MARK, "", "x" * 64, "é", "..", "%2e", "\x00"])
known_paths = st.sampled_from(
    ["/health", "/healthz", "/livez", "/readyz", "/startupz", "/health/live", "/health/ready", "/health/startup"]
)
paths = st.one_of(
    known_paths,
    known_paths.map(lambda path: path + "/"),
    st.tuples(known_paths, names).map("/".join),
    st.tuples(st.just(f"/{MARK}"), known_paths).map("".join),
    st.text(max_size=30),
)
options = st.sampled_from(["verbose", "format", "exclude", "check", MARK, ""])
values = st.sampled_from([f"{SECRET}.ready", "text", "json", MARK, "", "1", "%00", "%zz", "%ff", "+", "<b>"])
queries = st.one_of(
    st.lists(st.tuples(options, values).map("=".join), max_size=5).map(lambda pairs: "&".join(pairs).encode()),
    st.binary(max_size=40),
)
header_names = st.sampled_from([b"authorization", b"accept", b"x-forwarded-for", b"host", MARK.encode()])
header_values = st.sampled_from(
    [b"Bearer", b"Bearer ", b"Bearer open-sesam", b"bearer open-sesame1", b"10.0.0.1", b"\xff\x00", MARK.encode()]
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
    method=st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "get", MARK]) | st.text(max_size=5),
    query=queries,
    root_path=st.sampled_from(["", "/", f"/{MARK}", f"/{MARK}/", "//"]) | st.text(max_size=5),
    headers=headers,
    client=clients,
    http_version=st.sampled_from(["1.0", "1.1", "2", MARK]),
)
fuzz = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])

STATUSES = {200, 404, 405, 503}


def sound(app: HealthMiddleware, scope: dict[str, Any]) -> bytes:
    """Ask, hold the answer against all that is promised about any answer of ours, and return all of it."""
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
def test_a_stranger_learns_nothing_whatever_he_sends(scope: dict[str, Any]) -> None:
    for app in GUARDED:
        answer = sound(app, scope)
        assert SECRET.encode() not in answer
        assert not re.search(rb"refused|slow|migrated|database", answer)


@fuzz
@given(scope=scopes)
def test_an_authorised_reader_gets_an_orderly_answer_whatever_he_sends(scope: dict[str, Any]) -> None:
    sound(OPEN, scope)


@fuzz
@given(scope=scopes)
def test_the_right_token_is_never_refused(scope: dict[str, Any]) -> None:
    """So that the test of the strangers does not pass because nobody ever gets in."""
    scope = {**scope, "path": "/health", "method": "GET", "headers": [(b"authorization", b"Bearer " + TOKEN.encode())]}
    assert SECRET.encode() in sound(GUARDED[1], scope)


def test_the_marks_are_found_where_they_are() -> None:
    assert SECRET.encode() in sound(OPEN, http_scope("/health"))
    assert SECRET.encode() in sound(OPEN, http_scope(f"/readyz/{SECRET}.ready"))
