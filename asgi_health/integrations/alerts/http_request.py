"""One HTTP request to a receiver, which ends at its deadline whatever the receiver does.

On httpcore, the transport of httpx, because httpx logs each URL at INFO, and the URL of a receiver may be a secret; its
timeouts begin anew with each read, so a receiver that sends a byte a second would hold a request for ever; and tracing
that instruments it would make a trace of each request.
"""

import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from threading import Thread
from time import monotonic, time
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from .. import not_installed

try:
    import httpcore
except ModuleNotFoundError as _error:
    raise not_installed(_error, "httpcore", extra="webhook") from None

from ...core.result import describe
from ...formats.redact import redact
from .receiver_url import ReceiverUrl

BODY_LIMIT = 16_384
"""Bytes of the answer's body that are read, so that the receiver sees no broken connection, and thrown away."""

ANSWER_LIMIT = 262_144
"""Bytes of the whole answer. Of informational answers (RFC 9110, 15.2) there may be any number, and to parse as many as
arrive until the deadline would keep the interpreter from other threads."""

Headers = list[tuple[str, str]]


class RequestFailed(Exception):
    """No answer has come; the text says why, in a few words without credentials."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a receiver.

    Attributes:
        status: The status code.
        retry_after: Seconds for which the receiver asks to wait; None where it does not say.
    """

    status: int
    retry_after: float | None

    @property
    def ok(self) -> bool:
        """Whether the receiver has accepted the request."""
        return 200 <= self.status <= 299

    @property
    def reason(self) -> str:
        """What was answered, in words."""
        note = ", a redirect, which is not followed" if 300 <= self.status <= 399 else ""
        return f"answered {self.status}{note}"


def send_request(method: str, url: ReceiverUrl, headers: Headers, body: bytes | None, timeout: float) -> Answer:
    """Send one request on a connection of its own, and return the answer.

    The proxies of the environment (``HTTPS_PROXY``, ``NO_PROXY``) are used. A certificate must be valid for the system
    (``SSL_CERT_FILE`` names another file of authorities). No redirect is followed.

    Args:
        method: The method.
        url: The URL.
        headers: Further headers.
        body: The body, None for none.
        timeout: Seconds for name look-up, connection, TLS, request and answer together.

    Raises:
        RequestFailed: No answer came in time, or none at all.
    """
    deadline = _Deadline(timeout)
    sent = [("Host", url.authority), ("User-Agent", "asgi-health"), ("Accept", "*/*"), ("Connection", "close")]
    if url.authorization is not None:
        sent.append(("Authorization", url.authorization))
    target = httpcore.URL(scheme=url.scheme, host=url.host, port=url.port, target=url.target)
    try:
        with (
            _pool(url, deadline) as pool,
            pool.stream(method, target, headers=[*sent, *headers], content=body) as response,
        ):
            answer = Answer(response.status, _retry_after(response.headers))
            _skip_body(response)
            return answer
    except TimeoutError as error:
        if error.errno:  # from the system, before the deadline
            raise RequestFailed(redact(describe(error))) from None
        raise RequestFailed(f"timed out after {timeout:g} s {deadline.progress}") from None
    except httpcore.RemoteProtocolError as error:
        raise RequestFailed(redact(f"the answer is no HTTP/1.1: {error}")) from None
    except httpcore.ProxyError as error:
        raise RequestFailed(redact(f"the proxy of the environment answered {error}")) from None
    except (OSError, httpcore.UnsupportedProtocol) as error:
        raise RequestFailed(redact(describe(error))) from None


class _Deadline:
    """The moment at which the request ends, and how far it has come."""

    def __init__(self, seconds: float) -> None:
        self._end = monotonic() + seconds
        self.progress = "while connecting"

    def remaining(self) -> float:
        """Return the remaining seconds, more than 0. Raises TimeoutError at the end."""
        remaining = self._end - monotonic()
        if remaining <= 0:
            raise TimeoutError
        return remaining


class _Backend(httpcore.NetworkBackend):
    """Opens connections whose every step ends at the deadline. The timeouts that httpcore passes are not used."""

    def __init__(self, deadline: _Deadline) -> None:
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = _look_up(host, port, self._deadline)
        for number, address in enumerate(addresses, 1):
            # Each remaining address gets an equal share, so that one that is silent leaves time for one that answers.
            share = self._deadline.remaining() / (len(addresses) - number + 1)
            try:
                return _Stream(_connect(address, share), self._deadline)
            except OSError:
                if number == len(addresses):
                    raise
        raise OSError(f"the name {host} has no address")


class _Stream(httpcore.NetworkStream):
    """A connection."""

    def __init__(self, connection: socket.socket, deadline: _Deadline) -> None:
        self._connection = connection
        self._deadline = deadline
        self._received = 0
        deadline.progress = "without an answer"

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._connection.settimeout(self._deadline.remaining())
        received = self._connection.recv(max_bytes)
        self._deadline.progress = "in the middle of the answer"
        self._received += len(received)
        if self._received > ANSWER_LIMIT:
            raise OSError(f"the answer has more than {ANSWER_LIMIT} bytes")
        return received

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._connection.settimeout(self._deadline.remaining())
        try:
            self._connection.sendall(buffer)
        except (BrokenPipeError, ConnectionResetError) as error:
            # httpcore then reads: the receiver may have answered before it closed, for example 413.
            raise httpcore.WriteError(describe(error)) from error

    def close(self) -> None:
        self._connection.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        self._deadline.progress = "in the TLS handshake"
        self._connection.settimeout(self._deadline.remaining())
        try:
            secure = ssl_context.wrap_socket(self._connection, server_hostname=server_hostname)
        except BaseException:
            self._connection.close()
            raise
        return _Stream(secure, self._deadline)


def _look_up(host: str, port: int, deadline: _Deadline) -> "list[_Address]":
    """Return the addresses of `host`. Raises TimeoutError at the deadline, OSError where there is none."""
    try:
        return _getaddrinfo(host, port, socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass
    # The system's resolver takes no timeout, so it runs in a thread, which is left behind at the deadline.
    found: list[_Address] = []
    errors: list[OSError] = []

    def look_up() -> None:
        try:
            found.extend(_getaddrinfo(host, port, 0))
        except OSError as error:
            errors.append(error)

    thread = Thread(target=look_up, name="asgi-health name look-up", daemon=True)
    thread.start()
    thread.join(deadline.remaining())
    if errors:
        raise errors[0]
    if not found:
        raise TimeoutError
    return found


_Address = tuple[int, Any]
"""The family of a socket, and the address."""


def _getaddrinfo(host: str, port: int, flags: int) -> list[_Address]:
    return [(each[0], each[4]) for each in socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, 0, flags)]


def _connect(address: _Address, seconds: float) -> socket.socket:
    connection = socket.socket(address[0], socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.connect(address[1])
    except BaseException:
        connection.close()
        raise
    return connection


def _pool(url: ReceiverUrl, deadline: _Deadline) -> httpcore.ConnectionPool:
    context = ssl.create_default_context() if url.scheme == "https" else None
    backend = _Backend(deadline)
    proxy = None if proxy_bypass(url.host) else getproxies().get(url.scheme)
    if not proxy:
        return httpcore.ConnectionPool(context, network_backend=backend)
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    if parts.scheme != "http" or not parts.hostname:
        raise OSError(f"the proxy that the environment names for {url.scheme} is no http://host:port")
    credentials = None
    if parts.username is not None:
        credentials = (unquote(parts.username).encode(), unquote(parts.password or "").encode())
    return httpcore.HTTPProxy(
        httpcore.URL(scheme="http", host=parts.hostname, port=parts.port or 80, target="/"),
        proxy_auth=credentials,
        ssl_context=context,
        network_backend=backend,
    )


def _skip_body(response: httpcore.Response) -> None:
    """Read the body up to a limit. The status counts, however the body ends."""
    size = 0
    try:
        for part in response.iter_stream():
            size += len(part)
            if size >= BODY_LIMIT:
                return
    except (OSError, httpcore.RemoteProtocolError):
        return


def _retry_after(headers: list[tuple[bytes, bytes]]) -> float | None:
    """Return the value of Retry-After in seconds (RFC 9110, 10.2.3), None where there is none."""
    for name, value in headers:
        if name.lower() == b"retry-after":
            text = value.decode("latin-1").strip()
            if text.isascii() and text.isdecimal():
                return float(text[:9])
            try:
                return max(0.0, parsedate_to_datetime(text).timestamp() - time())
            except (ValueError, OverflowError, OSError):  # no date, or one out of the range of the platform
                return None
    return None
