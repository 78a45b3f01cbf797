"""Who blocks the event loop: seen from outside of it, because it cannot say so itself."""

import sys
from collections.abc import Callable, Sequence
from math import inf
from traceback import StackSummary, format_list, walk_stack
from types import CodeType

from ..core.logger import logger
from .culprit import culprit
from .heartbeat import PERIOD, Heartbeat

PATIENCE = 10.0
"""Seconds after which a stall is told of although it goes on: the process may not live to see its end."""

QUIET = 10.0
"""Seconds between two records: a loop that stumbles all the time must not drown the log. All are counted."""

DEPTH = 25
"""Innermost frames that are shown."""


class Watchdog:
    """Tell of each stall of a loop longer than `slow` seconds: for how long, and what ran when it was noticed."""

    def __init__(self, heartbeat: Heartbeat, slow: float, count: Callable[[float], None]) -> None:
        self._heartbeat = heartbeat
        self._slow = slow
        self._count = count
        self._since = inf
        self._stacks: dict[float, StackSummary] = {}
        self._told_of = -inf
        self._quiet_until = -inf
        self._unsaid = 0

    def begin(self, now: float) -> None:
        """Count from here on. Whoever blocks the loop before, while the app starts, keeps nobody waiting."""
        self._since = now

    def look(self, now: float) -> float:
        """Notice what is to be noticed at `now`, and return when to look again (seconds of `time.monotonic`)."""
        # A stall is known by the beat before it. The stack first, because it may be over in the next moment.
        if not self._heartbeat.alive:
            return now + PERIOD
        began = self._heartbeat.at
        late = self._late(began, now)
        if late > self._slow:
            if began not in self._stacks:
                stack = stack_of(self._heartbeat.thread, self._heartbeat.below)
                if self._heartbeat.at == began:
                    self._stacks = {began: stack}
            if late >= max(PATIENCE, self._slow) and self._told_of != began:
                self._told_of = began
                self._tell(now, began, f"has been blocked for {late:.1f} s and still is")
        while self._heartbeat.stalls:
            began, seconds = self._heartbeat.stalls.popleft()
            late = self._late(began, began + PERIOD + seconds)
            if late > self._slow:
                self._count(late)
                if self._told_of != began:
                    self._tell(now, began, f"was blocked for {late:.1f} s")
        began = self._heartbeat.at
        if began in self._stacks or self._since == inf:
            return now + PERIOD
        return max(max(began, self._since) + PERIOD + self._slow, now) + 0.001

    def _late(self, began: float, now: float) -> float:
        return now - max(began, self._since) - PERIOD

    def _tell(self, now: float, began: float, what: str) -> None:
        if now < self._quiet_until:
            self._unsaid += 1
            return
        self._quiet_until = now + QUIET
        stack = self._stacks.get(began)
        unsaid = f" ({self._unsaid} more since the last record)" if self._unsaid else ""
        self._unsaid = 0
        if stack:
            lines = "".join(format_list(stack[-DEPTH:])).rstrip()
            logger.warning("the event loop %s by %s%s\n%s", what, culprit(stack), unsaid, lines)
        elif stack is None:
            logger.warning("the event loop %s, by what could not be seen%s", what, unsaid)
        else:
            logger.warning(
                "the event loop %s, and not by Python: by C code that it called, or the whole process stood still%s",
                what,
                unsaid,
            )


def stack_of(thread: int, below: Sequence[CodeType] = ()) -> StackSummary:
    """Return what a thread does at this moment, innermost frame last; nothing for a thread that has ended.

    Left out is what leads to `below`, the server and its loop, and a loop that waits for something to do.
    """
    frame = sys._current_frames().get(thread)  # pyright: ignore[reportPrivateUsage]  documented, for debuggers
    try:
        frames = [*walk_stack(frame)][::-1] if frame is not None else []
        known = 0
        while known < min(len(frames), len(below)) and frames[known][0].f_code is below[known]:
            known += 1
        stack = StackSummary.extract(iter(frames[known:]), lookup_lines=False)
    finally:
        del frame  # it holds every local variable of the code that it shows
        frames = []
    return StackSummary() if all(each.filename.endswith(_WAITING) for each in stack) else stack


_WAITING = ("selectors.py", "windows_events.py", "_io_epoll.py", "_io_kqueue.py", "_io_windows.py")
