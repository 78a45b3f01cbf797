"""The prober: one raw ASGI request at a time, and everything that may be asked of its answer."""

import json
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from asgi_health.asgi.types import App, Message, Receive, Scope, Send

T = TypeVar("T")

FROM_APP = b"this is the app"


async def echo_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that answers 418 to whatever reaches it, so that nobody mistakes its answer for the middleware's."""
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": FROM_APP})


def http_scope(path: str = "/readyz", method: str = "GET", query: bytes = b"", **more: Any) -> dict[str, Any]:
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
    """The messages of one answer."""

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
        """All that went over the wire, and more: also what the messages hold besides."""
        return repr(self.messages).encode() + b"".join(name + value for name, value in self.raw_headers) + self.body

    def check_form(self) -> "Reply":
        """Hold the answer against the letter of the ASGI specification, and against what servers trip over."""
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
    """Ask, and fail when the answer needs anything of the request's body."""
    messages: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("a probe has no body to wait for")

    async def send(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, send)
    return Reply(tuple(messages))


async def ask(app: App, path: str = "/readyz", method: str = "GET", query: bytes = b"", **more: Any) -> Reply:
    return await ask_scope(app, http_scope(path, method, query, **more))


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what the coroutine returns without ever waiting; there is no event loop here that it could wait for."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    coroutine.close()
    raise AssertionError("the answer waited for something")


def get(app: App, path: str = "/readyz", query: bytes = b"", *, method: str = "GET", **more: Any) -> Reply:
    """Ask where nothing is due, so that the answer has to come at once."""
    return at_once(ask(app, path, method, query, **more))


def with_token(token: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"example.org"), (b"authorization", b"Bearer " + token)]


def names_in(reply: Reply, names: Iterable[str]) -> set[str]:
    """Return which of the names the answer lets its reader see."""
    return {name for name in names if name.encode() in reply.everything}


PATHS = ("/livez", "/readyz", "/startupz", "/health")


async def statuses(app: App, method: str = "GET") -> list[int]:
    """Return what the four probes say, in the order of `PATHS`."""
    return [(await ask(app, path, method)).status for path in PATHS]
