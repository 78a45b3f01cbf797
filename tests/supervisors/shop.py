"""The app under the supervisors: it does to itself what the files in its folder say."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

from asgi_health import Check, HealthMiddleware, Listener
from asgi_health.asgi.types import App, Receive, Scope, Send

STARTS = "starts"  # the file with the pid of each process that has started, one to a line
GONE = "gone"  # while it exists the database is down
LISTENER, OWN = "health.sock", "app.sock"  # where the listener and where the app itself is asked

STALL_READY, STALL_LIVE = 1.0, 3.0


def _compute() -> None:
    while True:
        pass


def _sleep() -> None:
    while True:
        time.sleep(1e6)


BLOCKS: dict[str, Callable[[], None]] = {"computes": _compute, "sleeps": _sleep}
"""Ways of blocking the loop for good, each by the name of the file that asks for it."""


def shop(folder: Path) -> HealthMiddleware:
    """The app, in front of it the health layer, beside it the listener."""
    database = Check("database", _ping(folder), interval=0.2, retry_interval=0.2, failure_threshold=1)
    listener = Listener(str(folder / LISTENER), stall_ready=STALL_READY, stall_live=STALL_LIVE)
    return HealthMiddleware(_app(folder), [database], listener=listener)


def _ping(folder: Path) -> Callable[[], None]:
    def ping() -> None:
        if (folder / GONE).exists():
            raise ConnectionRefusedError("the database is gone")

    return ping


def _app(folder: Path) -> App:
    async def obey() -> None:
        while True:
            for name, block in BLOCKS.items():
                if (folder / name).exists():
                    (folder / name).unlink()  # what is started next is not to block
                    block()
            await asyncio.sleep(0.02)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan"
        await receive()
        with (folder / STARTS).open("a") as file:
            file.write(f"{os.getpid()}\n")
        servant = asyncio.create_task(obey())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        servant.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    return app
