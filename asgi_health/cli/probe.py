"""Send one request, and report by the exit code whether the answer is healthy."""

import os
import sys

from .arguments import ProbeRequest, program
from .connection import Deadline, Unreachable, connect, explain, start_tls
from .http_response import BODY_LIMIT, BadResponse, Response, read_response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .connection import Connection


class NoAnswer(Exception):
    """There is no answer; the text says why."""


class Outcome:
    """The outcome of one request.

    Attributes:
        healthy: Whether the answer has an expected status.
        reason: Why the target is not healthy; empty when it is.
        body: The beginning of the body of the answer.
    """

    __slots__ = ("body", "healthy", "reason")

    def __init__(self, *, healthy: bool = False, reason: str = "", body: bytes = b"") -> None:
        self.healthy = healthy
        self.reason = reason
        self.body = body


def probe(request: ProbeRequest) -> int:
    """Return 0 when the target is healthy; otherwise print the reason on stderr and return 1."""
    outcome = send(request)
    if request.verbose:
        _print_body(outcome.body)
    if outcome.healthy:
        return 0
    if sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison]  it is None if it was closed
        return 1
    try:
        print(f"{program()} probe: {request.target.display_url}: {outcome.reason}", file=sys.stderr)
    except OSError:  # the reader has gone; the exit code reports the outcome
        pass
    return 1


def send(request: ProbeRequest) -> Outcome:
    """Return the outcome of `request`, at the latest after its timeout. Never raises."""
    if request.target.file:
        from .file_age import reason_against

        reason = reason_against(request.target.file, request.max_age)
        return Outcome(healthy=not reason, reason=reason)
    try:
        response = ask(request)
    except NoAnswer as error:
        return Outcome(reason=str(error))
    expected = request.expected
    if response.status in expected if expected else 200 <= response.status <= 299:
        return Outcome(healthy=True, body=response.body)
    statuses = " or ".join(map(str, expected)) if expected else "200-299"
    note = ", a redirect, which is not followed" if 300 <= response.status <= 399 else ""
    return Outcome(reason=f"answered {response.status}{note}; expected {statuses}", body=response.body)


def ask(request: ProbeRequest, method: str = "GET", limit: int = BODY_LIMIT) -> Response:
    """Return the answer to `request`, at the latest after its timeout.

    Args:
        request: Where it goes, and what it sends; which answer is healthy makes no difference.
        method: The method; the request has no body.
        limit: Maximum bytes of the answer's body.

    Raises:
        NoAnswer: There is none, or no complete one.
    """
    exchange = _Exchange(request, method, limit)
    try:
        return exchange.run()
    except (BadResponse, Unreachable) as error:
        raise NoAnswer(str(error)) from None
    except OSError as error:
        if isinstance(error, TimeoutError) and not error.errno:
            raise NoAnswer(f"timed out after {round(request.timeout, 2):g} s {exchange.progress}") from None
        raise NoAnswer(explain(error)) from None


class _Exchange:
    """One request and its answer, under one deadline; `progress` says how far it has come."""

    def __init__(self, request: ProbeRequest, method: str, limit: int) -> None:
        self.progress = "while connecting"
        self._request = request
        self._method = method
        self._limit = limit
        self._deadline = Deadline(request.timeout)

    def run(self) -> Response:
        request = self._request
        target = request.target
        connection: Connection = connect(target, self._deadline)
        try:
            if target.secure:
                self.progress = "in the TLS handshake"
                connection = start_tls(connection, target.host, insecure=request.insecure, deadline=self._deadline)
            self.progress = "without an answer"
            return self._send(connection)
        finally:
            connection.close()

    def _send(self, connection: "Connection") -> Response:
        try:
            connection.settimeout(self._deadline.remaining())
            connection.sendall(_http_request(self._request, self._method))
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server may have answered before it read the request, for example 503 because it is busy

        def receive() -> bytes:
            connection.settimeout(self._deadline.remaining())
            data = connection.recv(16384)
            self.progress = "in the middle of the answer"
            return data

        return read_response(receive, self._limit)


def _http_request(request: ProbeRequest, method: str) -> bytes:
    given = {name.lower() for name, _ in request.headers}
    defaults = (
        ("Host", request.target.authority),
        ("User-Agent", "asgi-health"),
        ("Accept", "*/*"),
        ("Connection", "close"),
        *((("Content-Length", "0"),) if method == "POST" else ()),  # RFC 9110, 8.6
    )
    headers = [*(header for header in defaults if header[0].lower() not in given), *request.headers]
    lines = [f"{method} {request.target.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("ascii")


def _print_body(body: bytes) -> None:
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison]  it is None if it was closed
        return
    try:
        if os.isatty(1):
            body = _without_control_characters(body)
        while body:  # not through sys.stdout, which reports a reader that has gone when the interpreter exits
            body = body[os.write(1, body) :]
    except OSError:
        pass


def _without_control_characters(body: bytes) -> bytes:
    """Return `body` without characters that a terminal would execute instead of showing them."""
    text = body.decode("utf-8", "replace")
    return "".join(char if char.isprintable() or char in "\n\t" else "�" for char in text).encode()
