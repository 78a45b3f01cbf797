"""An app that lives in a thread with an event loop, so that a test may block that loop and ask the listener."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import anyio.to_thread
from anyio.from_thread import BlockingPortal, start_blocking_portal

from asgi_health.asgi.types import App

from ..support.lifespan_apps import Hear, Say
from ..support.lifespan_driver import Server, serving

LOOPS: dict[str, tuple[str, dict[str, Any]]] = {
    "asyncio": ("asyncio", {}),
    "uvloop": ("asyncio", {"use_uvloop": True}),
    "trio": ("trio", {}),
}


@contextmanager
def loop_of(name: str = "asyncio") -> Iterator[BlockingPortal]:
    """An event loop in a thread."""
    backend, options = LOOPS[name]
    with start_blocking_portal(backend, options) as portal:
        yield portal


@contextmanager
def living(app: App, loop: str = "asyncio") -> Iterator[BlockingPortal]:
    """The app from the end of its startup to the beginning of its shutdown."""
    with loop_of(loop) as portal, portal.wrap_async_context_manager(serving(app)):
        yield portal


@contextmanager
def beginning(app: App, portal: BlockingPortal) -> Iterator[Server]:
    """The app from the first word of its server on; whatever becomes of it, it ends with the block."""
    server = portal.call(_begun, app)
    over = portal.start_task_soon(server.run)
    try:
        yield server
    finally:
        if not over.done():
            portal.call(server.cancel)
        over.result(10.0)


async def _begun(app: App) -> Server:
    server = Server(app)
    server.say("startup")
    return server


class Blocked:
    """The loop of `portal` held up, from the beginning of the block to its end."""

    def __init__(self, portal: BlockingPortal) -> None:
        self._portal = portal
        self._holds = threading.Event()
        self._released = threading.Event()

    def __enter__(self) -> Self:
        self._over = self._portal.start_task_soon(self._hold)
        assert self._holds.wait(10.0)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._released.set()
        self._over.result(10.0)

    async def _hold(self) -> None:
        self._holds.set()
        self._released.wait(60.0)


class Step:
    """A moment at which an app waits for the test."""

    def __init__(self) -> None:
        self._go = threading.Event()

    def go(self) -> None:
        self._go.set()

    async def wait(self) -> None:
        await anyio.to_thread.run_sync(self._go.wait, 20.0)

    def wait_without_yielding(self) -> None:
        self._go.wait(20.0)


def starts_when(step: Step) -> Any:
    """A life whose startup takes until the test says so."""

    async def script(hear: Hear, say: Say) -> None:
        assert await hear() == "startup"
        await step.wait()
        await say("startup.complete")
        assert await hear() == "shutdown"
        await say("shutdown.complete")

    return script


def threads() -> set[threading.Thread]:
    """The threads of asgi_health that are there."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("asgi-health")}
