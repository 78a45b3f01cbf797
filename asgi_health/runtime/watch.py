"""A thread that goes on looking while the event loop may not."""

import socket
from collections.abc import Callable
from threading import Thread
from time import monotonic

from ..core.logger import logger

SHORTEST, LONGEST = 0.001, 5.0
"""Seconds between two looks at least, unless it was woken, and at most."""


class Watch:
    """Call `look` with the present moment, whenever it is time by its own word or `wake` was called.

    `look` returns when it wants to look again (seconds of `time.monotonic`). `heard` gets what was written to the
    descriptor: the numbers of signals, and zeros from `wake`. A daemon thread, so that it keeps nothing from ending.
    """

    def __init__(self, look: Callable[[float], float], heard: Callable[[bytes], None]) -> None:
        self._look = look
        self._heard = heard
        self._over = False
        self._reading, self._writing = socket.socketpair()
        self._writing.setblocking(False)
        self._thread = Thread(target=self._run, name="asgi-health watch", daemon=True)

    def start(self) -> None:
        """Begin. Raises RuntimeError where the system gives no thread."""
        try:
            self._thread.start()
        except RuntimeError:
            self._reading.close()
            self._writing.close()
            raise

    def fileno(self) -> int:
        """Return the descriptor that wakes the thread by what is written to it."""
        return self._writing.fileno()

    def wake(self) -> None:
        """Look at once. May be called from a signal handler: it takes no lock."""
        try:
            self._writing.send(b"\0")
        except OSError:  # full, so it is about to look; or closed, so it is over
            return

    def stop(self) -> None:
        """End the thread, without waiting for it."""
        self._over = True
        self.wake()

    def _run(self) -> None:
        with self._reading, self._writing:
            while not self._over:
                until = self._safely(lambda: self._look(monotonic()))
                # Not select(), which knows no descriptor beyond 1023.
                self._reading.settimeout(max(SHORTEST, min(until - monotonic(), LONGEST)))
                try:
                    heard = self._reading.recv(4096)
                except TimeoutError:
                    continue
                self._safely(lambda: self._heard(heard))  # noqa: B023  called at once

    def _safely(self, call: Callable[[], float | None]) -> float:
        try:
            return call() or 0.0
        except Exception:
            logger.exception("the watch over the event loop failed; it goes on")
            return monotonic() + 1.0
