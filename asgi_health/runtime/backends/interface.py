"""What the runtime needs from an event loop; `asyncio_backend` and `trio_backend` implement it.

anyio is not used for this: it delivers a cancellation again and again to a check that swallows it, and has no tasks
that outlive the task that started them.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

CLEANUP_SECONDS = 0.5
"""Seconds that a cancelled check has to clean up when the loop is about to end."""

Main = Callable[[], Coroutine[Any, Any, None]]
"""Makes the coroutine of a task. Called when the task begins, so that a task that never begins leaves no coroutine."""


class Task(Protocol):
    """A task that is independent of the task which spawned it."""

    def cancel(self) -> None:
        """Cancel the task: once, however often this is called, even if the task ignores it."""

    def drop(self) -> None:
        """Detach a task that does not end: it must not keep the loop, or the process, from ending."""

    def forget_end(self) -> None:
        """Do without the call of `ended`: the caller knows already. Called in the loop of the task."""

    def alive(self) -> bool:
        """Return whether the task can still end by itself: neither the task nor its loop has ended."""
        ...


class Flag(Protocol):
    """A flag that one task of the loop waits for."""

    def set(self) -> None:
        """Set the flag, from any thread; no effect once the loop has ended."""

    async def wait(self, seconds: float) -> None:
        """Return when the flag is set, or after `seconds` (infinity: never), and clear the flag."""


class Backend(Protocol):
    """The event loop that runs at the moment."""

    @property
    def loop(self) -> object:
        """An object that identifies the loop."""

    def running(self) -> bool:
        """Return, from any thread, whether the loop runs: it is neither paused nor has it ended."""
        ...

    def spawn(self, name: str, main: Main, ended: Callable[[], None], *, hidden: bool = False) -> Task:
        """Run `main` in a task of its own, in an empty context, and call `ended` in the loop when it is over.

        The context is empty because that of a request would carry its tracing span into every later check. `main` must
        not raise, except when the task is cancelled. A `hidden` task is not among the tasks that an app finds and
        cancels; when the loop ends it is neither cancelled nor waited for.
        """
        ...

    def flag(self) -> Flag:
        """Return a new flag of this loop."""
        ...

    def call(self, callback: Callable[[], None]) -> None:
        """Call `callback` in the loop, from any thread. Raises RuntimeError when the loop has ended."""
