"""Call an ASGI app with one request, without a server or a client library, and inspect its answer."""

import json
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from asgi_health.asgi.types import App, Message, Receive, Scope, Send

T = TypeVar("T")

FROM_APP = b"this is the app"


async def echo_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 418 to each request, a status that the middleware never uses."""
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": FROM_APP})


def http_scope(path: str = "/readyz", method: str = "GET", query: bytes = b"", **more: Any) -> dict[str, Any]:
    """Return the scope of a request; `more` are more keys, or other values of these."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8", "replace"),
        "query_string": query,
        "root_path": "",
        "headers": [(b"host", b"example.org")],
        "client": ("192.0.2.7", 40000),
        "server": ("192.0.2.1", 80),
        **more,
    }


@dataclass(frozen=True)
class Reply:
    """The answer to one request.

    Attributes:
        messages: The ASGI messages of the answer, as the app sent them.
    """

    messages: tuple[Message, ...]

    @property
    def status(self) -> int:
        status = self.messages[0]["status"]
        assert type(status) is int
        return status

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        headers = self.messages[0]["headers"]
        assert isinstance(headers, list)
        return headers

    @property
    def headers(self) -> dict[str, str]:
        names = [name for name, _ in self.raw_headers]
        assert len(set(names)) == len(names), "a header is sent twice"
        return {name.decode(): value.decode() for name, value in self.raw_headers}

    @property
    def body(self) -> bytes:
        body = self.messages[1]["body"]
        assert type(body) is bytes
        return body

    @property
    def json(self) -> dict[str, Any]:
        document = json.loads(self.body)
        assert isinstance(document, dict)
        return document

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def from_app(self) -> bool:
        return self.body == FROM_APP

    @property
    def everything(self) -> bytes:
        """The status, the headers, the body, and any other value in the messages."""
        return repr(self.messages).encode() + b"".join(name + value for name, value in self.raw_headers) + self.body

    def check_form(self) -> "Reply":
        """Check the answer against the ASGI specification, and for what makes servers fail."""
        start, body = self.messages
        assert start.keys() == {"type", "status", "headers"}
        assert start["type"] == "http.response.start"
        assert type(start) is dict
        for header in self.raw_headers:
            assert type(header) is tuple
            name, value = header
            assert type(name) is type(value) is bytes
            assert name == name.lower()
        assert body.keys() == {"type", "body"}
        assert body["type"] == "http.response.body"
        assert type(body["body"]) is bytes
        return self


async def ask_scope(app: App, scope: Scope) -> Reply:
    """Return the answer to a request; fails when the app reads the body of the request."""
    messages: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("a probe has no body to wait for")

    async def send(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, send)
    return Reply(tuple(messages))


async def ask(app: App, path: str = "/readyz", method: str = "GET", query: bytes = b"", **more: Any) -> Reply:
    """Return the answer to a request; `more` are keys of its scope."""
    return await ask_scope(app, http_scope(path, method, query, **more))


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that never waits: no event loop runs here."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    coroutine.close()
    raise AssertionError("the answer waited for something")


def get(app: App, path: str = "/readyz", query: bytes = b"", *, method: str = "GET", **more: Any) -> Reply:
    """Return the answer to a request that no check delays: the app must answer without waiting."""
    return at_once(ask(app, path, method, query, **more))


def with_token(token: bytes) -> list[tuple[bytes, bytes]]:
    """Return headers with a bearer token."""
    return [(b"host", b"example.org"), (b"authorization", b"Bearer " + token)]


def names_in(reply: Reply, names: Iterable[str]) -> set[str]:
    """Return which of the names occur in the answer."""
    return {name for name in names if name.encode() in reply.everything}


PATHS = ("/livez", "/readyz", "/startupz", "/health")


async def statuses(app: App, method: str = "GET") -> list[int]:
    """Return the statuses of the four probes, in the order of `PATHS`."""
    return [(await ask(app, path, method)).status for path in PATHS]
