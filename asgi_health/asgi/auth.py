"""The policies that decide which clients may read details, and which may drain the app."""

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
        raise ValueError("client_in: no network is given")
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
    if details is bearer_token or details is client_in:
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


class SafePolicy:
    """Call a policy of the app: only True allows, and an exception refuses."""

    __slots__ = ("_complained", "_policy", "_subject")

    def __init__(self, policy: Callable[[Scope], object], subject: str) -> None:
        self._policy = policy
        self._subject = subject
        self._complained = False

    def __call__(self, scope: Scope) -> bool:
        try:
            decision = self._policy(scope)
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


def _is_asynchronous(policy: object) -> bool:
    """Return whether calling `policy` returns an awaitable or an iterator, which is neither True nor False."""
    while isinstance(policy, partial):
        policy = policy.func
    call = getattr(type(policy), "__call__", None)  # noqa: B004  not whether there is one
    kinds = (inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction)
    return any(is_kind(each) for is_kind in kinds for each in (policy, call))


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
