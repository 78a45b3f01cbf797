"""The drain file: the process is out of the rotation for as long as it exists."""

import os
from collections.abc import Callable
from threading import Event, Thread

from ...core.engine import Engine
from ...core.logger import logger

PERIOD = 0.25
"""Seconds between two polls, a microsecond each."""


class DrainFile:
    """Drain while `file` exists, from `start` to `stop` and only while `is_needed` returns True.

    It has a thread of its own: a file system may hang for as long as its server is gone.
    """

    def __init__(self, engine: Engine, file: str | os.PathLike[str], is_needed: Callable[[], bool]) -> None:
        self._engine = engine
        self._file = file
        self._is_needed = is_needed
        self._exists: bool | None = None
        self._polled = Event()
        self._stopped = Event()

    def start(self, wait: float) -> None:
        """Begin, and return after the first poll or `wait` seconds. Raises RuntimeError where there is no thread."""
        Thread(target=self._run, name="asgi-health drain file", daemon=True).start()
        self._polled.wait(wait)

    def stop(self) -> None:
        """End it, without waiting; a poll in progress has no effect any more."""
        self._stopped.set()

    def poll(self) -> None:
        """Look once whether the file exists, and drain accordingly."""
        exists = self._file_exists()
        if self._stopped.is_set() or exists is self._exists:
            return
        before, self._exists = self._exists, exists
        self._engine.set_temporary_drain(exists, self._engine.clock())
        if exists or before:  # logged last: a log handler may fail
            text = "draining while %s exists" if exists else "the drain file %s is gone"
            logger.info(text, self._file, extra={"cause": "draining"})

    def _file_exists(self) -> bool:
        try:
            os.stat(self._file)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:  # of a file system that does not answer: keep the last known value
            return self._exists or False
        return True

    def _run(self) -> None:
        while not self._stopped.is_set() and self._is_needed():
            try:
                self.poll()
            except Exception:
                logger.exception("polling for the drain file %s failed; it goes on", self._file)
            self._polled.set()
            self._stopped.wait(PERIOD)
