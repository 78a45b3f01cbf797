"""Webhook: one POST of JSON, signed as Standard Webhooks (https://www.standardwebhooks.com) describes it."""

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping
from time import time
from typing import TYPE_CHECKING, Any

import orjson

from ...core.validate import require_type
from .message import Message, to_json
from .receiver_url import parse_receiver_url
from .target import DeliveryError, Rejected

if TYPE_CHECKING:
    from .http_request import Headers

SCHEMA_VERSION = 1
"""Version of the body. It grows when a member changes its meaning or goes; new members may come at any time."""

MIN_KEY_BYTES, MAX_KEY_BYTES = 24, 64
"""Bytes of the key, as Standard Webhooks wants them."""

RETRIED = (408, 425, 429)
"""Statuses below 500 after which another attempt may succeed: a timeout, too early, too many requests."""

_PREFIX = "whsec_"
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")  # RFC 9110, 5.6.2, in lower case
_OWN_HEADERS = (
    *("accept", "connection", "content-length", "content-type", "expect", "host"),
    *("transfer-encoding", "upgrade", "user-agent", "webhook-id", "webhook-signature", "webhook-timestamp"),
)


class Webhook:
    """Send each message as a POST of JSON to one URL.

    The body is documented in docs/reference/alerts.md. Each request has the headers ``webhook-id``, the same when a
    message is tried again, and ``webhook-timestamp``; with a secret also ``webhook-signature``. A redirect is not
    followed and counts as a failure, and so does everything that is not 200 to 299. Certificates are verified.

    Args:
        url: The URL, ``https://`` or ``http://``. A user and a password in it are sent as Basic authentication. Logs,
            errors and ``repr`` show its host alone.
        secret: The key of the signature: ``whsec_`` and the Base64 of 24 to 64 bytes. None: no signature.
        headers: Further headers, such as ``{"Authorization": "Bearer ..."}``.
        name: Names the target in logs and counters. Default: ``webhook`` and the host.

    Raises:
        ModuleNotFoundError: httpcore is not installed.
        TypeError: for an argument of another type.
        ValueError: for a URL, a secret or a header that could not work.
    """

    def __init__(
        self,
        url: str,
        *,
        secret: str | None = None,
        headers: Mapping[str, str] | None = None,
        name: str | None = None,
    ) -> None:
        self._url = parse_receiver_url("webhook", url)
        self._name = f"webhook {self._url.authority}" if name is None else name
        require_type("webhook: name", self._name, str)
        self._key = None if secret is None else _key(secret)
        self._headers = _require_headers(headers or {})
        if self._url.authorization is not None and "authorization" in (name.lower() for name, _ in self._headers):
            raise ValueError("webhook: both url and headers hold credentials, expected one of them")
        # Imported now, so that a missing package is an error of the configuration and not of the first alert.
        from . import http_request  # noqa: F401  # pyright: ignore[reportUnusedImport]

    @property
    def name(self) -> str:
        """The name in logs and counters."""
        return self._name

    def __repr__(self) -> str:
        return f"Webhook({self._url.origin!r}, name={self._name!r})"

    def send(self, message: Message, /, timeout: float) -> None:
        """Send `message` once, and return when the receiver has accepted it.

        Args:
            message: The message.
            timeout: Seconds for everything together: name look-up, connection, TLS, request and answer.

        Raises:
            Rejected: The receiver has refused the message, and would refuse it again.
            DeliveryError: The receiver has not accepted it, and another attempt may succeed.
        """
        from .http_request import RequestFailed, send_request

        body = _body(message)
        headers = [("Content-Type", "application/json"), *self._sign(message.id, body), *self._headers]
        try:
            answer = send_request("POST", self._url, headers, body, timeout)
        except RequestFailed as error:
            raise DeliveryError(str(error)) from None
        if answer.ok:
            return
        if answer.status < 500 and answer.status not in RETRIED:
            raise Rejected(answer.reason)
        raise DeliveryError(answer.reason, retry_after=answer.retry_after)

    def _sign(self, id: str, body: bytes) -> "Headers":
        timestamp = str(int(time()))
        headers = [("webhook-id", id), ("webhook-timestamp", timestamp)]
        if self._key is not None:
            digest = hmac.digest(self._key, b".".join((id.encode(), timestamp.encode(), body)), "sha256")
            headers.append(("webhook-signature", f"v1,{b64encode(digest).decode()}"))
        return headers


def _body(message: Message) -> bytes:
    document: dict[str, Any] = {
        "type": f"health.{message.kind}",
        "version": SCHEMA_VERSION,
        "timestamp": message.at,
        "data": orjson.Fragment(to_json(message)),
    }
    return orjson.dumps(document, option=orjson.OPT_UTC_Z)


def _key(secret: object) -> bytes:
    """Return the bytes of `secret`. No error shows it."""
    require = f"webhook: secret must be {_PREFIX} and the Base64 of {MIN_KEY_BYTES} to {MAX_KEY_BYTES} bytes"
    if not isinstance(secret, str):
        raise TypeError(f"webhook: secret must be a string, not one of {type(secret).__qualname__}")
    if not secret.startswith(_PREFIX):
        raise ValueError(f"{require}; it does not begin with {_PREFIX}")
    try:
        key = b64decode(secret.removeprefix(_PREFIX).encode(), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"{require}; what follows {_PREFIX} is no Base64") from None
    if not MIN_KEY_BYTES <= len(key) <= MAX_KEY_BYTES:
        raise ValueError(f"{require}, not of {len(key)}")
    return key


def _require_headers(headers: object) -> "Headers":
    """Return the headers. No error shows a value, which may be a secret."""
    if not isinstance(headers, Mapping):
        raise TypeError(f"webhook: headers must be a mapping, not one of {type(headers).__qualname__}")
    found: Headers = []
    seen: set[str] = set()
    for name, value in headers.items():  # pyright: ignore[reportUnknownVariableType]
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError("webhook: headers: names and values must be strings")
        lower = name.lower()
        if not name or not _TOKEN.issuperset(lower):
            raise ValueError(f"webhook: headers: {name!r} is no name of a header")
        if lower in _OWN_HEADERS:
            raise ValueError(f"webhook: headers: {name} is set by each request itself")
        if lower in seen:
            raise ValueError(f"webhook: headers: {name} is there twice")
        if not value.isascii() or not value.replace("\t", " ").isprintable() or value != value.strip():
            raise ValueError(f"webhook: headers: the value of {name} must be printable ASCII without outer spaces")
        seen.add(lower)
        found.append((name, value))
    return found
