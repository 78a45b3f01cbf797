"""Servers for a browser: an app whose checks a test sets, and pages that are ready before they are asked for."""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import uvicorn

from asgi_health import Check, HealthMiddleware, Paths, Result, ServiceInfo, healthy
from asgi_health.asgi.auth import Policy
from asgi_health.asgi.types import App, Receive, Scope, Send
from asgi_health.formats.answer import Answer

from ..support.waiting import wait_until


@contextmanager
def served(app: App, port: int = 0) -> Iterator[int]:
    """Serve `app` at a port of the loopback address, in a thread, until the end of the block. 0: at a free port."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    config = uvicorn.Config(app, lifespan="on", log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), name="uvicorn of a test")
    thread.start()
    try:
        wait_until(lambda: server.started, "the server has started")
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(15.0)
        listening.close()
        assert not thread.is_alive()


class Shop:
    """An app with a HealthMiddleware whose checks have the results that a test sets."""

    def __init__(self, *names: str, details: bool | Policy = True, interval: float = 0.1) -> None:
        self.results: dict[str, Result] = dict.fromkeys(names, healthy())
        self.service: ServiceInfo | None = None
        self._interval = interval
        self.events: str | None = "/health/events"
        self._details = details

    def make(self) -> HealthMiddleware:
        """Return the app: a new one, as after a restart."""
        checks = [
            Check(
                name,
                lambda name=name: self.results[name],  # type: ignore[misc]
                interval=self._interval,
                retry_interval=0.1,
                failure_threshold=1,
                critical=not name.startswith("optional"),
            )
            for name in self.results
        ]
        paths = Paths(events=self.events)
        return HealthMiddleware(nothing, checks, details=self._details, service=self.service, paths=paths)


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Run a lifespan, and answer every request with 404."""
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"not found"})


def below(prefix: str, app: App) -> App:
    """Return an app that has `app` below a prefix, as a framework mounts it: with its ``root_path``."""

    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope if scope["type"] == "lifespan" else {**scope, "root_path": prefix}, receive, send)

    return mounted


def static(pages: Mapping[str, Answer]) -> App:
    """Return an app that answers each path of `pages` with its page."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] in pages:
            found = pages[scope["path"]]
            await send({"type": "http.response.start", "status": found.status, "headers": list(found.headers)})
            await send({"type": "http.response.body", "body": found.body})
        else:
            await nothing(scope, receive, send)

    return app
