"""An app in an event loop of another thread, so that a test can block that loop and send requests to the listener."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import anyio.to_thread
from anyio.from_thread import BlockingPortal, start_blocking_portal

from asgi_health.asgi.types import App

from .lifespan_apps import ReceiveEvent, SendEvent
from .lifespan_driver import LifespanDriver, serving

LOOPS: dict[str, tuple[str, dict[str, Any]]] = {
    "asyncio": ("asyncio", {}),
    "uvloop": ("asyncio", {"use_uvloop": True}),
    "trio": ("trio", {}),
}

BOTH = ("asyncio", "trio")
"""For what another thread reads of the loop: uvloop runs the same tasks as asyncio, and tests/runtime blocks it too."""


@contextmanager
def loop_of(name: str = "asyncio") -> Iterator[BlockingPortal]:
    """An event loop in another thread, until the end of the block."""
    backend, options = LOOPS[name]
    with start_blocking_portal(backend, options) as portal:
        yield portal


@contextmanager
def running_app(app: App, loop: str = "asyncio") -> Iterator[BlockingPortal]:
    """Start `app` in a loop of another thread before the block, and shut it down after it."""
    with loop_of(loop) as portal, portal.wrap_async_context_manager(serving(app)):
        yield portal


@contextmanager
def starting_app(app: App, portal: BlockingPortal) -> Iterator[LifespanDriver]:
    """Begin the startup of `app` in the loop of `portal`; at the end of the block its lifespan is cancelled."""
    server = portal.call(_make_driver, app)
    lifespan = portal.start_task_soon(server.run)
    try:
        yield server
    finally:
        if not lifespan.done():
            portal.call(server.cancel)
        lifespan.result(10.0)


async def _make_driver(app: App) -> LifespanDriver:
    server = LifespanDriver(app)
    server.send("startup")
    return server


class Blocked:
    """Block the loop of `portal` from the beginning of the block to its end."""

    def __init__(self, portal: BlockingPortal) -> None:
        self._portal = portal
        self._blocks = threading.Event()
        self._released = threading.Event()

    def __enter__(self) -> Self:
        self._done = self._portal.start_task_soon(self._block)
        assert self._blocks.wait(10.0)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._released.set()
        self._done.result(10.0)

    async def _block(self) -> None:
        self._blocks.set()
        self._released.wait(60.0)


class Step:
    """A point at which an app waits until the test lets it go on."""

    def __init__(self) -> None:
        self._go = threading.Event()

    def go(self) -> None:
        self._go.set()

    async def wait(self) -> None:
        await anyio.to_thread.run_sync(self._go.wait, 20.0)

    def wait_and_block(self) -> None:
        self._go.wait(20.0)


def starts_when(step: Step) -> Any:
    """Return a lifespan whose startup lasts until the test calls `step.go()`."""

    async def script(receive: ReceiveEvent, send: SendEvent) -> None:
        assert await receive() == "startup"
        await step.wait()
        await send("startup.complete")
        assert await receive() == "shutdown"
        await send("shutdown.complete")

    return script


_former: set[threading.Thread] = set()


def forget_threads() -> None:
    """Leave the present threads out of `our_threads`: a test begins, and a former one may have left some that hang."""
    _former.clear()
    _former.update(threading.enumerate())


def our_threads() -> set[threading.Thread]:
    """Return the threads of asgi_health that the present test has started."""
    return {each for each in threading.enumerate() if each.name.startswith("asgi-health")} - _former
