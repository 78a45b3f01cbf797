"""Checks without a background task, for where no lifespan tells when one may live."""

from math import inf
from threading import Lock

from ..core.health import Health
from ..core.logger import logger
from ..core.schedule import Run
from .backend import Backend
from .current import current_backend
from .log import Log
from .runs import BATCH, Runs


class OnDemand:
    """Run what is due when somebody asks, once for everybody who asks at the same time.

    Nothing is kept of the loop of a request: the next one may come on another.
    """

    def __init__(self, health: Health, runs: Runs, log: Log) -> None:
        self._health = health
        self._runs = runs
        self._log = log
        self._lock = Lock()
        self._busy_until = -inf

    async def refresh(self) -> None:
        """Run what is due and return when each has ended or is late; at once when another request is already at it.

        The runs go on when the one who asked leaves before.
        """
        now = self._health.clock()
        if (self._health.next_due() > now and self._health.next_deadline() > now) or not self._claim(now):
            return
        backend = current_backend()
        over = backend.signal()

        def ended() -> None:
            self._busy_until = -inf
            self._log.look(self._health.clock())
            over.set()

        backend.spawn("asgi-health on demand", lambda: self._run(backend, now), ended)
        await over.wait(inf)

    async def _run(self, backend: Backend, now: float) -> None:
        health, runs = self._health, self._runs
        signal = backend.signal()
        runs.open(signal.set)
        waiting: list[Run] = []
        try:
            while True:
                orders = health.due(now, at_most=BATCH)
                runs.obey(orders, backend)
                waiting += orders.start
                if len(orders.start) < BATCH:
                    break
                await signal.wait(0.0)
            while waiting := [run for run in waiting if run in runs and not run.expired]:
                await signal.wait(max(0.001, health.next_deadline() - health.clock()))
                runs.obey(health.due(health.clock(), at_most=0), backend)
        except Exception:
            logger.exception("the checks on demand crashed")
        except GeneratorExit:  # collected with its loop: there is nothing to wait for
            raise
        except BaseException:  # the loop is ending
            await runs.leave(signal)
            raise

    def _claim(self, now: float) -> bool:
        # By time, not by a flag alone: the loop of whoever is at it may end in the middle, without another word.
        with self._lock:
            if now < self._busy_until:
                return False
            self._busy_until = now + 1.0 + max((check.timeout for check in self._health.checks), default=0.0)
            return True
