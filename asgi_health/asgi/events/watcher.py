"""One client that watches the events."""

from collections.abc import Callable
from math import inf
from random import random
from typing import Protocol

from ...formats.events import HEARTBEAT, retry
from ...runtime.backends.interface import Flag
from .batch import Batch

RETRY = retry(2000)
"""Sent first. The client connects again two seconds after the server has stopped."""

RETRY_AT_ONCE = retry(100)
"""Sent at the end of `LIFETIME`."""

RETRY_LATER = retry(60_000)
"""Sent to a client whose place another one takes: connected at once, the two would replace each other for ever."""

HEARTBEAT_PAUSE = 15.0
"""Seconds without an event after which a comment is sent. nginx closes a connection after 60 s of silence."""

LIFETIME = 20.0
"""Seconds after which a stream ends and the client opens the next one. Some servers wait for open requests before they
stop, and show the app nothing of it: no longer than this, and less than the 30 s that Kubernetes and gunicorn wait. It
is also how long a client goes on after the policy has ceased to admit it."""

LIFETIME_SPREAD = 0.2
"""Share of the lifetime by which some streams end earlier, so that not all clients connect again at once."""

READ_TIMEOUT = 20.0
"""Seconds in which a client must take a piece."""


class Source(Protocol):
    """Where the events come from."""

    @property
    def moment(self) -> float:
        """The moment of the present state (monotonic seconds)."""
        ...

    def now(self) -> float:
        """Return the present moment (monotonic seconds)."""
        ...

    def batch_since(self, moment: float) -> Batch:
        """Return the events that lead from the state at `moment` to the present one."""
        ...

    def remove(self, watcher: "Watcher") -> None:
        """Forget a watcher. No effect the second time."""


class Watcher:
    """Pieces of events for one client, which gets the present state whenever it is ready for more.

    It buffers nothing: a client that reads slowly gets fewer and newer states. Implements `Stream`.

    Args:
        source: Where the events come from.
        since: The moment of the state that the client has seen (monotonic seconds), minus infinity for none.
        flag: Wakes the watcher.
        pause: Never set: waiting for it lets others go on.
        give_up: Called when the client has not taken a piece in time.
    """

    __slots__ = (
        "_batch",
        "_ended",
        "_ends_at",
        "_farewell",
        "_flag",
        "_give_up",
        "_opening",
        "_pause",
        "_piece",
        "_sent_at",
        "_since",
        "_source",
    )

    def __init__(self, source: Source, since: float, flag: Flag, pause: Flag, give_up: Callable[[], None]) -> None:
        self._source = source
        self._since = since
        self._flag = flag
        self._pause = pause
        self._give_up = give_up
        self._opening: bytes | None = RETRY
        self._farewell: bytes | None = None
        self._ended = False
        self._ends_at = source.now() + LIFETIME * (1 - LIFETIME_SPREAD * random())
        self._batch: Batch | None = None
        self._piece = 0
        self._sent_at = inf

    async def next(self) -> bytes | None:
        """See `Stream.next`."""
        self._sent_at = inf
        piece = await self._next()
        self._sent_at = self._source.now()
        return piece

    def wake(self) -> None:
        """Look whether there is a new state."""
        self._flag.set()

    def end(self, farewell: bytes | None = None) -> None:
        """End the stream, with `farewell` as its last piece."""
        if not self._ended:
            self._ended, self._farewell = True, farewell
            self._flag.set()

    def leave(self) -> None:
        """See `Stream.leave`."""
        self._ended, self._farewell = True, None
        self._flag.set()

    def close(self) -> None:
        """See `Stream.close`."""
        self._ended = True
        self._source.remove(self)

    def check_reading(self, now: float) -> None:
        """Give the client up if it takes no piece."""
        if now - self._sent_at >= READ_TIMEOUT:
            self.abandon()

    def abandon(self) -> None:
        """Give the client up."""
        self._sent_at = inf
        self.close()
        self.leave()
        self._give_up()

    async def _next(self) -> bytes | None:
        silent_until = self._source.now() + HEARTBEAT_PAUSE
        while True:
            if self._ended:
                farewell, self._farewell = self._farewell, None
                return farewell
            if self._opening is not None:
                opening, self._opening = self._opening, None
                return opening
            if (piece := await self._piece_of_batch()) is not None:
                return piece
            now = self._source.now()
            if now >= self._ends_at:
                self.end(RETRY_AT_ONCE)
            elif now >= silent_until:
                return HEARTBEAT
            elif self._source.moment <= self._since:
                await self._flag.wait(min(silent_until, self._ends_at) - now)

    async def _piece_of_batch(self) -> bytes | None:
        if self._batch is None:
            if self._source.moment <= self._since:
                return None
            self._batch, self._piece = self._source.batch_since(self._since), 0
        else:
            await self._pause.wait(0.0)
            if self._ended:
                return None
        batch, number = self._batch, self._piece
        self._piece += 1
        if self._piece == len(batch):
            self._since, self._batch = batch.moment, None
        return batch.piece(number)
