"""The server's side of a lifespan, on any event loop."""

import asyncio
import gc
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio

from asgi_health.asgi.types import App, Message


class LifespanDriver:
    """Run the lifespan of `app` as a server does, and log what each side sends and receives, in order.

    Attributes:
        log: What happened.
        scope: The scope that the app gets.
        received: The types of the app's messages, without "lifespan.".
        error: The exception of the app, if any.
        ended: Whether the app has returned or raised.
        cancelled: Whether the task of the lifespan was cancelled.
        cancel_after: The message after which the driver cancels the task, as hypercorn does after shutdown.complete.
    """

    def __init__(self, app: App, log: list[str] | None = None, *, cancel_after: str = "") -> None:
        self.app = app
        self.log: list[str] = [] if log is None else log
        self.scope: dict[str, Any] = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": {},
        }
        self.received: list[str] = []
        self.error: BaseException | None = None
        self.ended = False
        self.cancelled = False
        self.cancel_after = cancel_after
        self._task: anyio.CancelScope | None = None
        self._messages: list[Message] = []
        self._changed = anyio.Event()

    async def run(self) -> None:
        """Call the app, in a task of its own, and return when it has ended."""
        # A lifespan that never ends fails its test: in virtual time, as a rule, and so at once.
        with anyio.move_on_after(10_000.0) as self._task:
            try:
                await self.app(self.scope, self._receive, self._send)
            except Exception as error:
                self.error = error
        self.cancelled = self._task.cancelled_caught
        self.ended = True
        self.log.append("lifespan ends")
        self._notify()

    def send(self, event: str) -> None:
        """Send "startup" or "shutdown" to the app, without waiting for the answer."""
        self.log.append(f"server sends {event}")
        self._messages.append({"type": f"lifespan.{event}"})
        self._notify()

    async def startup(self) -> None:
        """Send "startup", unless the lifespan has ended, and wait for the answer."""
        await self._ask("startup")

    async def shutdown(self) -> None:
        """Send "shutdown", unless the lifespan has ended, and wait for the answer."""
        await self._ask("shutdown")

    def cancel(self) -> None:
        """Cancel the task of the lifespan, from outside of it or from within."""
        assert self._task is not None
        self._task.cancel()

    async def _ask(self, event: str) -> None:
        if not self.ended:
            self.send(event)
            await self._wait_for_answer(event)

    async def _wait_for_answer(self, event: str) -> None:
        with anyio.fail_after(1000.0):  # of virtual time as a rule: without an answer the test fails at once
            while not (self.ended or any(each.startswith(f"{event}.") for each in self.received)):
                await self._changed.wait()

    async def _receive(self) -> Message:
        while not self._messages:
            await self._changed.wait()
        return self._messages.pop(0)

    async def _send(self, message: Message) -> None:
        event = message["type"].removeprefix("lifespan.")
        self.log.append(f"server receives {event}")
        self.received.append(event)
        self._notify()
        if event == self.cancel_after:
            self.cancel()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


@asynccontextmanager
async def serving(app: App, log: list[str] | None = None) -> AsyncIterator[LifespanDriver]:
    """Run the startup of `app` before the block and its shutdown after it."""
    server = LifespanDriver(app, log)
    async with anyio.create_task_group() as group:
        group.start_soon(server.run)
        await server.startup()
        yield server
        await server.shutdown()
    if server.error is not None:
        raise server.error


THREADS = ("asgi-health monitor", "asgi-health listener")


def tasks_and_threads() -> set[object]:
    """Return the tasks of the running loop and the threads of asgi-health, after those that were stopped have ended.

    Threads of others do not count: drivers that earlier tests used start threads at any time.
    """
    for thread in threading.enumerate():
        if thread.name in THREADS:
            thread.join(10.0)
            assert not thread.is_alive(), f"{thread.name} of an earlier test still runs"
    threads: set[object] = {thread for thread in threading.enumerate() if thread.name.startswith("asgi-health")}
    if "trio" in sys.modules:
        import trio

        if trio.lowlevel.in_trio_task():
            return threads | _trio_tasks()
    return threads | asyncio.all_tasks() | heartbeat_tasks()


def heartbeat_tasks() -> set[asyncio.Task[None]]:
    """Return the heartbeats of the running loop of asyncio, which its own list does not show."""
    loop = asyncio.get_running_loop()
    tasks = [each for each in gc.get_objects() if type(each) is asyncio.Task]
    return {
        task
        for task in tasks
        if task.get_loop() is loop and task.get_name() == "asgi-health heartbeat" and not task.done()
    }


def _trio_tasks() -> set[object]:
    import trio

    found: set[object] = set()
    root = trio.lowlevel.current_root_task()
    tasks = [] if root is None else [root]
    while tasks:
        task = tasks.pop()
        tasks += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
        # One task lasts as long as its run of trio: it cancels the others when that ends.
        if task.name != "asgi-health end of trio":
            found.add(task)
    return found
