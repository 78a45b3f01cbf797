"""Calls a plain callback in a thread of its own: also while the event loop is blocked, and a hang harms no one else."""

import atexit
from inspect import isawaitable, iscoroutine
from queue import SimpleQueue
from threading import Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING
from weakref import WeakSet

from ...core.logger import logger
from .subscription import Queue

if TYPE_CHECKING:
    from ..backends.interface import Backend

LAST_SECONDS = 1.0
"""Seconds for which the end of the interpreter waits for the deliveries of all threads, at most."""


class ThreadDelivery:
    """Call a plain callback in a daemon thread, from `start` to `stop`.

    A callback that does not return is not called again until it does: a second thread would break the order, and
    threads that hang would accumulate.
    """

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._lock = Lock()
        self._thread: Thread | None = None
        self._ending = False
        self._woken = False
        # The only primitive of the standard library that a signal handler may use while its own thread uses it.
        self._wakeups: SimpleQueue[None] = SimpleQueue()

    def start(self, _: "Backend") -> None:
        """Begin. A forked process has none of the threads of its parent."""
        _deliveries.add(self)
        with self._lock:
            self._ending = False
            if self._thread is None or not self._thread.is_alive():
                self._wakeups = SimpleQueue()
                self._woken = False
                name = f"asgi-health subscriber {self._queue.name}"
                thread = Thread(target=self._run, args=(self._wakeups,), name=name, daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:  # can't start new thread
                    logger.error("subscriber %s gets no transitions: %s", self._queue.name, error)
                    return
                self._thread = thread
        self.wake()

    def wake(self) -> None:
        """Deliver what waits. A signal handler may call this."""
        if not self._woken:
            self._woken = True
            self._wakeups.put(None)

    def stop(self) -> None:
        """Deliver what waits, and end."""
        self._ending = True
        self._woken = False
        self.wake()

    def abandon(self) -> None:
        """End when the present call has ended: a thread cannot be cancelled."""
        self.stop()

    def give_up(self) -> None:
        """Do not wait for it when the interpreter ends: its last second is over."""
        _deliveries.discard(self)

    def wait(self, end: float) -> None:
        """End, and return when that is done, or at `end` (seconds of `time.monotonic`)."""
        thread = self._thread
        if thread is not None and thread.is_alive():
            self.stop()
            thread.join(max(0.0, end - monotonic()))

    def _run(self, wakeups: "SimpleQueue[None]") -> None:
        while True:
            wakeups.get()
            self._woken = False
            self._deliver()
            with self._lock:
                if self._ending and self._queue.idle:
                    self._thread = None
                    return

    def _deliver(self) -> None:
        queue = self._queue
        while (transition := queue.pop()) is not None:
            error: BaseException | None = None
            try:
                value = queue.callback(transition)
                if isawaitable(value):
                    if iscoroutine(value):
                        value.close()
                    raise TypeError(f"it returned {type(value).__name__}; subscribe an async function itself")
            except BaseException as raised:  # SystemExit would end the thread
                error = raised
            try:
                queue.ended(transition, error)
            finally:
                error = None  # the frame and the exception would keep each other alive


_deliveries: WeakSet[ThreadDelivery] = WeakSet()


@atexit.register
def _deliver_the_last() -> None:
    """Wait for the last transitions where no lifespan has said that the process ends. Daemon threads still run here."""
    end = monotonic() + LAST_SECONDS
    for delivery in tuple(_deliveries):
        delivery.wait(end)
