"""Notices, from a thread of its own, that the event loop of a worker process is blocked."""

from collections.abc import Callable
from threading import Event, Thread

WAITS = 4
"""Waits of the thread in which nothing has changed, after which the loop counts as blocked. Waits are counted and not
seconds, because a process that was suspended wakes with all of its threads late."""


class BlockedWorker:
    """Call `on_blocked` once each time that `progress` has returned the same number for `seconds`.

    systemd itself notices only that the whole service sends no WATCHDOG=1: other workers send theirs.

    Args:
        seconds: Seconds after which the loop counts as blocked.
        progress: Returns a number that changes while the loop runs; None where it does not count.
        on_blocked: Called in the thread.
    """

    def __init__(self, seconds: float, progress: Callable[[], int | None], on_blocked: Callable[[], None]) -> None:
        self._pause = seconds / WAITS
        self._progress = progress
        self._on_blocked = on_blocked
        self._stopped = Event()

    def start(self) -> None:
        """Begin. Raises RuntimeError where the system gives no thread."""
        Thread(target=self._run, name="asgi-health systemd", daemon=True).start()

    def stop(self) -> None:
        """End, without waiting."""
        self._stopped.set()

    def _run(self) -> None:
        last: int | None = None
        waits = 0
        while not self._stopped.wait(self._pause):
            present = self._progress()
            waits = waits + 1 if present is not None and present == last else 0
            last = present
            if waits == WAITS:
                self._on_blocked()
