"""An app, and as much of a server as it takes to bring it to life and to ask it."""

from collections.abc import Callable
from typing import Any

import anyio

from asgi_health.asgi.types import App, Message, Receive, Scope, Send


class Inner:
    """The app inside of the middleware: slow to start and slow to stop."""

    def __init__(self, on_shutdown: Callable[[], None]) -> None:
        self.serving = False
        self._on_shutdown = on_shutdown

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan", "a probe has reached the app"
        assert (await receive())["type"] == "lifespan.startup"
        await anyio.sleep(3.0)
        self.serving = True
        await send({"type": "lifespan.startup.complete"})
        assert (await receive())["type"] == "lifespan.shutdown"
        self._on_shutdown()
        self.serving = False
        await anyio.sleep(1.0)
        await send({"type": "lifespan.shutdown.complete"})


class Life:
    """The lifespan protocol from the side of a server."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.begun = anyio.Event()
        self.complete = anyio.Event()
        self._stop = anyio.Event()
        self._told = 0

    async def run(self) -> None:
        """Give the app a life, until `stop`."""
        await self._app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, self._receive, self._send)

    def stop(self) -> None:
        """Ask the app to shut down."""
        self._stop.set()

    async def _receive(self) -> Message:
        self._told += 1
        self.begun.set()
        if self._told > 1:
            await self._stop.wait()
        return {"type": "lifespan.shutdown" if self._told > 1 else "lifespan.startup"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "lifespan.startup.complete":
            self.complete.set()
        else:
            assert message["type"] == "lifespan.shutdown.complete"


async def get(app: App, path: str) -> int:
    """Return the status code of one request."""
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("a probe has no body to read")

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http", "method": "GET", "path": path, "root_path": "", "query_string": b"", "headers": [],
    }  # fmt: skip
    await app(scope, receive, send)
    start, body = sent
    assert len(body["body"]) == 17
    code = start["status"]
    assert isinstance(code, int)
    return code
