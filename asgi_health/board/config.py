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
"""Seconds for which the checks of the host wait for the first turn at the board."""

_numbers = count(1)


class Board:
    """One truth for the workers of a host, which serve the same app from one socket, as `uvicorn --workers 4` does.

    Each worker publishes its state in a file of SQLite and reads those of the others, four times per second, in a
    thread of its own; no request and no event loop waits for it. Each then answers for all:

    - Readiness is the worst of the workers that take requests, or as `quorum` says.
    - Liveness is the worst of all: a worker whose event loop is blocked is seen by the others.
    - Startup passes when all have started.
    - A drain by `Health.drain` or `Drain.path`, and a maintenance, by any worker are those of all.
    - Checks with the scope "host" are run by one worker, and alerts are sent by one.

    A worker is never healthy by the board where it is not by itself. Where the board cannot be used, each worker
    answers for itself, says so once in the log, and comes back.

    Args:
        path: The file, on a local file system that every worker of the app can write to, in a directory that no other
            user can write to; in memory (tmpfs, such as ``/run``) as a rule. Each app has a file of its own.
        quorum: How many workers must be ready, as a number (2) or as a share of those that take requests (0.5). Then
            a worker that is not ready says so itself, and the others warn. None: all.
        workers: How many workers must have started before the startup probe passes. None: all that have begun to.

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

        self.stop()
        now = monotonic()
        key = f"{os.getpid()}-{now:.6f}-{next(_numbers)}"
        turns = Turns(Identity(key, os.getpid(), now, stall_times), quorum=self._quorum, workers=self._workers)
        engine.await_host(now, now + FIRST_TURN)
        former, self._thread = self._thread, BoardThread(self._path, engine, turns)
        self._thread.start(former)

    def stop(self) -> None:
        """Leave the board, without waiting."""
        if self._thread is not None:
            self._thread.stop()


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
