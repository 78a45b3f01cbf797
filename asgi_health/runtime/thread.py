"""A plain function in a thread of its own."""

from collections.abc import Callable
from contextvars import Context
from threading import Thread


class ThreadJob:
    """A plain check function at work.

    A daemon thread per run (about 200 us), because nothing that is shared survives a check that never returns: worker
    threads of anyio, asyncio and executors run out, and the interpreter waits for them when it exits.
    """

    __slots__ = ("_thread",)

    def __init__(self, name: str, main: Callable[[], None], context: Context) -> None:
        self._thread = Thread(target=context.run, args=(main,), name=f"asgi-health check {name}", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """Do nothing: no thread can be made to end. The check is reported as running until its function returns."""

    def drop(self) -> None:
        """Do nothing: nobody waits for a daemon thread."""

    def alive(self) -> bool:
        return self._thread.is_alive()
