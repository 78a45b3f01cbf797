"""The heartbeat of an event loop: other threads see from it whether the loop still runs its tasks."""

import sys
from collections import deque
from collections.abc import Callable
from math import inf
from threading import get_ident
from time import monotonic
from types import CodeType, FrameType

from ...core.logger import logger
from ..backends.detection import current_backend
from ..backends.interface import Flag, Task

PERIOD = 0.25
"""Seconds between two beats: the loop wakes four times in a second, a few microseconds each."""

FIRST_PAUSE = 0.001
"""Seconds to the first beat; the pauses double up to `PERIOD`. granian runs its loop a second time right after startup,
and uvloop reinstalls its signal handler at each run: `SigtermHandler.reinstall` must follow soon."""


class LoopHeartbeat:
    """Beat in the loop that runs at the moment, from `start` to `stop`; any thread may read it.

    It uses real time, whatever clock the checks have: it measures what really happens to the process.

    Args:
        slow: Lateness of a beat (seconds) that counts as a stall.
        on_beat: Called with every beat, in the loop's thread.
    """

    def __init__(self, slow: float = inf, on_beat: Callable[[], None] | None = None) -> None:
        self._slow = slow
        self._on_beat = on_beat
        self._task: Task | None = None
        self._flag: Flag | None = None
        self._logged_failure = False
        self.last_beat = -inf
        """When it last beat (seconds of `time.monotonic`)."""
        self.thread_id = 0
        """The identity of the loop's thread."""
        self.base_frames: tuple[CodeType, ...] = ()
        """The functions that called the last beat, outermost first: the server and its loop."""
        self.past_stalls: deque[tuple[float, float]] = deque(maxlen=1000)
        """The stalls that are over: the beat before each, and the seconds by which the next one was late."""

    @property
    def alive(self) -> bool:
        """Whether it beats, or would if the loop were not blocked."""
        task = self._task  # read once: the loop's thread may set it to None in between
        return task is not None and task.alive()

    def lateness(self, now: float) -> float:
        """Return by how many seconds the next beat is late."""
        return max(0.0, now - self.last_beat - PERIOD)

    def start(self) -> None:
        """Begin in the present loop. No effect where it beats already."""
        if self.alive:
            return
        backend = current_backend()
        flag = self._flag = backend.flag()
        self.thread_id = get_ident()
        self.last_beat = monotonic()
        # Hidden: an app that cancels every task of its loop must not end the heartbeat, which restarts the runner.
        self._task = backend.spawn("asgi-health heartbeat", lambda: self._beat(flag), _nothing, hidden=True)

    def wake(self) -> None:
        """Wake the loop now. May be called from any thread."""
        flag = self._flag  # read once, as in `alive`
        if flag is not None:
            flag.set()

    def stop(self) -> None:
        """End it. From then on its lateness grows."""
        if self._task is not None:
            self._task.cancel()
            self._task = self._flag = None

    async def _beat(self, flag: Flag) -> None:
        # Compared after each wait: a cancellation at the very moment at which the wait ends does not end the task.
        pause = FIRST_PAUSE
        while True:
            await flag.wait(pause)
            if self._flag is not flag:
                return
            pause = min(2 * pause, PERIOD)
            self.base_frames = _codes(sys._getframe())  # pyright: ignore[reportPrivateUsage]  documented, for debuggers
            before, self.last_beat = self.last_beat, monotonic()
            late = self.last_beat - before - PERIOD
            if late > self._slow:
                self.past_stalls.append((before, late))
            try:
                if self._on_beat is not None:
                    self._on_beat()
            except Exception:  # it must not end the heartbeat, by which the loop is judged
                if not self._logged_failure:
                    self._logged_failure = True
                    logger.exception("a callback of the event loop's heartbeat failed; the heartbeat goes on")


def _codes(frame: FrameType | None) -> tuple[CodeType, ...]:
    codes: list[CodeType] = []
    while frame is not None:
        codes.append(frame.f_code)
        frame = frame.f_back
    return tuple(codes[::-1])


def _nothing() -> None:
    pass
