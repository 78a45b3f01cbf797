"""Detects, from another thread, an event loop that is blocked, and logs the code that blocks it."""

import sys
from collections.abc import Callable, Sequence
from math import inf
from traceback import StackSummary, format_list, walk_stack
from types import CodeType

from ...core.logger import logger
from .culprit import culprit
from .loop_heartbeat import PERIOD, LoopHeartbeat

LOGGED_WHILE_BLOCKED_AFTER = 10.0
"""Seconds after which a stall is logged although it goes on: the process may be killed before its end."""

PAUSE_BETWEEN_RECORDS = 10.0
"""Seconds. A loop that is blocked again and again must not flood the log. All stalls are counted."""

MAX_FRAMES = 25
"""Innermost stack frames that are logged."""


class StallDetector:
    """Log each stall of a loop longer than `slow` seconds: for how long, and what ran when it was detected.

    Args:
        heartbeat: The heartbeat of the loop.
        slow: Lateness (seconds) that counts as a stall.
        on_stall: Called with the duration (seconds) of each stall that is over.
        on_culprit: Called during each stall whose code is seen, with the moment and the culprit.
    """

    def __init__(
        self,
        heartbeat: LoopHeartbeat,
        slow: float,
        on_stall: Callable[[float], None],
        on_culprit: Callable[[float, str], None] = lambda at, culprit: None,
    ) -> None:
        self._heartbeat = heartbeat
        self._slow = slow
        self._on_stall = on_stall
        self._on_culprit = on_culprit
        self._started_at = inf
        self._stacks: dict[float, StackSummary] = {}
        self._logged_stall = -inf
        self._next_record_at = -inf
        self._not_logged = 0

    def start(self, now: float) -> None:
        """Count stalls from `now` on. Code that blocks the loop before, while the app starts, delays no request."""
        self._started_at = now

    def poll(self, now: float) -> float:
        """Detect a stall at `now`, and return when to call again (seconds of `time.monotonic`)."""
        # A stall is identified by the last beat before it. The stack first, because it may be over in the next moment.
        if not self._heartbeat.alive:
            return now + PERIOD
        began = self._heartbeat.last_beat
        late = self._lateness(began, now)
        if late > self._slow:
            if began not in self._stacks:
                stack = stack_of(self._heartbeat.thread_id, self._heartbeat.base_frames)
                if self._heartbeat.last_beat == began:
                    self._stacks = {began: stack}
                    if stack:
                        self._on_culprit(now, culprit(stack))
            if late >= max(LOGGED_WHILE_BLOCKED_AFTER, self._slow) and self._logged_stall != began:
                self._logged_stall = began
                self._log(now, began, late, "has been blocked for %.1f s and still is")
        while self._heartbeat.past_stalls:
            began, seconds = self._heartbeat.past_stalls.popleft()
            late = self._lateness(began, began + PERIOD + seconds)
            if late > self._slow:
                self._on_stall(late)
                if self._logged_stall != began:
                    self._log(now, began, late, "was blocked for %.1f s")
        began = self._heartbeat.last_beat
        if began in self._stacks or self._started_at == inf:
            return now + PERIOD
        return max(max(began, self._started_at) + PERIOD + self._slow, now) + 0.001

    def _lateness(self, began: float, now: float) -> float:
        return now - max(began, self._started_at) - PERIOD

    def _log(self, now: float, began: float, seconds: float, text: str) -> None:
        if now < self._next_record_at:
            self._not_logged += 1
            return
        self._next_record_at = now + PAUSE_BETWEEN_RECORDS
        stack = self._stacks.get(began)
        more = f" ({self._not_logged} more since the last record)" if self._not_logged else ""
        self._not_logged = 0
        what = text % seconds
        extra = {"cause": "stalled", "duration": round(seconds, 3)}
        if stack:
            lines = "".join(format_list(stack[-MAX_FRAMES:])).rstrip()
            logger.warning("the event loop %s by %s%s\n%s", what, culprit(stack), more, lines, extra=extra)
        elif stack is None:
            logger.warning("the event loop %s; the code that blocked it was not seen%s", what, more, extra=extra)
        else:
            logger.warning(
                "the event loop %s, and not by Python: by C code that it called, or the whole process was paused%s",
                what,
                more,
                extra=extra,
            )


def stack_of(thread_id: int, base_frames: Sequence[CodeType] = ()) -> StackSummary:
    """Return the present stack of a thread, innermost frame last; an empty one for a thread that has ended.

    Without the outer frames that it shares with `base_frames`: the server and its loop. Empty for a loop that waits.
    """
    frame = sys._current_frames().get(thread_id)  # pyright: ignore[reportPrivateUsage]  documented, for debuggers
    try:
        frames = [*walk_stack(frame)][::-1] if frame is not None else []
        known = 0
        while known < min(len(frames), len(base_frames)) and frames[known][0].f_code is base_frames[known]:
            known += 1
        stack = StackSummary.extract(iter(frames[known:]), lookup_lines=False)
    finally:
        del frame  # it keeps every local variable of the code that it shows alive
        frames = []
    return StackSummary() if all(each.filename.endswith(_WAITING) for each in stack) else stack


_WAITING = ("selectors.py", "windows_events.py", "_io_epoll.py", "_io_kqueue.py", "_io_windows.py")
