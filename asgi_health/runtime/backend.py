"""What the rest of the runtime needs of an event loop; `on_asyncio` and `on_trio` each give it in their own way.

anyio is not used where it was seen to fail: it delivers a cancellation again and again to a check that swallows it, and
knows no task that outlives the one that started it.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

GRACE = 0.5
"""Seconds that a cancelled check has to clean up after itself when there is no more time."""

Main = Callable[[], Coroutine[Any, Any, None]]
"""What a task does: called when the task begins, so that one which never does leaves no coroutine behind."""


class Task(Protocol):
    """A task that belongs to whoever spawned it, not to the task in which that happened."""

    def cancel(self) -> None:
        """Ask the task to end: once, however often it is called and whatever the task makes of it."""

    def drop(self) -> None:
        """Let go of a task that does not end: it must not keep the loop, or the process, from ending."""

    def alive(self) -> bool:
        """Tell whether the task can still end by itself: it has not ended, and neither has its loop."""
        ...


class Signal(Protocol):
    """A flag that a task of the loop waits for."""

    def set(self) -> None:
        """Raise the flag, from any thread; no effect once the loop has ended."""

    async def wait(self, seconds: float) -> None:
        """Return when the flag is up, or after `seconds` (infinity: never), and take the flag down."""


class Backend(Protocol):
    """The loop that runs at the moment."""

    @property
    def loop(self) -> object:
        """What tells this loop from any other."""

    def running(self) -> bool:
        """Tell, from any thread, whether the loop runs: it neither stands still nor has it ended."""
        ...

    def spawn(self, name: str, main: Main, ended: Callable[[], None], *, hidden: bool = False) -> Task:
        """Run `main` in a task of its own, in an empty context, and call `ended` in the loop when it is over.

        The context is empty because a request's would carry its tracing span into every check that follows. `main`
        must not raise, but for the cancellation of the task. A `hidden` task is out of the reach of an app that
        cancels every task of its loop; nobody waits for it or tells it when the loop ends.
        """
        ...

    def signal(self) -> Signal:
        """Return a flag of this loop."""
        ...

    def call(self, callback: Callable[[], None]) -> None:
        """Call `callback` in the loop, from any thread. Raises RuntimeError when the loop has ended."""
