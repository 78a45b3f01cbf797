"""The pulse of an event loop: what tells, from outside of it, whether it still takes turns."""

import sys
from collections import deque
from collections.abc import Callable
from math import inf
from threading import get_ident
from time import monotonic
from types import CodeType, FrameType

from ..core.logger import logger
from .backend import Signal, Task
from .current import current_backend

PERIOD = 0.25
"""Seconds between two beats: four turns of the loop in a second, a few microseconds each."""

SOON = 0.001
"""Seconds to the first beat; the pauses double up to `PERIOD`. granian runs its loop a second time right after startup,
and uvloop takes its signals back at each run: `Sigterm` must step in front of it again soon."""


class Heartbeat:
    """Beat in the loop that runs at the moment, from `start` to `stop`; readable from any thread.

    `each` is called with every beat, in the loop's thread. `slow` is the lateness (seconds) that counts as a stall.
    In real time always, whatever clock the checks have: it is about what really happens to the process.
    """

    def __init__(self, slow: float = inf, each: Callable[[], None] | None = None) -> None:
        self._slow = slow
        self._each = each
        self._task: Task | None = None
        self._signal: Signal | None = None
        self._failed = False
        self.at = -inf
        """When it last beat (seconds of `time.monotonic`)."""
        self.thread = 0
        """The identity of the loop's thread."""
        self.below: tuple[CodeType, ...] = ()
        """The functions that led to the last beat, outermost first: the server and its loop."""
        self.stalls: deque[tuple[float, float]] = deque(maxlen=1000)
        """The stalls that are over: the beat before each, and the seconds by which the next one was late."""

    @property
    def alive(self) -> bool:
        """Whether it beats, or can."""
        task = self._task  # once: the loop's thread may take it away in between
        return task is not None and task.alive()

    def late(self, now: float) -> float:
        """Return by how many seconds the next beat is late."""
        return max(0.0, now - self.at - PERIOD)

    def start(self) -> None:
        """Begin in the present loop. No effect where it beats already."""
        if self.alive:
            return
        backend = current_backend()
        signal = self._signal = backend.signal()
        self.thread = get_ident()
        self.at = monotonic()
        # Hidden: who ends it speaks for the whole loop, for it looks after everything else that may be ended.
        self._task = backend.spawn("asgi-health heartbeat", lambda: self._beat(signal), _nothing, hidden=True)

    def wake(self) -> None:
        """Have the loop take a turn now. May be called from any thread."""
        signal = self._signal  # once, as in `alive`
        if signal is not None:
            signal.set()

    def stop(self) -> None:
        """End it. From then on it is late, and later with every moment."""
        if self._task is not None:
            self._task.cancel()
            self._task = self._signal = None

    async def _beat(self, signal: Signal) -> None:
        # Asked after each wait, for a cancellation in the moment in which it ends comes too late to end it.
        pause = SOON
        while True:
            await signal.wait(pause)
            if self._signal is not signal:
                return
            pause = min(2 * pause, PERIOD)
            self.below = _codes(sys._getframe())  # pyright: ignore[reportPrivateUsage]  documented, for debuggers
            before, self.at = self.at, monotonic()
            late = self.at - before - PERIOD
            if late > self._slow:
                self.stalls.append((before, late))
            try:
                if self._each is not None:
                    self._each()
            except Exception:  # it must not end the beat, by which the loop is judged
                if not self._failed:
                    self._failed = True
                    logger.exception("what goes on with each beat of the event loop failed; it goes on")


def _codes(frame: FrameType | None) -> tuple[CodeType, ...]:
    codes: list[CodeType] = []
    while frame is not None:
        codes.append(frame.f_code)
        frame = frame.f_back
    return tuple(codes[::-1])


def _nothing() -> None:
    pass
