"""What takes the process out of the rotation, and holds the signal back until every prober has seen it."""

from collections.abc import Callable
from math import inf

import anyio

from ..core.drain import Drain
from ..core.health import Health
from ..core.lifecycle import Phase
from ..core.logger import logger


class Drainer:
    """Drain a Health at the first SIGTERM; see `Drain`.

    `wake` has `look` called at once, and takes no lock; `pass_on` hands the signal to the server.
    """

    def __init__(self, health: Health, drain: Drain, wake: Callable[[], None], pass_on: Callable[[], None]) -> None:
        self._health = health
        self._drain = drain
        self._wake = wake
        self._pass_on = pass_on
        self._due = inf
        """When the signal is passed on (seconds of the clock of `health`): inf before the first, -inf when it goes or
        has gone through."""
        self._logged = False

    @property
    def holding(self) -> bool:
        """Whether a signal is held back."""
        return -inf < self._due < inf

    def hold(self) -> bool:
        """A SIGTERM has come: begin to drain and return True, or False if it is to go through. For a signal handler."""
        health = self._health
        if self._due < inf or health.phase not in (Phase.SERVING, Phase.DRAINING):
            self._due = -inf  # it goes through now, and not a second time later
            return False
        health.drain()
        due = self._over()
        if health.clock() >= due:
            return False
        self._due = due
        self._wake()
        return True

    def look(self, now: float) -> float:
        """Pass on a signal whose time has come. Returns when to look again, as `now` counts."""
        again = inf
        if self.holding:
            left = self._due - self._health.clock()
            if left <= 0:
                self.release()
            else:
                again = now + left
            if not self._logged:  # last: no handler of the log may hold the signal back
                self._logged = True
                logger.info("SIGTERM: draining, the server gets it in %.1f s", max(0.0, left))
        return again

    async def drain(self) -> None:
        """Begin to drain, and return when a signal would no longer be held back."""
        self._health.drain()
        logger.info("asked to drain")
        await anyio.sleep(max(0.0, self._over() - self._health.clock()))

    def release(self) -> None:
        """Pass on now what is held back."""
        if self.holding:
            self._due = -inf
            self._pass_on()

    def cancel(self) -> None:
        """The server has begun to stop: hold nothing back any more. What was held is passed on by others."""
        self._due = -inf

    def _over(self) -> float:
        began = self._health.phase_since
        return self._health.clock() if began is None else began + self._drain.delay
