"""The calls of `Watch`: who gets which status, and the threads that send it."""

from collections.abc import Callable
from math import inf
from queue import SimpleQueue
from threading import Condition, Event, Lock, Thread
from time import monotonic

from ...core.logger import logger

MAX_WATCHERS = 1000
"""Of more, the newest is refused. A client tries again when it is refused, and when its call ends: to end the oldest
call in its place would make the two take turns."""

PAUSE = 0.25
"""Seconds between two looks at the statuses while there are watchers: a status can get worse without a transition, when
the event loop is blocked or gone. A transition is looked at at once."""

SEND_TIMEOUT = 1.0
"""Seconds after which a call ends whose client does not take a message: it has closed its flow-control window. A client
that only reads slowly has its messages in the buffers of gRPC and of the system."""


_NOTHING = object()


class Watcher:
    """One call of `Watch`.

    Args:
        service: The service whose status it sends.
        peer: The address of the client, the same for all calls of a connection of TCP.
        send: Sends a status, None for an unknown service. Returns when gRPC has passed it on.
        end: Ends the call when the client has received what was sent. Returns at once.
        cancel: Ends the call, and with it a `send` in another thread.
    """

    __slots__ = ("cancel", "end", "peer", "queued", "send", "send_began", "sent", "service", "wanted")

    def __init__(
        self,
        service: str,
        peer: str,
        *,
        send: Callable[[int | None], None],
        end: Callable[[], None],
        cancel: Callable[[], object],
    ) -> None:
        self.service = service
        self.peer = peer
        self.send = send
        self.end = end
        self.cancel = cancel
        self.wanted: int | None = None
        self.sent: object = _NOTHING
        self.queued = False
        self.send_began = inf


class Watchers:
    """Send each watcher the present status of its service, and each change. Of several changes it sends the last.

    Its threads start with the first watcher: one sends the first status to new watchers, one sends changes, and one
    looks for changes. So clients that call and do not take the first message delay no watcher that there is.

    Args:
        status_of: Returns the present status of a service, None for an unknown one.
    """

    def __init__(self, status_of: Callable[[str], int | None]) -> None:
        self._status_of = status_of
        self._lock = Lock()
        self._idle = Condition(self._lock)
        self._watchers: set[Watcher] = set()
        self._first: SimpleQueue[Watcher | None] = SimpleQueue()
        self._changes: SimpleQueue[Watcher | None] = SimpleQueue()
        self._queued = 0
        self._wake = Event()
        self._started = False
        self._closed = False

    def __len__(self) -> int:
        return len(self._watchers)

    def add(self, watcher: Watcher) -> bool:
        """Send it the present status, and later ones; return False where there are too many, or it has ended."""
        with self._lock:
            if self._closed or len(self._watchers) >= MAX_WATCHERS or not self._start():
                return False
            self._watchers.add(watcher)
            self._update(watcher, self._status_of(watcher.service))
        self._wake.set()  # the first one begins the pauses
        return True

    def discard(self, watcher: Watcher) -> None:
        """Send it nothing any more."""
        with self._lock:
            self._watchers.discard(watcher)
            if not self._watchers:
                self._idle.notify_all()

    def look(self) -> None:
        """Look at the statuses now. Does not wait."""
        self._wake.set()

    def settle(self, timeout: float) -> None:
        """Send the present statuses, and return when they are sent, or after `timeout` seconds."""
        self._send_changes()
        with self._idle:
            self._idle.wait_for(lambda: not self._queued, timeout)

    def close(self, timeout: float) -> None:
        """Send the present statuses and end the calls, for `timeout` seconds at most; then end the threads."""
        self._closed = True
        deadline = monotonic() + timeout
        self.settle(timeout)
        with self._lock:
            waiting = [watcher for watcher in self._watchers if watcher.send_began == inf]
        for watcher in waiting:
            try:
                watcher.end()
            except Exception as error:  # the call has ended
                logger.debug("a watcher of gRPC has gone: %s", error)
        with self._idle:
            self._idle.wait_for(lambda: not self._watchers, max(0.0, deadline - monotonic()))
        self._wake.set()
        self._first.put(None)
        self._changes.put(None)

    def _start(self) -> bool:
        if not self._started:
            try:
                for queue, name in ((self._first, "first"), (self._changes, "changes")):
                    Thread(target=self._send_all, args=(queue,), name=f"asgi-health grpc {name}", daemon=True).start()
                Thread(target=self._look_again_and_again, name="asgi-health grpc watch", daemon=True).start()
            except RuntimeError as error:  # can't start new thread
                logger.error("gRPC clients cannot watch: %s", error)
                return False
            self._started = True
        return True

    def _look_again_and_again(self) -> None:
        while not self._closed:
            self._wake.wait(PAUSE if self._watchers else None)
            self._wake.clear()
            self._send_changes()
            self._end_slow()

    def _send_changes(self) -> None:
        with self._lock:
            statuses: dict[str, int | None] = {}
            for watcher in self._watchers:
                service = watcher.service
                if service not in statuses:
                    statuses[service] = self._status_of(service)
                self._update(watcher, statuses[service])

    def _update(self, watcher: Watcher, status: int | None) -> None:
        watcher.wanted = status
        if status != watcher.sent and not watcher.queued:
            watcher.queued = True
            self._queued += 1
            (self._first if watcher.sent is _NOTHING else self._changes).put(watcher)

    def _end_slow(self) -> None:
        limit = monotonic() - SEND_TIMEOUT
        with self._lock:
            slow = [watcher for watcher in self._watchers if watcher.send_began < limit]
            # All calls of the connection: none of them could take a message, and each would take its time.
            peers = {watcher.peer for watcher in slow if watcher.peer.startswith("ip")}
            slow += [watcher for watcher in self._watchers if watcher.peer in peers and watcher not in slow]
        for watcher in slow:
            watcher.cancel()

    def _send_all(self, queue: "SimpleQueue[Watcher | None]") -> None:
        while (watcher := queue.get()) is not None:
            while (status := self._next(watcher)) is not _NOTHING:
                try:
                    watcher.send(status)  # type: ignore[arg-type]
                except Exception as error:  # the call has ended
                    logger.debug("a watcher of gRPC has gone: %s", error)
                watcher.send_began = inf

    def _next(self, watcher: Watcher) -> object:
        """Return what to send next to a queued watcher; `_NOTHING` when it is up to date or gone."""
        with self._lock:
            if watcher.wanted == watcher.sent or watcher not in self._watchers:
                watcher.queued = False
                self._queued -= 1
                if not self._queued:
                    self._idle.notify_all()
                return _NOTHING
            watcher.sent = watcher.wanted
            watcher.send_began = monotonic()
            return watcher.wanted
