"""The app whose phases test_phases.py observes: files of a folder say how long it starts, answers and shuts down."""

import json
import logging
import os
from collections.abc import MutableMapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anyio

from asgi_health import Check, Drain, HealthMiddleware, Listener

from .apps import VARIABLE, Folder, Receive, Send, block_the_loop

NEVER = 300.0


@dataclass(frozen=True)
class Phased:
    """What one process serves; an environment variable carries it there."""

    listener: bool = True  # at the path `listener` in its folder
    stall_live: float = NEVER
    folder: str = ""

    def dump(self, folder: str) -> str:
        return json.dumps(asdict(self) | {"folder": folder})


class App:
    """An app without a framework."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        await {"lifespan": self.live, "http": self.answer, "websocket": self.talk}[scope["type"]](scope, receive, send)

    async def until(self, name: str) -> None:
        while not (self.folder.path / name).exists():  # noqa: ASYNC110  a file
            await anyio.sleep(0.01)

    async def live(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        for event, name in (("startup", "go"), ("shutdown", "end")):
            assert (await receive())["type"] == f"lifespan.{event}"
            self.folder.note(event)
            self.folder.note(f"{event} with state {sorted(scope['state'])}")
            scope["state"]["kept"] = True
            await self.until(name)
            await send({"type": f"lifespan.{event}.complete"})

    async def answer(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer; `/slow` once the file `answer` exists, `/block` after it has blocked the event loop.

        `/view` is answered with a memoryview."""
        if scope["path"] == "/slow":
            self.folder.note("slow")
            await self.until("answer")
        elif scope["path"] == "/block":
            block_the_loop(self.folder.fifo)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        body: Any = memoryview(b"ok") if scope["path"] == "/view" else b"ok"
        await send({"type": "http.response.body", "body": body})
        if scope["path"] == "/slow":
            self.folder.note("answered")

    async def talk(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Repeat each message until the client or the server closes the websocket."""
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})


def build(settings: Phased) -> HealthMiddleware:
    """Return the app with one check, which fails while the file `broken` exists, and a drain that does not end."""
    folder = Folder(Path(settings.folder))
    check = Check(
        "dependency", lambda: not folder.broken.exists(), interval=0.1, retry_interval=0.1, failure_threshold=1
    )
    path = str(folder.path / "listener")
    listener = Listener(path, stall_ready=0.5, stall_live=settings.stall_live) if settings.listener else None
    return HealthMiddleware(App(folder), [check], drain=Drain(delay=NEVER), listener=listener)


if VARIABLE in os.environ:  # in the process of a server; the test imports this module too
    logger = logging.getLogger("asgi_health")
    logger.setLevel(logging.INFO)
    logger.addHandler(logging.StreamHandler())
    logger.propagate = False
    app = build(Phased(**json.loads(os.environ[VARIABLE])))
