"""Who may read names, errors, versions and timings."""

import hmac
import inspect
from collections.abc import Callable
from functools import lru_cache, partial
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from ..core.logger import logger
from .types import Scope

Policy = Callable[[Scope], bool]
"""Tells whether the one who sent this request may read the details."""


def bearer_token(token: str) -> Policy:
    """Allow whoever sends ``Authorization: Bearer <token>``; the comparison takes the same time for every wrong one.

    Raises ValueError for an empty token or one that a header cannot carry.
    """
    expected = _token(token)

    def allows(scope: Scope) -> bool:
        for name, value in scope["headers"]:
            if name == b"authorization":
                scheme, _, given = value.partition(b" ")
                return scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), expected)
        return False

    return allows


def client_in(*networks: str) -> Policy:
    """Allow clients whose address, as the server reports it, lies in one of the networks, such as ``10.0.0.0/8``.

    What the server reports is not always who has connected. uvicorn believes the X-Forwarded-For of whatever connects
    from 127.0.0.1, and it does so by default: what reaches it over loopback (a sidecar, a tunnel, a proxy that passes
    the header on as it came) is of any address that it claims to be. ``--no-proxy-headers`` ends that, and
    ``--forwarded-allow-ips`` says which proxies to believe. Where no proxy is believed, the address is the proxy's.

    A client without an address (a unix socket) is not allowed. Raises ValueError for what is not a network, or for
    none at all.
    """
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


def policy_of(details: object, subject: str = "details") -> Policy | None:
    """Return the policy that `details` stands for, None for "nobody". Raises TypeError for what is none."""
    if details is False:
        return None
    if details is True:
        return lambda scope: True
    expected = f"{subject} must be True, False or a plain function (scope) -> bool"
    if isinstance(details, str | bytes):
        raise TypeError(f"{expected}; for a token that is bearer_token(...)")  # which is not shown
    if details is bearer_token or details is client_in:
        raise TypeError(f"{expected}; call it to make one")
    if isinstance(details, type):
        raise TypeError(f"{expected}, not the class {details.__name__}: each of its instances would have to be one")
    if not callable(details) or _is_asynchronous(details):
        raise TypeError(f"{expected}, not {details!r}")
    try:
        inspect.signature(details).bind({})
    except TypeError as error:
        raise TypeError(f"{expected}: {error}") from None
    except ValueError:
        pass  # some builtins have no signature to look at
    return _Guarded(details, subject)


class _Guarded:
    """Ask a policy that somebody else wrote: only a plain True opens the door, and raising means no."""

    __slots__ = ("_complained", "_policy", "_subject")

    def __init__(self, policy: Callable[[Scope], object], subject: str) -> None:
        self._policy = policy
        self._subject = subject
        self._complained = False

    def __call__(self, scope: Scope) -> bool:
        try:
            verdict = self._policy(scope)
        except KeyboardInterrupt:
            raise  # of who sits at the terminal, not of the policy
        except BaseException:
            # SystemExit would stop the server, and CancelledError leave the request without an answer.
            self._complain("raised", exc_info=True)
            return False
        if verdict is not True and verdict is not False:
            if inspect.iscoroutine(verdict):
                verdict.close()
            self._complain(f"returned {type(verdict).__name__}, expected True or False", exc_info=False)
        return verdict is True

    def _complain(self, what: str, *, exc_info: bool) -> None:
        # Once: whoever can make a policy raise could otherwise fill the log with it.
        if not self._complained:
            self._complained = True
            logger.warning("the policy of %s %s: nobody is let in (said once)", self._subject, what, exc_info=exc_info)


def _is_asynchronous(policy: object) -> bool:
    """Tell whether calling `policy` gives something to await or to iterate, which says neither yes nor no."""
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
        raise ValueError("bearer_token: the token is empty, which would let everybody in")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("bearer_token: the token must be printable ASCII without spaces")
    return token.encode()


def _network(text: object) -> IPv4Network | IPv6Network:
    if not isinstance(text, str):
        raise TypeError(f"client_in: a network must be a string such as '10.0.0.0/8', not {type(text).__name__}")
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(f"client_in: {text!r} is not a network such as '10.0.0.0/8': {error}") from None
