"""The app under the supervisors. Files in its folder make it fail."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from asgi_health import Check, HealthMiddleware, Listener
from asgi_health.asgi.types import App, Receive, Scope, Send

STARTS = "starts"  # the file with the pid of each process that has started, one per line
GONE = "gone"  # while it exists the database is down
LISTENER, OWN = "health.sock", "app.sock"  # the sockets of the listener and of the app itself

STALL_READY, STALL_LIVE = 1.0, 3.0


def _compute() -> None:
    while True:
        pass


def _sleep() -> None:
    while True:
        time.sleep(1e6)


BLOCKS: dict[str, Callable[[], None]] = {"computes": _compute, "sleeps": _sleep}
"""Ways to block the loop forever, by the name of the file that starts them."""


def shop(folder: Path, **options: Any) -> HealthMiddleware:
    """Return the app with its health layer, its listener, and `options`, which may replace the listener."""
    database = Check("database", _ping(folder), interval=0.2, retry_interval=0.2, failure_threshold=1)
    options = {"listener": Listener(str(folder / LISTENER), stall_ready=STALL_READY, stall_live=STALL_LIVE)} | options
    return HealthMiddleware(_app(folder), [database], **options)


def _ping(folder: Path) -> Callable[[], None]:
    def ping() -> None:
        if (folder / GONE).exists():
            raise ConnectionRefusedError("the database is gone")

    return ping


def _app(folder: Path) -> App:
    async def watch_files() -> None:
        while True:
            for name, block in BLOCKS.items():
                try:
                    (folder / name).unlink()  # the process that is started next does not block
                except FileNotFoundError:  # of several workers one has been faster
                    continue
                block()
            await asyncio.sleep(0.02)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan"
        await receive()
        with (folder / STARTS).open("a") as file:
            file.write(f"{os.getpid()}\n")
        watcher = asyncio.create_task(watch_files())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        watcher.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    return app
