"""The connections to the listener: whose turn it is, and which one is closed when all places are taken."""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from functools import partial

from ..core.logger import logger

MOST = 256
"""Connections at a time: a flood must not take the memory of the app. The next one may be the kubelet's, and takes the
place of the one that was answered longest ago: that client is silent, slow, or does not read its answer."""

SOON, SELDOM = 1.0, 60.0
"""Seconds from the first connection that was closed to the line in the log, and from one such line to the next."""


class Places:
    """The connections that there are. For the loop of the listener alone.

    A connection has its first request read as soon as it comes. Whatever else it wants is done one step at a time, all
    connections in turn, one step in each turn of the loop: thousands of requests in one packet delay a newcomer by one.
    """

    def __init__(self, talk: Callable[[socket.socket], Coroutine[None, None, None]]) -> None:
        self._talk = talk
        self._tasks: set[asyncio.Task[None]] = set()
        self._order: dict[asyncio.Task[None], None] = {}
        self._lock = asyncio.Lock()  # which is fair: first come, first served
        self._evicted = self._refused = 0
        self._report: asyncio.TimerHandle | None = None
        self._pause = SOON

    def admit(self, client: socket.socket) -> None:
        """Give a new client a place, or close its connection where all others are being answered at this moment."""
        if len(self._tasks) >= MOST and not self.evict():
            client.close()
            self._refused += 1
            self._report_later()
            return
        task = asyncio.get_running_loop().create_task(self._talk(client))
        self._tasks.add(task)
        self._order[task] = None
        # Not in the task: one that is cancelled before it has begun runs none of its code.
        task.add_done_callback(partial(self._left, client))

    def evict(self) -> bool:
        """Close the connection that was answered longest ago. Returns whether there is one."""
        task = next(iter(self._order), None)
        if task is None:
            return False
        self._tasks.discard(task)
        del self._order[task]
        task.cancel()
        self._evicted += 1
        self._report_later()
        return True

    async def turn(self) -> None:
        """Wait until it is this one's turn to go on."""
        async with self._lock:
            await asyncio.sleep(0)

    @contextmanager
    def answering(self) -> Generator[None]:
        """The block in which the present task answers: it cannot be sent away, and is the last to be afterwards."""
        task = asyncio.current_task()
        assert task is not None
        place = task in self._order
        self._order.pop(task, None)
        try:
            yield
        finally:
            if place:
                self._order[task] = None

    async def close(self) -> None:
        """Close all connections."""
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)
            await asyncio.sleep(0)  # in which they are closed
        if self._report is not None:
            self._report.cancel()
            self._tell()

    def _left(self, client: socket.socket, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._order.pop(task, None)
        try:
            # A process that was forked meanwhile holds the connection too, and must not keep it open.
            client.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        client.close()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("the listener has lost a connection", exc_info=error)

    def _report_later(self) -> None:
        if self._report is None:
            self._report = asyncio.get_running_loop().call_later(self._pause, self._tell)

    def _tell(self) -> None:
        logger.warning(
            "the listener has closed %d connections to make room for others and turned %d away: more than %d at a time",
            self._evicted,
            self._refused,
            MOST,
        )
        self._evicted = self._refused = 0
        self._report, self._pause = None, SELDOM
