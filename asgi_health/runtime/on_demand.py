"""Checks without a background task, for where no lifespan tells when one may live."""

from threading import Lock

from ..core.health import Health
from .current import current_backend
from .log import Log
from .runs import Runs


class OnDemand:
    """Run what is due when somebody asks, once for everybody who asks at the same time.

    Nothing is kept of the loop of a request: the next one may come on another.
    """

    def __init__(self, health: Health, runs: Runs, log: Log) -> None:
        self._health = health
        self._runs = runs
        self._log = log
        self._lock = Lock()
        self._busy_until = float("-inf")

    async def refresh(self) -> None:
        """Run what is due and return when each has ended or is late; at once when another request is already at it."""
        health, runs = self._health, self._runs
        now = health.clock()
        if (health.next_due() > now and health.next_deadline() > now) or not self._claim(now):
            return
        backend = current_backend()
        signal = backend.signal()
        runs.open(signal.set)
        try:
            orders = health.due(now)
            runs.obey(orders, backend)
            waiting = list(orders.start)
            while waiting := [run for run in waiting if run in runs and not run.expired]:
                await signal.wait(max(0.001, health.next_deadline() - health.clock()))
                runs.obey(health.due(health.clock(), at_most=0), backend)
        finally:
            self._busy_until = float("-inf")
            self._log.look(health.clock())

    def _claim(self, now: float) -> bool:
        # By time, not by a flag alone: the loop of whoever is at it may end in the middle, without another word.
        with self._lock:
            if now < self._busy_until:
                return False
            self._busy_until = now + 1.0 + max((check.timeout for check in self._health.checks), default=0.0)
            return True
