"""The event loop of asyncio, and those with its interface: uvloop, granian's loops."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from math import inf
from types import coroutine
from typing import Any

from .interface import CLEANUP_SECONDS, Main
from .pinning import pin, unpin


class AsyncioTask:
    """See `interface.Task`.

    When a loop ends, asyncio.run cancels the remaining tasks and waits for them, without a limit. So everything that
    the check awaits passes through `_relay`, which ends the task around a check that does not end.
    """

    __slots__ = ("_cancellation_delivered", "_cancelled", "_dropped", "_ended", "_loop", "_task")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, name: str, main: Main, ended: Callable[[], None], *, hidden: bool
    ) -> None:
        self._loop = loop
        self._cancelled = False
        self._dropped = False
        self._cancellation_delivered = False
        self._task = loop.create_task(self._run(main), name=name, context=Context())
        self._ended: Callable[[object], None] = lambda _: ended()
        self._task.add_done_callback(self._ended, context=Context())
        if hidden:
            self._hide()

    def cancel(self) -> None:
        # Once: a check that swallows its cancellation would get the next one in its clean-up.
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
        if self.alive():
            self._dropped = True
            self._task.cancel()

    def alive(self) -> bool:
        return not (self._task.done() or self._loop.is_closed())

    def forget_end(self) -> None:
        # A callback costs an iteration of the loop, an eighth of a whole run of a check.
        self._task.remove_done_callback(self._ended)

    async def _run(self, main: Main) -> None:
        await self._relay(main())

    @coroutine
    def _relay(self, main: Coroutine[Any, Any, None]) -> Generator[Any, Any, None]:
        thrown: BaseException | None = None
        while True:
            try:
                future: Any = main.send(None) if thrown is None else main.throw(thrown)
            except StopIteration:
                return
            thrown = None
            try:
                yield future
            except GeneratorExit:  # collected with its loop, and `main` perhaps before it
                main.close()
                raise
            except BaseException as error:
                thrown = error
            if isinstance(thrown, asyncio.CancelledError):
                if self._dropped and self._cancellation_delivered:
                    pin(main)
                    return
                if self._dropped:
                    self._loop.call_later(CLEANUP_SECONDS, self._task.cancel, context=Context())
                # Otherwise it may be the cancellation of a scope that the check has opened itself.
                self._cancellation_delivered = self._cancellation_delivered or self._cancelled or self._dropped

    def _cancel(self) -> None:
        self._task.cancel()
        # A run that goes on beyond its deadline keeps its task, which reports its end; but the loop must not wait.
        self._hide()
        if not self._task.done():
            pin(self._task)
            self._task.add_done_callback(unpin, context=Context())

    def _hide(self) -> None:
        """Remove the task from asyncio.all_tasks(): _unregister_task is the documented way ("Extending asyncio").

        The flag is the one that asyncio's own gather sets to keep the interpreter from complaining about a task that
        never ended.
        """
        asyncio._unregister_task(self._task)
        self._task._log_destroy_pending = False  # type: ignore[attr-defined]


class AsyncioFlag:
    """See `interface.Flag`."""

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
        except RuntimeError:  # the loop is closed, and with it the task that waited
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
    """See `interface.Backend`."""

    __slots__ = ("_loop",)

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def running(self) -> bool:
        return self._loop.is_running()

    def spawn(self, name: str, main: Main, ended: Callable[[], None], *, hidden: bool = False) -> AsyncioTask:
        return AsyncioTask(self._loop, name, main, ended, hidden=hidden)

    def flag(self) -> AsyncioFlag:
        return AsyncioFlag(self._loop)

    def call(self, callback: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(callback)
