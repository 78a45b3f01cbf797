"""Divides work on the event loop into steps, between which the loop serves others."""

import time

from ..runtime.backends.detection import current_backend
from ..runtime.backends.interface import Flag

MAX_STEP = 0.0002
"""Seconds for which an answer is rendered at a time; then the loop serves others. The metrics of a thousand checks in
one piece would delay each request that comes meanwhile by 20 ms, and so would an explanation."""


class Steps:
    """Divide work into steps of `MAX_STEP`, between which the event loop goes on."""

    __slots__ = ("_began", "_flag")

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._flag: Flag | None = None

    async def may_end(self) -> None:
        """Let the loop go on once, if the present step has taken long enough."""
        if time.perf_counter() - self._began < MAX_STEP:
            return
        if self._flag is None:
            self._flag = current_backend().flag()
        await self._flag.wait(0.0)  # it is never set
        self._began = time.perf_counter()
