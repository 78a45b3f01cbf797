"""A thread that keeps working while the event loop is blocked: it delays signals and detects stalls."""

import socket
from collections.abc import Callable, Sequence
from threading import Thread
from time import monotonic

from ...core.logger import logger

MIN_PAUSE, MAX_PAUSE = 0.001, 5.0
"""Seconds between two rounds of polls, unless `wake` is called."""

PAUSE_AFTER_FAILURE = 1.0
"""Seconds until a poll that raised is called again."""

Poll = Callable[[float], float]
"""Called with the present moment; returns when it must be called again (both seconds of `time.monotonic`)."""


class MonitorThread:
    """Call each poll when it is due, or when `wake` is called.

    A daemon thread, so that it does not keep the process from ending.
    """

    def __init__(self) -> None:
        self._stopped = False
        self._reading, self._writing = socket.socketpair()
        self._writing.setblocking(False)

    def start(self, polls: Sequence[Poll], on_wakeup: Callable[[bytes], None], is_needed: Callable[[], bool]) -> None:
        """Begin. Raises RuntimeError where the system gives no thread.

        Args:
            polls: The functions to call.
            on_wakeup: Called with what was written to the descriptor: the numbers of signals, and zeros from `wake`.
            is_needed: Asked in each round; the thread ends when it returns False.
        """
        thread = Thread(target=self._run, args=(polls, on_wakeup, is_needed), name="asgi-health monitor", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self._reading.close()
            self._writing.close()
            raise

    def wakeup_fileno(self) -> int:
        """Return the descriptor that wakes the thread when a byte is written to it."""
        return self._writing.fileno()

    def wake(self) -> None:
        """Call the polls now. May be called from a signal handler: it takes no lock."""
        try:
            self._writing.send(b"\0")
        except OSError:  # the buffer is full, so the thread is about to wake; or it is closed, and the thread has ended
            return

    def stop(self) -> None:
        """End the thread, without waiting for it."""
        self._stopped = True
        self.wake()

    def _run(self, polls: Sequence[Poll], on_wakeup: Callable[[bytes], None], is_needed: Callable[[], bool]) -> None:
        with self._reading, self._writing:
            while not self._stopped:
                due = min(_poll(each) for each in polls)
                if not is_needed():
                    return
                # Not select(), which cannot handle descriptors above 1023.
                self._reading.settimeout(max(MIN_PAUSE, min(due - monotonic(), MAX_PAUSE)))
                try:
                    received = self._reading.recv(4096)
                except TimeoutError:
                    continue
                try:
                    on_wakeup(received)
                except Exception:
                    _log_failure()


def _poll(poll: Poll) -> float:
    try:
        return poll(monotonic())
    except Exception:
        _log_failure()
        return monotonic() + PAUSE_AFTER_FAILURE


def _log_failure() -> None:
    logger.exception("a callback in the monitor thread failed; the thread goes on")
