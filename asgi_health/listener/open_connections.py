"""The open connections of the listener: which one goes on next, and which one is closed when there are too many."""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from ..core.logger import logger
from .interface import ConnectionCounts

MAX_CONNECTIONS = 256
"""A flood must not use up the memory of the app. One more connection may be the kubelet's: it replaces the one that was
answered longest ago, whose client is silent, slow, or does not read its answer."""

FIRST_LOG_PAUSE, LOG_PAUSE = 1.0, 60.0
"""Seconds from the first connection that was closed to the log record, and from one such record to the next."""


class OpenConnections:
    """The open connections. Used in the loop of the listener only.

    The first request of a connection is read as soon as it comes. Later requests wait for their turn: one step per
    iteration of the loop, all connections one after the other. So thousands of requests in one packet delay a new
    connection by one step.

    Args:
        serve: Serves a client until its connection may be closed.
        counts: Counts the connections that are closed to make room.
    """

    def __init__(self, serve: Callable[[socket.socket], Coroutine[None, None, None]], counts: ConnectionCounts) -> None:
        self._serve = serve
        self._tasks: set[asyncio.Task[None]] = set()
        self._by_last_answer: dict[asyncio.Task[None], None] = {}
        self._lock = asyncio.Lock()  # asyncio's lock is fair: first come, first served
        self._counts = counts
        self._logged = ConnectionCounts()
        self._report: asyncio.TimerHandle | None = None
        self._log_pause = FIRST_LOG_PAUSE

    def admit(self, client: socket.socket) -> None:
        """Serve a new client, or close its connection where all others are being answered at this moment."""
        if len(self._tasks) >= MAX_CONNECTIONS and not self.evict():
            client.close()
            self._counts.refused += 1
            self._report_later()
            return
        task = asyncio.get_running_loop().create_task(self._serve(client))
        self._tasks.add(task)
        self._by_last_answer[task] = None
        # Not in the task: one that is cancelled before it has begun runs none of its code.
        task.add_done_callback(partial(self._closed, client))

    def evict(self) -> bool:
        """Close the connection that was answered longest ago. Returns whether there is one."""
        task = next(iter(self._by_last_answer), None)
        if task is None:
            return False
        self._tasks.discard(task)
        del self._by_last_answer[task]
        task.cancel()
        self._counts.evicted += 1
        self._report_later()
        return True

    async def turn(self) -> None:
        """Wait until the present connection may take its next step."""
        async with self._lock:
            await asyncio.sleep(0)

    @contextmanager
    def answering(self) -> Generator[None]:
        """The block in which the present task answers: it is not evicted meanwhile, and last in line afterwards."""
        task = asyncio.current_task()
        assert task is not None
        evictable = task in self._by_last_answer
        self._by_last_answer.pop(task, None)
        try:
            yield
        finally:
            if evictable:
                self._by_last_answer[task] = None

    async def close(self) -> None:
        """Close all connections."""
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)
            await asyncio.sleep(0)  # in which their sockets are closed
        if self._report is not None:
            self._report.cancel()
            self._log_evictions()

    def _closed(self, client: socket.socket, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._by_last_answer.pop(task, None)
        try:
            # A process that was forked meanwhile has the connection open too, and must not keep it open.
            client.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        client.close()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a connection of the listener failed", exc_info=error)

    def _report_later(self) -> None:
        if self._report is None:
            self._report = asyncio.get_running_loop().call_later(self._log_pause, self._log_evictions)

    def _log_evictions(self) -> None:
        logger.warning(
            "the listener has closed %d connections to make room for others and refused %d: more than %d at a time,"
            " or no descriptor is left",
            self._counts.evicted - self._logged.evicted,
            self._counts.refused - self._logged.refused,
            MAX_CONNECTIONS,
        )
        self._logged = replace(self._counts)
        self._report, self._log_pause = None, LOG_PAUSE
