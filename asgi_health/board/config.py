"""Board: the public configuration of what the workers of a host share."""

import os
from itertools import count
from math import isnan
from time import monotonic
from typing import TYPE_CHECKING

from ..core.engine import Engine
from ..core.stalls import StallTimes
from ..core.validate import require_count

if TYPE_CHECKING:
    from .thread import BoardThread

FIRST_TURN = 1.0
"""Seconds for which the checks with the scope "host" wait, at most, for the first turn of the worker."""

_numbers = count(1)


class Board:
    """Share the state of all workers of a host, so that each worker answers probes for all of them.

    The workers are processes that serve the same app from one socket, as those of `uvicorn --workers 4`. Each writes
    its state to a file of SQLite and reads that of the others, four times per second, in a thread of its own. No
    request and no event loop waits for that. Then:

    - Readiness is the worst one of the workers that take requests, or as `quorum` says.
    - Liveness is the worst one of all workers. A worker whose event loop is blocked counts as unhealthy.
    - Startup passes when all workers have started.
    - A drain by `Health.drain` or `Drain.path`, and a maintenance, in one worker count for all.
    - One worker runs the checks with ``scope="host"`` and sends the alerts.

    The board only makes a status worse: a worker that is not healthy by itself stays so. While the file cannot be used,
    each worker answers for itself, and the log says so once.

    Args:
        path: The file, on a local file system, in a directory that no other user can write to; in memory (tmpfs, such
            as ``/run``) where possible. Every worker of the app must be able to write to it. Each app needs a file of
            its own.
        quorum: How many workers must be ready, as a number (2) or as a share of those that take requests (0.5). While
            that number is ready, the ready workers answer 200, with a warning if others are not, and those others
            answer 503. None: all.
        workers: How many workers must have started before the startup probe passes. None: all whose lifespan has
            begun.

    Raises:
        TypeError, ValueError: for an argument that could not work.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, quorum: int | float | None = None, workers: int | None = None
    ) -> None:
        text = os.fspath(path)
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  callers without types
            raise TypeError(f"board: path must be a string or a path, not {path!r}")
        if not text or "\0" in text or text.startswith((":", "file:")):
            raise ValueError(f"board: path {text!r} is not the path of a file")
        if quorum is not None:
            _require_quorum(quorum)
        if workers is not None:
            require_count("board: workers", workers)
        self._path = os.path.abspath(text)
        self._quorum = quorum
        self._workers = workers
        self._thread: BoardThread | None = None

    @property
    def path(self) -> str:
        """The path of the file."""
        return self._path

    def start(self, engine: Engine, stall_times: StallTimes) -> None:
        """Take turns at the board from now on; called with the start of each lifespan.

        Args:
            engine: The engine of this worker.
            stall_times: How long its event loop may be blocked.
        """
        from .thread import BoardThread
        from .turn import Identity, Turns

        if self._thread is not None:
            self._thread.stop()
        now = monotonic()
        key = f"{os.getpid()}-{now:.6f}-{next(_numbers)}"
        turns = Turns(Identity(key, os.getpid(), now, stall_times), quorum=self._quorum, workers=self._workers)
        engine.await_host(now, now + FIRST_TURN)
        former, self._thread = self._thread, BoardThread(self._path, engine, turns)
        self._thread.start(former)

    def stop(self) -> None:
        """Take the worker off the board; wait for that, at most 0.25 s, because the process may exit next."""
        if self._thread is not None:
            self._thread.stop()
            self._thread.wait()


def require_monotonic(engine: Engine) -> None:
    """Raise ValueError for an engine whose moments mean nothing to another process."""
    if engine.clock is not monotonic:
        raise ValueError("board: expected a Health with the clock time.monotonic, which all processes of a host share")


def _require_quorum(quorum: object) -> None:
    if isinstance(quorum, bool) or not isinstance(quorum, int | float):
        raise TypeError(f"board: quorum must be a number of workers such as 2, or a share such as 0.5, not {quorum!r}")
    if isinstance(quorum, int):
        require_count("board: quorum", quorum)
    elif isnan(quorum) or not 0 < quorum <= 1:
        raise ValueError(f"board: quorum {quorum!r} must be a share above 0 and at most 1.0, or a whole number")
