"""Policies: which clients may read the details."""

import asyncio
import hmac
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Any, cast
from unittest.mock import AsyncMock

import pytest
from starlette.middleware.cors import CORSMiddleware

from asgi_health import Drain, HealthMiddleware, bearer_token, client_in, unhealthy
from asgi_health.asgi.types import Scope

from ..support.asgi_caller import ask_scope, at_once, echo_nothing, http_scope
from ..support.known_state import Clock, health_with, make_check


def allows(details: object, scope: Scope | None = None, **more: Any) -> bool:
    """Return whether a policy allows the details; either answer is valid."""
    health = health_with(Clock(), (make_check("database"), unhealthy("down")))
    app = HealthMiddleware(echo_nothing, health, details=cast("Any", details))
    reply = at_once(ask_scope(app, http_scope("/health", **more) if scope is None else scope)).check_form()
    assert reply.status == 503
    shown = b"database" in reply.everything
    assert shown or reply.body == b'{"status":"fail"}'
    return shown


def test_true_allows_every_client_and_false_allows_none() -> None:
    assert allows(True)
    assert not allows(False)


class AsyncPolicy:
    async def __call__(self, scope: Scope) -> bool:
        raise AssertionError("it is never awaited")

    async def method(self, scope: Scope) -> bool:
        raise AssertionError("it is never awaited")


class GeneratorPolicy:
    def __call__(self, scope: Scope) -> Iterator[bool]:
        yield True


async def async_policy(scope: Scope, more: bool = True) -> bool:
    raise AssertionError("it is never awaited")


async def async_generator(scope: Scope) -> AsyncIterator[bool]:
    yield True


def generator(scope: Scope) -> Iterator[bool]:
    yield True


class Policy:
    def __init__(self, scope: Scope) -> None:
        raise AssertionError("it is never made")


def raises(scope: Scope) -> bool:
    raise LookupError("the policy's own error")


async def coroutine_of(value: bool) -> bool:
    raise AssertionError("it is never awaited")


POLICIES: dict[str, tuple[Callable[[Scope], object], bool]] = {
    "True": (lambda scope: True, True),
    "False": (lambda scope: False, False),
    "1": (lambda scope: 1, False),
    "yes": (lambda scope: "yes", False),
    "None": (lambda scope: None, False),
    "a list": (lambda scope: [scope], False),
    "an object": (lambda scope: object(), False),
    "a coroutine": (lambda scope: coroutine_of(True), False),
    "raises": (raises, False),
    "reads a missing key": (lambda scope: bool(scope["no such key"]), False),
}


@pytest.mark.parametrize(("policy", "expected"), POLICIES.values(), ids=POLICIES)
def test_only_true_allows(policy: Callable[[Scope], object], expected: bool) -> None:
    assert allows(policy) is expected


@pytest.mark.parametrize(
    "policy",
    [
        *(
            AsyncPolicy(),
            AsyncPolicy().method,
            GeneratorPolicy(),
            async_policy,
            async_generator,
            generator,
            AsyncMock(),
        ),
        *(partial(async_policy, more=False), partial(AsyncPolicy()), partial(partial(async_policy))),
        *(Policy, bool, dict),  # a class is no policy: bool(scope) is True, and would allow every client
    ],
    ids=lambda policy: type(policy).__name__,
)
def test_a_policy_that_cannot_return_true_or_false_is_refused_when_the_app_is_made(policy: object) -> None:
    with pytest.raises(TypeError, match=r"^details must be True, False or a plain function \(scope\) -> bool"):
        HealthMiddleware(echo_nothing, details=cast("Any", policy))
    with pytest.raises(TypeError, match="must be"):
        HealthMiddleware(echo_nothing, drain=Drain(path="/drain", allow=cast("Any", policy)))


@pytest.mark.parametrize(
    "error",
    [
        *(
            SystemExit(0),
            asyncio.CancelledError(),
            GeneratorExit(),
            StopIteration(),
            BaseExceptionGroup("g", [SystemExit()]),
        ),
        *(RecursionError(), MemoryError()),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_policy_that_raises_any_exception_refuses(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    def policy(scope: Scope) -> bool:
        raise error

    with caplog.at_level(logging.WARNING, "asgi_health"):
        assert not allows(policy)
    assert "the policy of details raised" in caplog.text


def test_a_keyboard_interrupt_in_a_policy_is_passed_on() -> None:
    def policy(scope: Scope) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        allows(policy)


@pytest.mark.parametrize("reason", ["raises", "1", "a coroutine"])
def test_a_policy_that_raises_or_returns_no_boolean_is_logged_once(
    reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    policy, _ = POLICIES[reason]
    health = health_with(Clock(), (make_check("database"), unhealthy("down")))
    app = HealthMiddleware(echo_nothing, health, details=cast("Any", policy))
    with caplog.at_level(logging.WARNING, "asgi_health"):
        for _ in range(20):
            at_once(ask_scope(app, http_scope("/health")))
    assert len(caplog.records) == 1
    assert "policy of details" in caplog.text


def test_a_policy_that_returns_false_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "asgi_health"):
        assert not allows(lambda scope: False)
    assert caplog.records == []


def test_a_policy_gets_the_identical_scope() -> None:
    seen: list[Scope] = []
    scope = http_scope("/health")

    def policy(received: Scope) -> bool:
        seen.append(received)
        return True

    assert allows(policy, scope)
    assert len(seen) == 1
    assert seen[0] is scope


def test_a_policy_is_not_called_for_requests_that_reach_the_app() -> None:
    app = HealthMiddleware(echo_nothing, details=raises)
    for path in ("/", "/users", "/readyz/a/b", "/health/x"):
        assert at_once(ask_scope(app, http_scope(path))).from_app


HEADERS: list[tuple[list[tuple[bytes, bytes]], bool]] = [
    ([(b"authorization", b"Bearer s3cret")], True),
    ([(b"authorization", b"bearer s3cret")], True),
    ([(b"authorization", b"BEARER s3cret")], True),
    ([(b"authorization", b"Bearer   s3cret ")], True),
    ([(b"x-first", b"1"), (b"authorization", b"Bearer s3cret"), (b"x-last", b"1")], True),
    ([(b"authorization", b"Bearer s3cret"), (b"authorization", b"Bearer wrong")], True),
    ([(b"authorization", b"Bearer wrong"), (b"authorization", b"Bearer s3cret")], False),
    ([], False),
    ([(b"authorization", b"")], False),
    ([(b"authorization", b"Bearer")], False),
    ([(b"authorization", b"Bearer ")], False),
    ([(b"authorization", b"s3cret")], False),
    ([(b"authorization", b"Bearers3cret")], False),
    ([(b"authorization", b"Basic s3cret")], False),
    ([(b"authorization", b"Token s3cret")], False),
    ([(b"authorization", b"Bearer s3cre")], False),
    ([(b"authorization", b"Bearer s3cret1")], False),
    ([(b"authorization", b"Bearer S3CRET")], False),
    ([(b"authorization", b"Bearer wrong s3cret")], False),
    ([(b"authorization", b"Bearer s3cret, Bearer s3cret")], False),
    ([(b"authorization", b"Bearer \xff\xfe\x00")], False),
    ([(b"authorization", "Bearer s3crét".encode())], False),
    ([(b"authorization", b"\xc2\xa0Bearer s3cret")], False),
    ([(b"x-authorization", b"Bearer s3cret")], False),
    ([(b"proxy-authorization", b"Bearer s3cret")], False),
    ([(b"cookie", b"authorization=Bearer s3cret")], False),
]


@pytest.mark.parametrize(("headers", "expected"), HEADERS)
def test_bearer_token_allows_requests_with_the_token(headers: list[tuple[bytes, bytes]], expected: bool) -> None:
    assert allows(bearer_token("s3cret"), headers=headers) is expected


def test_a_scope_without_headers_has_no_token() -> None:
    scope = http_scope("/health")
    del scope["headers"]
    assert not allows(bearer_token("s3cret"), scope)


def test_a_token_in_the_query_does_not_count() -> None:
    assert not allows(bearer_token("s3cret"), query=b"verbose&token=s3cret&authorization=Bearer+s3cret")


@pytest.mark.parametrize("given", [b"s3cret", b"s3creT", b"x", b"", b"\xff" * 100])
def test_a_token_is_compared_in_constant_time(given: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []
    real = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.extend({one, other} - {b"s3cret"})
        return real(one, other)

    monkeypatch.setattr("hmac.compare_digest", compare)
    assert allows(bearer_token("s3cret"), headers=[(b"authorization", b"Bearer " + given)]) is (given == b"s3cret")
    assert compared == ([] if given == b"s3cret" else [given])


@pytest.mark.parametrize("token", ["", " ", "two words", "tab\t", "line\n", "sécret", "\x7f", "nul\0"])
def test_a_token_that_no_header_can_carry_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(ValueError, match="bearer_token") as refused:
        bearer_token(token)
    assert not token.strip() or token not in str(refused.value)


@pytest.mark.parametrize("token", [None, b"s3cret", 5])
def test_a_token_must_be_a_string_and_is_not_shown(token: object) -> None:
    with pytest.raises(TypeError, match="bearer_token") as refused:
        bearer_token(cast("Any", token))
    assert "s3cret" not in str(refused.value)


PRIVATE = ("10.0.0.0/8", "192.168.1.5", "fd00::/8", "::1")
CLIENTS: list[tuple[object, bool]] = [
    (("10.0.0.0", 1), True),
    (("10.255.255.255", 1), True),
    (["10.1.2.3", 1], True),
    (("192.168.1.5", 1), True),
    (("fd12:3456::1", 1), True),
    (("FD12:3456::1", 1), True),
    (("::1", 1), True),
    (("::ffff:10.1.2.3", 1), True),  # of a dual-stack socket
    (("::ffff:a01:203", 1), True),
    (("::FFFF:10.1.2.3", 1), True),
    (("9.255.255.255", 1), False),
    (("11.0.0.0", 1), False),
    (("192.168.1.6", 1), False),
    (("::2", 1), False),
    (("::ffff:11.1.2.3", 1), False),
    (("::10.1.2.3", 1), False),
    (("2001:db8::1", 1), False),
    (None, False),  # a unix socket
    (("", 0), False),
    (("/run/app.sock", None), False),
    (("testclient", 50000), False),
    (("localhost", 1), False),
    (("10.0.0.1.", 1), False),
    (("10.0.0.1/8", 1), False),
    (("10.0.0.1 ", 1), False),
    (("010.0.0.1", 1), False),
    (("0x0a000001", 1), False),
    (("167772161", 1), False),
    ((167772161, 1), False),  # 10.0.0.1 as a number, which ipaddress would accept
    ((b"\x0a\x00\x00\x01", 1), False),
    (("unix:", 1), False),
    (("\x00", 1), False),
    ((None, None), False),
    ((), False),
    ("10.0.0.1", False),
    (10, False),
    ({}, False),
]


@pytest.mark.parametrize(("client", "expected"), CLIENTS)
def test_client_in_allows_clients_in_its_networks(client: object, expected: bool) -> None:
    assert allows(client_in(*PRIVATE), client=client) is expected


def test_a_scope_without_a_client_is_in_no_network() -> None:
    scope = http_scope("/health")
    del scope["client"]
    assert not allows(client_in("0.0.0.0/0", "::/0"), scope)


def test_headers_do_not_change_the_address_of_the_client() -> None:
    headers = [(b"x-forwarded-for", b"10.0.0.1"), (b"forwarded", b"for=10.0.0.1"), (b"x-real-ip", b"10.0.0.1")]
    assert not allows(client_in("10.0.0.0/8"), client=("192.0.2.7", 1), headers=headers)


def test_the_networks_of_all_addresses_allow_each_client_with_an_address() -> None:
    for host in ("192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1", "fe80::1%eth0"):
        assert allows(client_in("0.0.0.0/0", "::/0"), client=(host, 1))
    assert not allows(client_in("0.0.0.0/0", "::/0"), client=None)


@pytest.mark.parametrize("networks", [(), ("10.0.0.1/8",), ("nonsense",), ("",), ("10.0.0.0/33",), ("10.0.0.0/8", "x")])
def test_what_is_not_a_network_is_refused(networks: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="client_in"):
        client_in(*networks)


@pytest.mark.parametrize("network", [None, 10, b"\x0a\x00\x00\x01", ("10.0.0.0", 8)])
def test_a_network_must_be_a_string(network: object) -> None:
    with pytest.raises(TypeError, match="client_in"):
        client_in(cast("Any", network))


def test_policies_can_be_combined() -> None:
    token, local = bearer_token("s3cret"), client_in("127.0.0.0/8")

    def either(scope: Scope) -> bool:
        return local(scope) or token(scope)

    assert allows(either, client=("127.0.0.1", 1))
    assert allows(either, headers=[(b"authorization", b"Bearer s3cret")])
    assert not allows(either)


def test_a_policy_that_returns_an_awaitable_refuses() -> None:
    class Later:
        def __await__(self) -> Any:
            raise AssertionError("it is never awaited")

    later: Awaitable[bool] = Later()
    assert not allows(lambda scope: later)


def test_a_cors_preflight_is_answered_only_by_a_middleware_outside() -> None:
    preflight = [
        *((b"origin", b"https://dashboard.example"), (b"access-control-request-method", b"GET")),
        (b"access-control-request-headers", b"authorization"),
    ]
    cors: dict[str, Any] = {"allow_origins": ["https://dashboard.example"], "allow_headers": ["authorization"]}
    around = CORSMiddleware(cast("Any", HealthMiddleware(echo_nothing, details=bearer_token("s3cret"))), **cors)
    inside = HealthMiddleware(
        cast("Any", CORSMiddleware(cast("Any", echo_nothing), **cors)), details=bearer_token("s3cret")
    )
    for app, expected in ((around, "https://dashboard.example"), (inside, None)):
        reply = at_once(ask_scope(cast("Any", app), http_scope("/health", method="OPTIONS", headers=preflight)))
        assert reply.headers.get("access-control-allow-origin") == expected
