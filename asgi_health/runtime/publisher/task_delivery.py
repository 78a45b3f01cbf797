"""Calls an async callback in a task of the app's event loop."""

import os
from functools import partial
from math import inf
from typing import Any

from ...core.transition import Transition
from ..backends.interface import Backend, Flag, Task
from .subscription import Queue


class TaskDelivery:
    """Await an async callback for each transition, in the loop that runs at `start`.

    A call that takes longer than its timeout is cancelled. One that ignores this is waited for, because a second call
    at the same time would break the order.
    """

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._backend: Backend | None = None
        self._pid = 0
        self._task: Task | None = None
        self._call: Task | None = None
        self._flag: Flag | None = None
        self._ending = False
        self._woken = False

    def start(self, backend: Backend) -> None:
        """Begin in the loop that runs at the moment, which is the one of `backend`."""
        self._ending = False
        if not self._goes_on(backend):
            self.abandon()
            self._backend, self._pid = backend, os.getpid()
            flag = self._flag = backend.flag()
            # Hidden, because an app that cancels every task of its loop must not end it.
            self._task = backend.spawn(self._name, partial(self._run, backend, flag), _nothing, hidden=True)
        self.wake()

    def wake(self) -> None:
        """Deliver what waits. A signal handler may call this."""
        flag = self._flag
        if flag is not None and not self._woken:  # once: a flood must not fill the queue of a loop that is blocked
            self._woken = True
            flag.set()

    def stop(self) -> None:
        """End when the present call has ended and nothing waits."""
        self._ending = True
        self._woken = False
        self.wake()

    def abandon(self) -> None:
        """End now, and cancel the present call."""
        for task in (self._call, self._task):
            if task is not None:
                task.cancel()
                task.drop()
        self._task = self._call = self._flag = None
        self._woken = False
        self._queue.interrupted()

    def give_up(self) -> None:
        """Do nothing: the end of the interpreter does not wait for a task."""

    @property
    def _name(self) -> str:
        return f"asgi-health subscriber {self._queue.name}"

    def _goes_on(self, backend: Backend) -> bool:
        """Return whether the task exists, and its loop runs: one that has ended may not be closed, or be a parent's."""
        if self._task is None or self._backend is None or not self._task.alive():
            return False
        return self._backend.loop is backend.loop or (self._backend.running() and self._pid == os.getpid())

    async def _run(self, backend: Backend, flag: Flag) -> None:
        while True:
            self._woken = False
            while (transition := self._queue.pop()) is not None:
                await self._deliver(backend, transition)
            if self._ending:
                self._task = self._flag = None
                return
            await flag.wait(inf)

    async def _deliver(self, backend: Backend, transition: Transition) -> None:
        over = backend.flag()
        outcome: list[BaseException | None] = []
        main = partial(_call, self._queue.callback, transition, outcome)
        call = self._call = backend.spawn(self._name, main, over.set, hidden=True)
        await over.wait(self._queue.timeout)
        if call.alive() and not outcome:
            self._queue.timed_out()
            call.cancel()
        while call.alive() and not outcome:
            await over.wait(inf)
        self._call = None
        self._queue.ended(transition, outcome.pop() if outcome else None)


async def _call(callback: Any, transition: Transition, outcome: list[BaseException | None]) -> None:
    try:
        await callback(transition)
    except GeneratorExit:  # collected with its loop
        raise
    except BaseException as error:  # also SystemExit, which would end the loop, and a cancellation
        outcome.append(error)
    else:
        outcome.append(None)


def _nothing() -> None:
    pass
