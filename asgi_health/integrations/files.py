"""Files for exec probes without HTTP: they are fresh while the probes pass.

app = HealthMiddleware(app, checks, integrations=[Files("/run/app")])
"""

import os
import stat
from contextlib import suppress
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING
from weakref import ref

from ..core.logger import logger
from ..core.result import describe
from ..core.status import Probe, Status
from ..core.validate import require_seconds, require_short
from ..formats.redact import redact
from ..health import Health, engine_of
from ..runtime.scheduler.runner import runner_of

if TYPE_CHECKING:
    from ..runtime.publisher.subscription import Subscription

__all__ = ["Files"]

NAMES = {Probe.LIVENESS: "live", Probe.READINESS: "ready", Probe.STARTUP: "started"}
"""The names of Open Liberty's mpHealth-4.0, whose files also grow old when nothing touches them any more."""


class Files:
    """Touch the files ``live``, ``ready`` and ``started`` in a directory while these probes pass.

    A file is removed at once when its probe fails. A blocked event loop fails readiness after 5 seconds and liveness
    after 30, or as a Listener says. All are removed when the loop has ended without a shutdown of the app. A process
    that was killed leaves its files, so a reader has to look at their age: ``asgi-health probe file:/run/app/ready``.

    The files belong to one process: several workers need directories of their own.

    Args:
        directory: The directory, on a local file system. It is made where it is missing.
        interval: Seconds between two touches of a file.

    Raises:
        TypeError, ValueError: for an argument that could not work.
    """

    def __init__(self, directory: str | os.PathLike[str], *, interval: float = 1.0) -> None:
        path = os.fspath(directory)
        if not isinstance(path, str):  # pyright: ignore[reportUnnecessaryIsInstance]  callers without types
            raise TypeError(f"files: directory must be a string or a path, not {directory!r}")
        if not path or "\0" in path:
            raise ValueError(f"files: directory {path!r} is not the path of a directory")
        require_seconds("files: interval", interval)
        require_short("files: interval", interval)
        self._directory = path
        self._interval = interval
        self._writer: _Writer | None = None
        self._thread: Thread | None = None
        self._subscription: Subscription | None = None

    def start(self, health: Health, /) -> None:
        """Touch the files from now on, in a thread of its own: a file system may hang.

        Args:
            health: The Health whose probes the files show.
        """
        self.stop()
        writer = self._writer = _Writer(health, self._directory, self._interval)
        thread = Thread(target=writer.run, args=(self._thread,), name="asgi-health files", daemon=True)
        thread.start()
        self._thread = thread
        self._subscription = health.subscribe(writer.on_transition)

    def stop(self) -> None:
        """Remove the files, without waiting for that."""
        if self._subscription is not None:
            self._subscription.cancel()
            self._subscription = None
        if self._writer is not None:
            self._writer.stop()
            self._writer = None


class _Writer:
    """Writes the files of one lifespan, in a thread. It does not keep the Health alive."""

    def __init__(self, health: Health, directory: str, interval: float) -> None:
        self._health = ref(health)
        self._directory = directory
        self._interval = interval
        self._wakeup = Event()
        self._ended = False
        self._failing = False

    def on_transition(self, _: object) -> None:
        self._wakeup.set()

    def stop(self) -> None:
        self._ended = True
        self._wakeup.set()

    def run(self, former: Thread | None) -> None:
        if former is not None:
            former.join()  # the last thing that it does is to remove the files
        while not self._ended and self._health() is not None:
            self._wakeup.clear()
            self._try_to_write()
            self._wakeup.wait(self._interval)
        self._ended = True
        self._try_to_write()

    def _try_to_write(self) -> None:
        try:
            self._write_all(self._passing())
        except Exception as error:  # the clock may be code of the app
            if not self._failing:
                self._failing = True
                text = redact(describe(error))
                logger.error("files: %s: the files in %s are not written", text, self._directory)
        else:
            if self._failing:
                self._failing = False
                logger.info("files: the files in %s are written again", self._directory)

    def _passing(self) -> frozenset[Probe]:
        """Return the probes that pass; none where the loop has ended, perhaps without a shutdown of the app."""
        health = self._health()
        if health is None:
            return frozenset()
        engine = engine_of(health)
        if runner_of(engine).figures.loop_lag(monotonic()) is None:
            return frozenset()
        now = engine.clock()
        return frozenset(probe for probe in NAMES if engine.effective_status(probe, now)[0] is not Status.UNHEALTHY)

    def _write_all(self, passing: frozenset[Probe]) -> None:
        """Touch or remove each file. The failure of one does not keep the others as they are."""
        os.makedirs(self._directory, exist_ok=True)
        failure: OSError | None = None
        for probe, name in NAMES.items():
            path = os.path.join(self._directory, name)
            try:
                if probe in passing and not self._ended:
                    _touch(path)
                else:
                    with suppress(FileNotFoundError):
                        os.unlink(path)
            except OSError as error:
                failure = failure or error
        if failure is not None:
            raise failure


def _touch(path: str) -> None:
    # O_NOFOLLOW: in a directory that others may write to, the name could lead to a file of this process's user.
    # O_NONBLOCK: and it could be a FIFO.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is not a regular file")
        os.utime(descriptor)
    finally:
        os.close(descriptor)
