"""End the process in time, whatever the app does with its main thread."""

import os
from collections.abc import Callable
from threading import Event, Thread

GRACE = 2.0
"""Seconds for the orderly way once the time is over, or once there is an outcome."""


class Watchdog:
    """End the process `GRACE` seconds after its outcome, or with 1 and `last_words` when it has none in `seconds`.

    An app that blocks when it is imported or started, or in a thread that keeps the interpreter from ending, can be
    ended in no other way.
    """

    def __init__(self, seconds: float, last_words: Callable[[], object]) -> None:
        self._seconds = seconds
        self._last_words = last_words
        self._code: int | None = None
        self._over = Event()
        Thread(target=self._watch, name="asgi-health watchdog", daemon=True).start()

    def outcome(self, code: int) -> int:
        """Take `code` as the exit code, and return it: all is said, and what is left is to end."""
        self._code = code
        self._over.set()
        return code

    def _watch(self) -> None:
        self._over.wait(self._seconds)
        pause = Event()
        pause.wait(GRACE)
        if self._code is None:
            self._last_words()
        os._exit(1 if self._code is None else self._code)
