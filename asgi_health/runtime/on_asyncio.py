"""The event loop of asyncio, and of whatever speaks its protocol: uvloop, granian's loops."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from math import inf
from typing import Any

from .keep import keep, let_go


class AsyncioTask:
    """See `backend.Task`."""

    __slots__ = ("_cancelled", "_loop", "_task")

    def __init__(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[None]) -> None:
        self._loop = loop
        self._task = task
        self._cancelled = False

    def cancel(self) -> None:
        # Once: a check that swallows its cancellation would meet the next one in its clean-up.
        if self._cancelled or not self.alive():
            return
        self._cancelled = True
        if asyncio._get_running_loop() is self._loop:
            self._cancel()
            return
        try:
            self._loop.call_soon_threadsafe(self._cancel)
        except RuntimeError:  # the loop was closed meanwhile
            return

    def drop(self) -> None:
        """Nothing is left to do: `cancel` has let go of it already."""

    def _cancel(self) -> None:
        self._task.cancel()
        # asyncio.run cancels what is left and waits for it, for ever if it must: a task that asyncio does not know is
        # not waited for. _unregister_task is the documented way to say so ("Extending asyncio"); the flag is the one
        # that asyncio's own gather sets to keep the interpreter from complaining about a task that never ended.
        asyncio._unregister_task(self._task)
        self._task._log_destroy_pending = False  # type: ignore[attr-defined]
        if not self._task.done():
            keep(self._task)
            self._task.add_done_callback(let_go, context=Context())

    def alive(self) -> bool:
        return not (self._task.done() or self._loop.is_closed())


class AsyncioSignal:
    """See `backend.Signal`."""

    __slots__ = ("_loop", "_up", "_waiter")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._up = False
        self._waiter: asyncio.Future[None] | None = None

    def set(self) -> None:
        self._up = True
        if asyncio._get_running_loop() is self._loop:
            self._release()
            return
        try:
            self._loop.call_soon_threadsafe(self._release)
        except RuntimeError:  # the loop is closed, and with it whoever waited
            return

    async def wait(self, seconds: float) -> None:
        if not self._up:
            waiter = self._waiter = self._loop.create_future()
            timer = None if seconds == inf else self._loop.call_later(seconds, self._release)
            try:
                await waiter
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()
        self._up = False

    def _release(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class AsyncioBackend:
    """See `backend.Backend`."""

    __slots__ = ("_loop",)

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def spawn(self, main: Callable[[], Coroutine[Any, Any, None]], ended: Callable[[], None]) -> AsyncioTask:
        context = Context()
        task = self._loop.create_task(main(), context=context)
        task.add_done_callback(lambda _: ended(), context=context)
        return AsyncioTask(self._loop, task)

    def signal(self) -> AsyncioSignal:
        return AsyncioSignal(self._loop)

    def call(self, callback: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(callback)
