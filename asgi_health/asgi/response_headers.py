"""The headers that the phase of the app and the status of a probe add to responses."""

from dataclasses import replace

from ..core.engine import Engine
from ..core.lifecycle import Phase
from ..core.status import Probe, Status
from ..formats.answer import Answer
from .types import App, Message, Receive, Scope, Send

Headers = tuple[tuple[bytes, bytes], ...]

CLOSE: Headers = ((b"connection", b"close"),)
"""The client sends its next request on a new connection, which a balancer opens to another instance. On the kept one it
could send it at the very moment at which the stopping server closes the connection."""

ENVOY_FAIL: Headers = ((b"x-envoy-immediate-health-check-fail", b"true"),)
"""Envoy takes the host out at once, and does not wait for its next health check."""

ENVOY_DEGRADED: Headers = ((b"x-envoy-degraded", b"true"),)
"""On the answer to a health check: Envoy prefers other hosts, as long as enough of them are healthy."""


class ResponseHeaders:
    """Say which headers a response gets in addition to its own.

    Args:
        engine: The engine whose phase counts.
        envoy: Whether responses carry `ENVOY_FAIL` while the app drains.
        envoy_degraded: Whether answers that show a warning carry `ENVOY_DEGRADED`.
    """

    __slots__ = ("_degraded", "_engine", "_http1", "_other_versions")

    def __init__(self, engine: Engine, *, envoy: bool, envoy_degraded: bool) -> None:
        self._engine = engine
        self._other_versions = ENVOY_FAIL if envoy else ()
        self._http1 = CLOSE + self._other_versions
        self._degraded = ENVOY_DEGRADED if envoy_degraded else ()

    @property
    def draining(self) -> bool:
        """Whether the app drains, so that responses get the headers of `while_draining`."""
        return self._engine.phase is Phase.DRAINING

    def while_draining(self, scope: Scope) -> Headers:
        """Return the headers of each response while the app drains.

        Over HTTP/2 and HTTP/3 a response with a `connection` header is malformed (RFC 9113, 8.2.2; RFC 9114, 4.2).
        """
        return self._http1 if str(scope.get("http_version")).startswith("1.") else self._other_versions

    def add_phase(self, answer: Answer, scope: Scope) -> Answer:
        """Return `answer` to a request, with the headers of `while_draining` where the app drains."""
        return _with(answer, self.while_draining(scope)) if self.draining else answer

    def add_status(self, answer: Answer, probe: Probe, status: Status) -> Answer:
        """Return `answer`, which shows `status`, for Envoy too: its health checks ask for readiness or the health."""
        degraded = status is Status.DEGRADED and probe in (Probe.READINESS, Probe.HEALTH)
        return _with(answer, self._degraded) if degraded else answer


class DrainingApp:
    """Pass requests on to `app`, and add the headers of the drain to the responses.

    Requests take this way only while the app drains. A header that the app sets itself stays alone, so several of these
    around one app add it once.
    """

    __slots__ = ("_app", "_headers")

    def __init__(self, app: App, headers: ResponseHeaders) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app. Websockets are left alone: they have no response that ends."""
        more = self._headers.while_draining(scope) if scope.get("type") == "http" else ()
        if not more:
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            await send(_with_missing(message, more) if message["type"] == "http.response.start" else message)

        await self._app(scope, receive, send_with_headers)


def _with(answer: Answer, more: Headers) -> Answer:
    return replace(answer, headers=answer.headers + more) if more else answer


def _with_missing(message: Message, more: Headers) -> Message:
    """Return `message` with those of `more` that it does not have. It stays unchanged: an app may send it again."""
    # The protocol allows any iterable, and none.
    headers: list[tuple[bytes, bytes]] = list(message.get("headers") or ())
    present = {header[0].lower() for header in headers}
    return {**message, "headers": [*headers, *(header for header in more if header[0] not in present)]}
