"""Basic authentication: whose credentials count, and where a browser is asked for them."""

import hmac
from base64 import b64encode
from typing import Any, cast
from unicodedata import normalize

import pytest

from asgi_health import Drain, HealthMiddleware, any_of, basic_auth, bearer_token, client_in, unhealthy
from asgi_health.asgi.auth import Policy
from asgi_health.asgi.types import Scope

from ..support.asgi_caller import Reply, echo_nothing, get, http_scope, names_in, with_token
from ..support.known_state import Clock, health_with, make_check

BROWSER = (b"accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
CHALLENGE = 'Basic realm="health", charset="UTF-8"'


def encoded(credentials: str | bytes) -> bytes:
    return b64encode(credentials.encode() if isinstance(credentials, str) else credentials)


def signed_in(credentials: str | bytes) -> list[tuple[bytes, bytes]]:
    return [(b"authorization", b"Basic " + encoded(credentials))]


def app_with(details: Policy) -> HealthMiddleware:
    health = health_with(Clock(), (make_check("database"), unhealthy("down")))
    return HealthMiddleware(echo_nothing, health, details=details)


@pytest.fixture
def app() -> HealthMiddleware:
    return app_with(basic_auth("ada", "open sesame"))


def read(app: HealthMiddleware, query: bytes = b"", *headers: tuple[bytes, bytes], path: str = "/health") -> Reply:
    return get(app, path, query, headers=[(b"host", b"example.org"), *headers]).check_form()


OWN = encoded("ada:open sesame")

HEADERS: list[tuple[bytes, bool]] = [
    (b"Basic " + OWN, True),
    (b"basic " + OWN, True),
    (b"BASIC   " + OWN + b" ", True),
    (b"Basic " + encoded("ada:open sesame "), False),
    (b"Basic " + encoded("Ada:open sesame"), False),
    (b"Basic " + encoded("ada:open"), False),
    (b"Basic " + encoded("ada:"), False),
    (b"Basic " + encoded(":open sesame"), False),
    (b"Basic " + encoded("ada"), False),
    (b"Basic " + encoded(":"), False),
    (b"Basic " + encoded("ada:open sesame:x"), False),
    (b"Basic " + encoded(b"\xff\xfe:\x00"), False),
    (b"Basic " + OWN[:-1], False),
    (b"Basic " + OWN[:4] + b"\n" + OWN[4:], False),
    (b"Basic ada:open sesame", False),
    (b"Basic \xff\xfe\x00", False),
    (b"Basic", False),
    (b"Basic ", False),
    (b"", False),
    (OWN, False),
    (b"Basic" + OWN, False),
    (b"Bearer " + OWN, False),
    (b"Bearer open sesame", False),
]


@pytest.mark.parametrize(("header", "expected"), HEADERS)
def test_the_right_credentials_are_allowed_and_no_others(app: HealthMiddleware, header: bytes, expected: bool) -> None:
    assert ("database" in read(app, b"", (b"authorization", header)).text) is expected


def test_a_password_may_contain_colons_and_spaces() -> None:
    assert basic_auth("ada", ":a: b:")(http_scope(headers=signed_in("ada::a: b:")))


def test_of_several_headers_the_first_counts() -> None:
    policy = basic_auth("ada", "open")
    right, wrong = signed_in("ada:open"), signed_in("ada:shut")
    assert policy(http_scope(headers=[(b"x-first", b"1"), *right, *wrong]))
    assert not policy(http_scope(headers=wrong + right))
    assert not policy(http_scope(headers=[(b"proxy-authorization", right[0][1])]))


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("configured", ["NFC", "NFD"])
def test_letters_beyond_ascii_are_utf_8_in_whichever_form_a_system_writes_them(configured: Any, form: Any) -> None:
    user, password = "Zoë", "öffne dich, 開けゴマ"
    policy = basic_auth(normalize(configured, user), normalize(configured, password))
    assert policy(http_scope(headers=signed_in(normalize(form, f"{user}:{password}"))))
    assert not policy(http_scope(headers=signed_in(f"{user}:{password}".encode("utf-16"))))
    assert not policy(http_scope(headers=signed_in("Zoë:öffne dich".encode("latin-1"))))


@pytest.mark.parametrize("given", ["ada:open sesame", "ada:wrong", "eve:open sesame", "eve:", ":", "", "x" * 5000])
def test_user_and_password_are_compared_at_once_in_constant_time(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    real = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return real(one, other)

    monkeypatch.setattr("hmac.compare_digest", compare)
    allowed = basic_auth("ada", "open sesame")(http_scope(headers=signed_in(given)))
    assert allowed is (given == "ada:open sesame")
    assert compared == [(given.encode(), b"ada:open sesame")]


@pytest.mark.parametrize(
    ("user", "password", "subject"),
    [
        ("", "hunter2", "the user is empty"),
        ("ada", "", "the password is empty"),
        ("ada:lovelace", "hunter2", "the user must not contain a colon"),
        ("ada\n", "hunter2", "the user must have printable"),
        ("ada", "hunter2\x00", "the password must have printable"),
        ("ada", "hunter2\ud800", "the password must have printable"),
    ],
)
def test_credentials_that_no_browser_can_send_are_refused_without_showing_them(
    user: str, password: str, subject: str
) -> None:
    with pytest.raises(ValueError, match=f"^basic_auth: {subject}") as refused:
        basic_auth(user, password)
    assert "hunter2" not in str(refused.value)
    assert "lovelace" not in str(refused.value)


@pytest.mark.parametrize("wrong", [None, b"hunter2", 5, ["hunter2"]])
def test_credentials_must_be_strings_and_are_not_shown(wrong: object) -> None:
    for arguments in ((wrong, "password"), ("ada", wrong)):
        with pytest.raises(TypeError, match=r"^basic_auth: the .* must be a string") as refused:
            basic_auth(*cast("Any", arguments))
        assert "hunter2" not in str(refused.value)


def test_the_policy_does_not_show_its_credentials() -> None:
    policy = basic_auth("ada", "hunter2")
    assert "hunter2" not in repr(policy) + repr(any_of(policy))


@pytest.mark.parametrize("factory", [basic_auth, any_of])
def test_a_policy_that_was_not_made_is_refused(factory: object) -> None:
    with pytest.raises(TypeError, match="call it to make one"):
        HealthMiddleware(echo_nothing, details=cast("Any", factory))


def test_a_browser_is_asked_for_credentials_where_it_asks_to_sign_in(app: HealthMiddleware) -> None:
    reply = read(app, b"signin", BROWSER)
    assert (reply.status, reply.headers["www-authenticate"]) == (401, CHALLENGE)
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["cache-control"] == "no-store"
    assert names_in(reply, {"database", "down"}) == set()


def test_a_program_is_asked_for_credentials_too_where_it_asks_to_sign_in(app: HealthMiddleware) -> None:
    reply = read(app, b"signin")
    assert (reply.status, reply.body) == (401, b'{"status":"fail"}')
    assert reply.headers["www-authenticate"] == CHALLENGE


def test_wrong_credentials_are_asked_for_again(app: HealthMiddleware) -> None:
    assert read(app, b"signin", BROWSER, *signed_in("ada:wrong")).status == 401


def test_who_has_signed_in_gets_the_page(app: HealthMiddleware) -> None:
    for query in (b"", b"signin"):
        reply = read(app, query, BROWSER, *signed_in("ada:open sesame"))
        assert reply.status == 503
        assert "www-authenticate" not in reply.headers
        assert "database" in reply.text


def test_the_page_without_leave_links_to_the_sign_in_where_there_is_one(app: HealthMiddleware) -> None:
    assert "?signin" in read(app, b"", BROWSER).text
    assert "?signin" in read(app, b"signin", BROWSER).text
    assert "?signin" not in read(app_with(bearer_token("secret")), b"", BROWSER).text


@pytest.mark.parametrize("headers", [[], [BROWSER], signed_in("ada:wrong")])
def test_every_other_request_reads_the_status_because_monitors_have_no_credentials(
    app: HealthMiddleware, headers: list[tuple[bytes, bytes]]
) -> None:
    for path in ("/health", "/livez", "/readyz", "/startupz"):
        for query in (b"", b"verbose", b"signi"):
            reply = read(app, query, *headers, path=path)
            assert reply.status in (200, 503)
            assert "www-authenticate" not in reply.headers


def test_at_the_probes_there_is_no_sign_in(app: HealthMiddleware) -> None:
    for path in ("/livez", "/readyz", "/startupz"):
        assert read(app, b"signin", BROWSER, path=path).status in (200, 503)
    assert read(app, b"signin", BROWSER, path="/readyz/database").status == 404


@pytest.mark.parametrize("details", [bearer_token("secret"), client_in("10.0.0.0/8"), lambda scope: False])
def test_without_basic_auth_the_option_does_nothing(details: Policy) -> None:
    app = app_with(details)
    for headers in ((), (BROWSER,)):
        assert read(app, b"signin", *headers).messages == read(app, b"", *headers).messages


def test_any_of_allows_what_one_of_them_allows() -> None:
    policy = any_of(client_in("10.0.0.0/8"), bearer_token("s3cret"), basic_auth("ada", "open"))
    assert policy(http_scope(client=("10.1.2.3", 1)))
    assert policy(http_scope(headers=with_token(b"s3cret")))
    assert policy(http_scope(headers=signed_in("ada:open")))
    assert not policy(http_scope())
    assert not policy(http_scope(headers=with_token(b"open")))


@pytest.mark.parametrize(
    ("policy", "status"),
    [
        (any_of(bearer_token("s3cret"), basic_auth("ada", "open")), 401),
        (any_of(any_of(bearer_token("s3cret"), basic_auth("ada", "open")), client_in("10.0.0.0/8")), 401),
        (any_of(bearer_token("s3cret"), client_in("10.0.0.0/8")), 503),
    ],
)
def test_a_browser_can_sign_in_where_one_of_them_is_basic_auth(policy: Policy, status: int) -> None:
    assert read(app_with(policy), b"signin", BROWSER).status == status


def test_one_that_raises_refuses_and_the_others_count(caplog: pytest.LogCaptureFixture) -> None:
    def broken(scope: Scope) -> bool:
        raise LookupError("the policy's own error")

    policy = any_of(broken, cast("Any", lambda scope: 1), bearer_token("s3cret"))
    assert policy(http_scope(headers=with_token(b"s3cret")))
    assert not policy(http_scope())
    assert [
        record.getMessage().removesuffix(": the request is refused (logged once)") for record in caplog.records
    ] == [
        "the policy of any_of raised",
        "the policy of any_of returned int, expected True or False",
    ]


def test_any_of_needs_a_policy() -> None:
    with pytest.raises(ValueError, match=r"^any_of: no policy is given"):
        any_of()


def test_true_allows_and_false_leaves_it_to_the_others() -> None:
    assert any_of(True)(http_scope())
    assert any_of(False, bearer_token("s3cret"))(http_scope(headers=with_token(b"s3cret")))
    assert not any_of(False, bearer_token("s3cret"))(http_scope())


@pytest.mark.parametrize("wrong", [None, 5, "s3cret", bearer_token, basic_auth, any_of])
def test_any_of_takes_policies_alone(wrong: object) -> None:
    with pytest.raises(TypeError, match=r"^any_of must be True, False or a plain function") as refused:
        any_of(bearer_token("s3cret"), cast("Any", wrong))
    assert "s3cret" not in str(refused.value)


def test_a_browser_cannot_be_made_to_drain_the_app_by_another_site() -> None:
    for policy in (basic_auth("ada", "open"), any_of(bearer_token("s3cret"), basic_auth("ada", "open"))):
        with pytest.raises(ValueError, match=r"^drain: allow must not be basic_auth"):
            HealthMiddleware(echo_nothing, drain=Drain(path="/drain", allow=policy))
