"""The server's side of a lifespan, on whatever event loop runs."""

import asyncio
import gc
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio

from asgi_health.asgi.types import App, Message


class Server:
    """Speak lifespan with `app` and write down, in the order in which it happens, all that is said."""

    def __init__(self, app: App, log: list[str] | None = None) -> None:
        self.app = app
        self.log: list[str] = [] if log is None else log
        self.scope: dict[str, Any] = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": {},
        }
        self.heard: list[str] = []
        self.error: BaseException | None = None
        self.over = False
        self.cancelled = False
        self._task: anyio.CancelScope | None = None
        self._inbox: list[Message] = []
        self._news = anyio.Event()

    async def run(self) -> None:
        # A life that never ends fails its test: in virtual time, as a rule, and so at once.
        with anyio.move_on_after(10_000.0) as self._task:
            try:
                await self.app(self.scope, self._receive, self._send)
            except Exception as error:
                self.error = error
        self.cancelled = self._task.cancelled_caught
        self.over = True
        self.log.append("over")
        self._tell()

    def say(self, moment: str) -> None:
        self.log.append(f"server: {moment}")
        self._inbox.append({"type": f"lifespan.{moment}"})
        self._tell()

    def cancel(self) -> None:
        """Cancel the task of the lifespan, from outside of it or from within."""
        assert self._task is not None
        self._task.cancel()

    async def startup(self) -> None:
        await self._ask("startup")

    async def shutdown(self) -> None:
        await self._ask("shutdown")

    async def _ask(self, moment: str) -> None:
        if not self.over:
            self.say(moment)
            await self._reply(moment)

    async def _reply(self, moment: str) -> None:
        with anyio.fail_after(1000.0):  # of virtual time as a rule: a server that waits in vain fails at once
            while not (self.over or any(each.startswith(f"{moment}.") for each in self.heard)):
                await self._news.wait()

    async def _receive(self) -> Message:
        while not self._inbox:
            await self._news.wait()
        return self._inbox.pop(0)

    async def _send(self, message: Message) -> None:
        moment = message["type"].removeprefix("lifespan.")
        self.log.append(f"server hears {moment}")
        self.heard.append(moment)
        self._tell()
        if moment == self.cancel_after:
            self.cancel()

    cancel_after = ""
    """After this message the server cancels the task of the lifespan, as hypercorn does after shutdown.complete."""

    def _tell(self) -> None:
        self._news.set()
        self._news = anyio.Event()


@asynccontextmanager
async def serving(app: App, log: list[str] | None = None) -> AsyncIterator[Server]:
    """Serve `app` from its startup to the end of its shutdown."""
    server = Server(app, log)
    async with anyio.create_task_group() as group:
        group.start_soon(server.run)
        await server.startup()
        yield server
        await server.shutdown()
    if server.error is not None:
        raise server.error


def alive() -> set[object]:
    """Return the tasks of the running loop and our threads, when those told to end have done so.

    Only ours: drivers that earlier tests have used start threads when they please.
    """
    for thread in threading.enumerate():
        if thread.name in ("asgi-health monitor", "asgi-health listener"):
            thread.join(10.0)
            assert not thread.is_alive(), f"{thread.name} of an earlier test goes on"
    threads: set[object] = {thread for thread in threading.enumerate() if thread.name.startswith("asgi-health")}
    if "trio" in sys.modules:
        import trio

        if trio.lowlevel.in_trio_task():
            return threads | _trio_tasks()
    return threads | asyncio.all_tasks() | hearts()


def hearts() -> set[asyncio.Task[None]]:
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
        # One guard lives as long as its run of trio does: it drops the others when that ends.
        if task.name != "asgi-health end of trio":
            found.add(task)
    return found
