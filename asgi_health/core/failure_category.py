"""Why a run failed, in one of a few words: a label of a metric must not have a value per message."""

import re
from collections import deque
from collections.abc import Iterator
from errno import ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT
from typing import Literal, cast, get_args

from .result import describe

Category = Literal["timeout", "refused", "dns", "tls", "auth", "overrun", "other"]
"""Why a run failed.

- timeout: no result by the deadline, or a deadline of the driver
- refused: the host refuses the connection, or the network cannot reach it
- dns: the name of the host cannot be resolved
- tls: the handshake failed, or the certificate is not accepted
- auth: the server refuses the credentials, or what they may do
- overrun: the previous run had not ended when the next one was due
- other: anything else, such as a lost connection or a wrong answer
"""

CATEGORIES: tuple[Category, ...] = get_args(Category)

MAX_EXCEPTIONS = 16
"""Exceptions of a chain that are inspected. Drivers that retry chain one exception per attempt."""

_CLASSES: dict[str, Category] = {
    "gaierror": "dns",
    "herror": "dns",
    "ClientConnectorDNSError": "dns",
    "DNSError": "dns",
    "NXDOMAIN": "dns",
    "NoNameservers": "dns",
    "SSLError": "tls",
    "CertificateError": "tls",
    "ClientSSLError": "tls",
    "TlsError": "tls",
    "AccessDenied": "auth",
    "AuthenticationError": "auth",
    "AuthenticationException": "auth",
    "AuthenticationFailed": "auth",
    "AuthenticationFailedError": "auth",
    "AuthorizationError": "auth",
    "AuthorizationException": "auth",
    "InsufficientPrivilegeError": "auth",
    "InvalidAuthorizationSpecificationError": "auth",
    "InvalidPasswordError": "auth",
    "NoPermissionError": "auth",
    "PermissionError": "auth",
    "ProbableAuthenticationError": "auth",
    "SMTPAuthenticationError": "auth",
    "SaslAuthenticationFailed": "auth",
    "ConnectionRefusedError": "refused",
}
"""Names of classes instead of the classes: the core imports no driver, and neither socket nor ssl."""

_TIMEOUT_CLASS = re.compile(r"Time(?:d)?[Oo]ut(?:Error|Exception|Expired)?$|^QueryCanceledError$")

_ERRNOS: dict[int, Category] = {
    ECONNREFUSED: "refused",
    EHOSTUNREACH: "refused",
    ENETUNREACH: "refused",
    ETIMEDOUT: "timeout",
}

# In this order: a broker of MQTT says "Connection Refused: not authorised", and a driver that has timed out while every
# connection was refused says both. Plain words, because a pattern with all of them takes a hundred times as long.
_MESSAGES: tuple[tuple[Category, tuple[str, ...]], ...] = (
    (
        "auth",
        (
            *("authentication failed", "authentication required", "authentication_failed", "authentication failure"),
            *("auth failed", "auth failure", "access denied", "access_denied", "accessdenied", "access_refused"),
            *("login was refused", "permission denied", "unauthorized", "unauthorised", "not authorized"),
            *("not authorised", "unauthenticated", "unable to authenticate", "authorization violation"),
            *("invalid username", "bad user name", "bad username", "invalid password", "incorrect password"),
            *("wrong password", "wrongpass", "noauth ", "noperm ", "no pg_hba.conf entry", "invalidaccesskeyid"),
            *("signaturedoesnotmatch", "forbidden", "answered by 401", "answered by 403"),
        ),
    ),
    (
        "tls",
        (
            *("certificate verify failed", "certificate_verify_failed", "certificate has expired", "self-signed"),
            *("self signed", "certificate is not", "hostname mismatch", "wrong version number", "[ssl:", "[ssl]"),
            *("wrong_version_number", "handshake failure", "handshake failed", "tls handshake", "ssl handshake"),
            *("tlsv1", "sslv3", "ssl_error", "ssl error"),
        ),
    ),
    (
        "dns",
        (
            *("name or service not known", "nodename nor servname", "name resolution", "getaddrinfo"),
            *("no address associated with hostname", "could not translate host name", "could not resolve"),
            *("cannot resolve", "failed to resolve", "dns resolution failed", "unknown host", "cannot be resolved"),
            "name does not resolve",
        ),
    ),
    (
        "refused",
        (
            *("connection refused", "connect call failed", "econnrefused", "errno 111]", "error 111 ", "errno 61]"),
            *("actively refused", "no route to host", "network is unreachable", "host is unreachable"),
        ),
    ),
    ("timeout", ("timed out", "timed-out", "timeout", "time-out", "deadline exceeded", "deadline_exceeded")),
)


def categorize(message: str, error: BaseException | None) -> Category:
    """Return why a run failed.

    The exceptions of the chain are inspected from the outermost to their causes: their classes and error numbers first,
    then the messages, because some drivers put the reason into the text alone. An exception that says only that time
    ran out counts last: drivers retry a refused connection until their own deadline. Never raises.

    Args:
        message: Message of the result.
        error: Exception that made the run fail; None where there was none.
    """
    if error is None:
        return _by_message(message) or "other"
    chain = tuple(_chain(error))
    classes: list[Category | None] = [_by_class(each) for each in chain]
    texts = (message, *(describe(each, 0) for each in chain[1:]))
    messages: list[Category | None] = [_by_message(each) for each in texts]
    found: list[Category] = [each for each in (*classes, *messages) if each is not None]
    specific: list[Category] = [each for each in found if each != "timeout"]
    best: list[Category] = [*specific, *found, "other"]
    return best[0]


def _by_class(error: BaseException) -> Category | None:
    names = [each.__name__ for each in type(error).__mro__]
    for name in names:
        if name in _CLASSES:
            return _CLASSES[name]
    # After the classes: the numbers in an error of SSL or of a resolver are their own.
    number = _attribute(error, "errno")
    if isinstance(number, int) and number in _ERRNOS:
        return _ERRNOS[number]
    return "timeout" if any(_TIMEOUT_CLASS.search(name) for name in names) else None


def _by_message(message: str) -> Category | None:
    text = message.lower()
    for category, words in _MESSAGES:
        for word in words:
            if word in text:
                return category
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and the exceptions that it comes from, nearest first."""
    waiting = deque([error])
    seen: set[int] = set()
    while waiting and len(seen) < MAX_EXCEPTIONS:
        present = waiting.popleft()
        if id(present) in seen:
            continue
        seen.add(id(present))
        yield present
        waiting += (each for each in _causes(present) if isinstance(each, BaseException))


def _causes(error: BaseException) -> Iterator[object]:
    yield error.__cause__
    if not error.__suppress_context__:
        yield error.__context__
    yield _attribute(error, "orig")  # of SQLAlchemy
    for name in ("exceptions", "errors"):  # of groups, and of Elasticsearch
        inside = _attribute(error, name)
        if isinstance(inside, tuple | list):
            yield from cast("tuple[object, ...]", inside)[:MAX_EXCEPTIONS]


def _attribute(error: BaseException, name: str) -> object:
    try:
        return getattr(error, name, None)
    except Exception:  # a property of a driver
        return None
