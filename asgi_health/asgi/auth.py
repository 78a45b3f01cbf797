"""Which clients may read details, and which may drain the app or begin a maintenance."""

import inspect
from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from ..core.logger import logger
from .types import Scope

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

Policy = Callable[[Scope], bool]
"""Returns whether the client that sent a request is allowed what it asks for."""


def bearer_token(token: str) -> Policy:
    """Allow requests with ``Authorization: Bearer <token>``, compared in a time that shows nothing of the token.

    Args:
        token: The token: printable ASCII without spaces.

    Raises:
        ValueError: for an empty token, or one that a header cannot carry.
        TypeError: for a token that is not a string.
    """
    from hmac import compare_digest  # not at the top: it imports OpenSSL, which most apps do not need here

    expected = _token(token)

    def allows(scope: Scope) -> bool:
        for name, value in scope["headers"]:
            if name == b"authorization":
                scheme, _, received = value.partition(b" ")
                return scheme.lower() == b"bearer" and compare_digest(received.strip(), expected)
        return False

    return allows


def basic_auth(user: str, password: str) -> Policy:
    """Allow requests with these credentials (RFC 7617), compared in a time that shows nothing of them.

    For people with browsers: the page of readers without leave has a link to ``?signin``, which is answered with 401
    and makes the browser ask for user and password. Every other request without them is answered like those of other
    strangers, so that a monitor sees the status. Use it with HTTPS alone. Once signed in, a browser sends the
    credentials to other paths of the same origin too.

    Args:
        user: Name of the user: printable, without a colon.
        password: The password: printable.

    Raises:
        ValueError: for an empty user or password, or one that a browser cannot send.
        TypeError: for one that is not a string.
    """
    _require_credential("user", user)
    _require_credential("password", password)
    if ":" in user:
        raise ValueError("basic_auth: the user must not contain a colon, which separates it from the password")
    return _BasicAuth(f"{user}:{password}")


def any_of(*policies: Policy | bool) -> Policy:
    """Allow requests that one of the policies allows: browsers by `basic_auth`, programs by `bearer_token`.

    A policy that raises refuses, and the others still count. A browser can sign in where one of them is `basic_auth`.

    Args:
        policies: The policies: plain functions ``(scope) -> bool``, or True and False, such as a setting.

    Raises:
        ValueError: for no policy at all.
        TypeError: for an argument that is not a policy.
    """
    if not policies:
        raise ValueError("any_of: no policy is given, expected at least one, such as bearer_token(...)")
    return _AnyOf(policies)


def client_in(*networks: str) -> Policy:
    """Allow clients whose address, as the server reports it, lies in one of the networks, such as ``10.0.0.0/8``.

    The server does not always report the address of the client. By default uvicorn trusts the X-Forwarded-For header of
    every connection from 127.0.0.1: a request that reaches it over loopback (from a sidecar, a tunnel, or a proxy that
    passes the header on unchanged) may claim any address. ``--no-proxy-headers`` turns that off, and
    ``--forwarded-allow-ips`` lists the proxies to trust. Where no proxy is trusted, the address is the proxy's.

    A client without an address (on a unix socket) is not allowed.

    Args:
        networks: Networks in CIDR notation, or single addresses.

    Raises:
        ValueError: for a string that is not a network, or for no network at all.
        TypeError: for a network that is not a string.
    """
    from ipaddress import IPv6Address, ip_address  # not at the top: 2 ms that only apps with this policy need

    if not networks:
        raise ValueError("client_in: no network is given, expected at least one, such as '10.0.0.0/8'")
    allowed = tuple(_network(each) for each in networks)

    @lru_cache(maxsize=1024)
    def contains(host: str) -> bool:
        try:
            address = ip_address(host)
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in allowed)

    def allows(scope: Scope) -> bool:
        client = scope.get("client")
        return client is not None and isinstance(client[0], str) and contains(client[0])

    return allows


def normalize_policy(details: object, subject: str = "details") -> Policy | None:
    """Return the policy that `details` stands for, None when it allows no client. Raises TypeError for others."""
    if details is False:
        return None
    if details is True:
        return lambda scope: True
    expected = f"{subject} must be True, False or a plain function (scope) -> bool"
    if isinstance(details, str | bytes):
        raise TypeError(f"{expected}; for a token that is bearer_token(...)")  # the token itself is not shown
    if any(details is each for each in (bearer_token, basic_auth, client_in, any_of)):
        raise TypeError(f"{expected}; call it to make one")
    if isinstance(details, type):
        raise TypeError(f"{expected}, not the class {details.__name__}: its instances may be policies")
    if not callable(details) or _is_asynchronous(details):
        raise TypeError(f"{expected}, not {details!r}")
    try:
        inspect.signature(details).bind({})
    except TypeError as error:
        raise TypeError(f"{expected}: {error}") from None
    except ValueError:
        pass  # some builtins have no signature
    return SafePolicy(details, subject)


def is_from_other_origin(scope: Scope) -> bool:
    """Return whether a web page of another origin has made a browser send the request.

    The policy may allow it nevertheless: by the address of the browser, or by credentials that it sends by itself.
    As Go's ``http.CrossOriginProtection`` decides it: browsers send Sec-Fetch-Site to HTTPS and to localhost, and
    Origin with each POST to any other address. A request with neither counts as that of a program. A GET that a page
    sends over plain HTTP to another address has neither too, so only a method such as POST is safe there.
    """
    headers = {name: value.lower() for name, value in scope.get("headers") or () if name in _OF_ORIGIN}
    site, origin, host = (headers.get(name) for name in _OF_ORIGIN)
    if site is not None:
        return site not in (b"same-origin", b"none")
    return origin is not None and (not host or origin.partition(b"://")[2] != host)


_OF_ORIGIN = (b"sec-fetch-site", b"origin", b"host")


class SafePolicy:
    """Call a policy of the app: only True allows, and an exception refuses."""

    __slots__ = ("_complained", "_subject", "policy")

    def __init__(self, policy: Callable[[Scope], object], subject: str) -> None:
        self.policy = policy
        self._subject = subject
        self._complained = False

    def __call__(self, scope: Scope) -> bool:
        try:
            decision = self.policy(scope)
        except KeyboardInterrupt:
            raise  # from Ctrl-C, not from the policy
        except BaseException:
            # SystemExit would stop the server, and CancelledError would leave the request without an answer.
            self._complain("raised", exc_info=True)
            return False
        if decision is not True and decision is not False:
            if inspect.iscoroutine(decision):
                decision.close()
            self._complain(f"returned {type(decision).__name__}, expected True or False", exc_info=False)
        return decision is True

    def _complain(self, what: str, *, exc_info: bool) -> None:
        # Once: a client that can make the policy raise could otherwise fill the log.
        if not self._complained:
            self._complained = True
            logger.warning(
                "the policy of %s %s: the request is refused (logged once)", self._subject, what, exc_info=exc_info
            )


def challenge_of(policy: Policy | None) -> bytes | None:
    """Return the challenge that makes a browser ask for credentials; None where the policy knows none."""
    called = policy.policy if isinstance(policy, SafePolicy) else policy
    return called.challenge if isinstance(called, _BasicAuth | _AnyOf) else None


def reads_address(policy: Policy) -> bool:
    """Return whether the decision depends on the address of the client: `client_in`, also inside of `any_of`."""
    called = policy.policy if isinstance(policy, SafePolicy) else policy
    if isinstance(called, _AnyOf):
        return any(map(reads_address, called.policies))
    return getattr(called, "__qualname__", "").startswith("client_in.") and called.__module__ == __name__


class _BasicAuth:
    """Allow requests with the right credentials: the user, a colon, and the password."""

    __slots__ = ("_expected",)

    challenge = b'Basic realm="health", charset="UTF-8"'

    def __init__(self, credentials: str) -> None:
        self._expected = _composed(credentials.encode())

    def __call__(self, scope: Scope) -> bool:
        from hmac import compare_digest

        for name, value in scope["headers"]:
            if name == b"authorization":
                scheme, _, received = value.partition(b" ")
                # One comparison of both: that of the user alone would show which users there are.
                return scheme.lower() == b"basic" and compare_digest(_credentials(received), self._expected)
        return False


class _AnyOf:
    """Allow requests that one of the policies allows."""

    __slots__ = ("challenge", "policies")

    def __init__(self, policies: tuple[object, ...]) -> None:
        normalized = (normalize_policy(each, "any_of") for each in policies)
        self.policies = [each for each in normalized if each is not None]
        challenges = (challenge_of(policy) for policy in self.policies)
        self.challenge = next((each for each in challenges if each is not None), None)

    def __call__(self, scope: Scope) -> bool:
        return any(policy(scope) for policy in self.policies)


def _credentials(encoded: bytes) -> bytes:
    """Return what a client has encoded; nothing for what is not in the form of RFC 7617."""
    from base64 import b64decode

    try:
        return _composed(b64decode(encoded.strip(), validate=True))
    except ValueError:
        return b""


def _composed(text: bytes) -> bytes:
    """Return UTF-8 in normalization form C (RFC 7617, 2.1): systems differ in how they write one letter."""
    if text.isascii():
        return text
    from unicodedata import normalize

    return normalize("NFC", text.decode()).encode()


def _is_asynchronous(policy: object) -> bool:
    """Return whether calling `policy` returns an awaitable or an iterator, which is neither True nor False."""
    while isinstance(policy, partial):
        policy = policy.func
    call = getattr(type(policy), "__call__", None)  # noqa: B004  not whether there is one
    kinds = (inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction)
    return any(is_kind(each) for is_kind in kinds for each in (policy, call))


def _require_credential(option: str, value: object) -> None:
    # As the token: no message shows it.
    if not isinstance(value, str):
        raise TypeError(f"basic_auth: the {option} must be a string, not {type(value).__name__}")
    if not value:
        raise ValueError(f"basic_auth: the {option} is empty")
    if not value.isprintable():
        raise ValueError(f"basic_auth: the {option} must have printable characters alone")


def _token(token: object) -> bytes:
    # The token is a secret: no message shows it.
    if not isinstance(token, str):
        raise TypeError(f"bearer_token: the token must be a string, not {type(token).__name__}")
    if not token:
        raise ValueError("bearer_token: the token is empty, which would allow every client")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("bearer_token: the token must be printable ASCII without spaces")
    return token.encode()


def _network(text: object) -> "IPv4Network | IPv6Network":
    from ipaddress import ip_network

    if not isinstance(text, str):
        raise TypeError(f"client_in: a network must be a string such as '10.0.0.0/8', not {type(text).__name__}")
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(f"client_in: {text!r} is not a network such as '10.0.0.0/8': {error}") from None
