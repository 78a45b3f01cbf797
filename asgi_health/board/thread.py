"""The thread in which a worker takes its turns at the board: no request, no event loop and no signal handler waits."""

from contextlib import suppress
from queue import Empty, SimpleQueue
from random import uniform
from threading import Thread, current_thread
from time import monotonic, sleep
from weakref import ref

from ..core.engine import Engine
from ..core.logger import logger
from ..core.probe_statuses import Statuses
from ..core.result import describe
from ..formats.redact import redact
from ..runtime.scheduler.runner import runner_of
from .interface import BoardUnavailable, Locked, Store
from .turn import MIN_VALIDITY, Turns

MIN_PAUSE = 0.02
"""Seconds between two turns at least: a status that changes all the time must not make them follow each other."""

LAST_TURN = 0.25
"""Seconds for which the end of a lifespan waits for the last turn, at most: most servers exit right after it."""

MAX_RETRY = 2.0
"""Seconds between two attempts, at most, while the board cannot be used."""


LEAVE_ATTEMPTS = 20
"""Attempts to delete the slot while the board is locked. Each waits for half a second."""


class BoardThread:
    """Takes turns from `start` to `stop`. It does not keep the engine alive.

    Args:
        path: Path of the board's file.
        engine: The engine of this worker.
        turns: What a turn does.
    """

    def __init__(self, path: str, engine: Engine, turns: Turns) -> None:
        self._path = path
        self._engine = ref(engine)
        self._turns = turns
        self._thread: Thread | None = None
        self._store: Store | None = None
        # Of the queues and events only this one may be used in a signal handler, which may begin a drain.
        self._wakeups: SimpleQueue[None] = SimpleQueue()
        self._published: object = None
        self._ended = False
        self._replaced = False
        self._logged = False
        self._retry = 0.0
        engine.on_change(self._on_change)

    def start(self, former: "BoardThread | None" = None) -> None:
        """Start the thread. It begins when that of `former` has left the board."""
        before = None
        if former is not None:
            before, former._replaced = former._thread, True
        self._thread = Thread(target=self._run, args=(before,), name="asgi-health board", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it, without waiting: the last thing that it does is to delete the slot of this worker."""
        self._ended = True
        self._wakeups.put(None)

    def wait(self) -> None:
        """Wait until it has left the board, or for `LAST_TURN`."""
        thread = self._thread
        if thread is not None and thread is not current_thread():  # which may collect a lifespan that was lost
            thread.join(LAST_TURN)

    def _on_change(self, _: Statuses) -> None:
        engine = self._engine()
        if engine is not None and _published_by(engine) != self._published:
            self._wakeups.put(None)

    def _run(self, before: Thread | None) -> None:
        if before is not None:
            before.join()
        try:
            while self._take_turn():
                self._wait()
        finally:  # a slot without a thread would be taken as a blocked worker
            self._leave()

    def _take_turn(self) -> bool:
        """Take one turn, and return whether there is a next one."""
        engine = self._engine()
        if self._ended or engine is None:
            return False
        began = monotonic()
        lag = runner_of(engine).figures.loop_lag(began)
        if lag is None:  # the event loop has ended without a shutdown of the app
            return False
        self._published = _published_by(engine)
        try:
            if self._store is None:
                from .database import open_store

                self._store = open_store(self._path)
            self._turns.take(engine, self._store, monotonic, lag)
        except Exception as error:  # whatever it is, the worker answers for itself
            self._failed(error, engine)
        else:
            self._succeeded(monotonic() - began)
        return True

    def _wait(self) -> None:
        pause = self._retry or self._turns.seconds * uniform(0.9, 1.1)
        sleep(MIN_PAUSE)
        with suppress(Empty):
            self._wakeups.get(timeout=pause)
            while True:
                self._wakeups.get_nowait()

    def _failed(self, error: Exception, engine: Engine) -> None:
        if not isinstance(
            error, BoardUnavailable
        ):  # the others can use the board, and would take the slot as a blocked worker
            self._delete_slot()
        # A connection that is open needs no descriptor, which a process under load may not get again.
        if not isinstance(error, Locked):
            self._close()
        self._retry = min(max(2 * self._retry, self._turns.seconds), MAX_RETRY)
        # What it has read before counts for some seconds, so that a file that is locked for a moment is no event.
        if not self._logged and engine.host is None:
            self._logged = True
            reason = str(error) if isinstance(error, BoardUnavailable) else redact(describe(error))
            logger.error("board %s: %s: this worker answers for itself until it can be used", self._path, reason)

    def _succeeded(self, seconds: float) -> None:
        self._retry = 0.0
        if seconds > MIN_VALIDITY and not self._logged:
            logger.warning("board %s: it took %.1f s to read it: this worker answered for itself", self._path, seconds)
        if self._logged:
            self._logged = False
            logger.info("board %s can be used again: this worker answers for its host", self._path)

    def _leave(self) -> None:
        engine = self._engine()
        if engine is not None and not self._replaced:
            engine.set_host(None, monotonic())
        del engine
        for _ in range(LEAVE_ATTEMPTS):
            if self._delete_slot() or self._replaced:  # the slots of the next lifespan show that this one is over
                break
        self._close()

    def _delete_slot(self) -> bool:
        """Delete the slot, and return False where the board is locked. A slot that stays ends with its process."""
        if self._store is not None:
            with suppress(Exception):
                try:
                    self._turns.leave(self._store)
                except Locked:
                    return False
        return True

    def _close(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            with suppress(Exception):
                store.close()


def _published_by(engine: Engine) -> object:
    """Return what the others get at once when it changes: not when a status decays, which each new result changes."""
    return engine.phase, [(each.status, each.reason) for each in engine.own_statuses.values()]
