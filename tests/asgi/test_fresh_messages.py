"""Middlewares outside of this one change messages and header lists in place: the next answer must not show it."""

import pytest

from asgi_health import HealthMiddleware, degraded, unhealthy
from asgi_health.asgi.types import App, Message, Receive, Scope, Send

from ..support.asgi_caller import ask_scope, at_once, echo_nothing, get, http_scope
from ..support.known_state import Clock, health_with, make_check


def changes_messages(app: App) -> App:
    """Return a middleware that changes more of each message than CORS, GZip and OpenTelemetry do together."""

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        async def change(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"vary", b"origin"))
                message["headers"][0] = (b"content-type", b"text/html")
                message["headers"].sort()
                message["status"] = 302
                message["trailers"] = True
            else:
                message["body"] = message["body"] + b"<script>"
                message["more_body"] = True
            await send(message)

        await app(scope, receive, change)

    return outer


KINDS = [
    ("GET", "/readyz", b""),
    ("GET", "/livez", b""),
    ("GET", "/readyz", b"t=1"),
    ("HEAD", "/readyz", b""),
    ("OPTIONS", "/startupz/", b""),
    ("POST", "/readyz", b""),
    ("GET", "/health", b""),
    ("GET", "/readyz", b"verbose"),
    ("GET", "/readyz", b"format=text"),
    ("GET", "/readyz/database", b""),
    ("GET", "/readyz/nothing", b""),
]


@pytest.mark.parametrize(("method", "path", "query"), KINDS)
@pytest.mark.parametrize("details", [False, True])
def test_changes_to_one_answer_do_not_show_in_the_next(method: str, path: str, query: bytes, details: bool) -> None:
    health = health_with(Clock(), (make_check("database"), unhealthy("down")), (make_check("queue"), degraded("slow")))
    app = HealthMiddleware(echo_nothing, health, details=details)
    changed = changes_messages(app)
    before = get(app, path, query, method=method).messages
    for _ in range(3):
        scope = http_scope(path, method, query)
        assert at_once(ask_scope(changed, scope)).status == 302
        assert get(app, path, query, method=method).messages == before


@pytest.mark.parametrize(("method", "path", "query"), KINDS)
def test_no_two_answers_share_an_object_that_can_be_changed(method: str, path: str, query: bytes) -> None:
    app = HealthMiddleware(
        echo_nothing, health_with(Clock(), (make_check("database"), unhealthy("down"))), details=True
    )
    first, second = (get(app, path, query, method=method).check_form() for _ in range(2))
    assert first.messages == second.messages
    assert first.messages[0] is not second.messages[0]
    assert first.messages[1] is not second.messages[1]
    assert first.raw_headers is not second.raw_headers


def test_two_middlewares_share_no_messages() -> None:
    first, second = (HealthMiddleware(echo_nothing) for _ in range(2))
    get(first).raw_headers.clear()
    assert len(get(second).raw_headers) == 4
