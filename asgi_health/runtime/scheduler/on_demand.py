"""Runs checks when a request asks, where no lifespan says when a background task may run."""

from math import inf
from threading import Lock

from ...core.engine import Engine
from ...core.logger import logger
from ...core.schedule import Run
from ..backends.detection import current_backend
from ..backends.interface import Backend
from .executor import BATCH, Executor
from .log import ProbeLog


class OnDemand:
    """Run what is due when a request asks, once for all requests at the same time.

    Nothing is kept of the loop of a request: the next one may come on another.
    """

    def __init__(self, engine: Engine, executor: Executor, log: ProbeLog) -> None:
        self._engine = engine
        self._executor = executor
        self._log = log
        self._lock = Lock()
        self._busy_until = -inf

    async def run_due(self) -> None:
        """Run what is due, and return when each run has ended or is late.

        While one request does so the others return at once, and answer with the previous results.

        The runs go on when the request that asked is cancelled.
        """
        now = self._engine.clock()
        self._engine.pass_on_decay(now)
        if (self._engine.next_start() > now and self._engine.next_deadline() > now) or not self._claim(now):
            return
        backend = current_backend()
        done = backend.flag()

        def ended() -> None:
            self._busy_until = -inf
            self._log.log_changes()
            done.set()

        backend.spawn("asgi-health on demand", lambda: self._run(backend, now), ended)
        await done.wait(inf)

    async def _run(self, backend: Backend, now: float) -> None:
        engine, executor = self._engine, self._executor
        flag = backend.flag()
        executor.attach(flag.set)
        waiting: list[Run] = []
        try:
            while True:
                due = engine.due(now, at_most=BATCH)
                executor.apply(due, backend)
                waiting += due.start
                if len(due.start) < BATCH:
                    break
                await flag.wait(0.0)
            while waiting := [run for run in waiting if run in executor and not run.expired]:
                await flag.wait(max(0.001, engine.next_deadline() - engine.clock()))
                executor.apply(engine.due(engine.clock(), at_most=0), backend)
        except Exception:
            logger.exception("the checks on demand crashed")
        except GeneratorExit:  # garbage collected with its loop: there is nothing to wait for
            raise
        except BaseException:  # the loop is ending
            await executor.finish(flag)
            raise

    def _claim(self, now: float) -> bool:
        # By time, not by a flag: the loop of the request that runs the checks may end before it clears the flag.
        with self._lock:
            if now < self._busy_until:
                return False
            self._busy_until = now + 1.0 + max((check.timeout for check in self._engine.checks), default=0.0)
            return True
