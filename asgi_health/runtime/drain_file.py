"""A file that takes the process out of the rotation for as long as it is there."""

import os
from collections.abc import Callable
from threading import Event, Thread

from ..core.health import Health
from ..core.logger import logger

PERIOD = 0.25
"""Seconds between two looks, a microsecond each."""


class DrainFile:
    """Hold a Health in its drain while `file` exists, from `start` to `stop` and only as long as `wanted` says so.

    In a thread that does nothing else: a file system may hang for as long as its server is gone.
    """

    def __init__(self, health: Health, file: str | os.PathLike[str], wanted: Callable[[], bool]) -> None:
        self._health = health
        self._file = file
        self._wanted = wanted
        self._held: bool | None = None
        self._looked = Event()
        self._over = Event()

    def start(self, patience: float) -> None:
        """Begin, and return after the first look or `patience` seconds. Raises RuntimeError without a thread."""
        Thread(target=self._run, name="asgi-health drain file", daemon=True).start()
        self._looked.wait(patience)

    def stop(self) -> None:
        """End it, without waiting; what a look under way still finds out counts no more."""
        self._over.set()

    def look(self) -> None:
        """Look once."""
        held = self._exists()
        if self._over.is_set() or held is self._held:
            return
        before, self._held = self._held, held
        self._health.hold(held)
        if held or before:  # said last: a handler of the log may fail
            logger.info("draining while %s exists" if held else "no longer draining: %s is gone", self._file)

    def _exists(self) -> bool:
        try:
            os.stat(self._file)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:  # of a file system that does not answer: what cannot be seen changes nothing
            return self._held or False
        return True

    def _run(self) -> None:
        while not self._over.is_set() and self._wanted():
            try:
                self.look()
            except Exception:
                logger.exception("the look for %s failed; it goes on", self._file)
            self._looked.set()
            self._over.wait(PERIOD)
