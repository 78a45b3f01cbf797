"""The background task that keeps the checks on their schedule."""

from math import inf

import anyio

from ..core.health import Health
from ..core.logger import logger
from .backend import Backend, Signal, Task
from .current import current_backend
from .first_results import FirstResults
from .log import Log
from .on_demand import OnDemand
from .runs import BATCH, Runs

RESTART, LONGEST_RESTART = 1.0, 60.0
"""Seconds until a runner that has ended starts again, and between two restarts of one that keeps crashing, at most."""


class Runner:
    """Run the checks of a Health in a task of its own, from `start` to `stop`; on demand where it has none."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._runs = Runs(health)
        self._log = Log(health)
        self._on_demand = OnDemand(health, self._runs, self._log)
        self.first_results = FirstResults(health)
        self._task: Task | None = None
        self._signal: Signal | None = None
        self._sleeps_until = -inf
        self._ended_at = -inf
        self._ordered = False
        self._awaited = False
        health.watch(self._wake)

    @property
    def alive(self) -> bool:
        """Whether the task exists and can go on."""
        task = self._task  # once: pages are prepared in other threads too, and the loop's may take it away in between
        return task is not None and task.alive()

    def start(self) -> None:
        """Begin in the loop that runs at the moment; the first run of every check starts at once."""
        if self.alive:
            return
        backend = current_backend()
        signal = self._signal = backend.signal()
        self._runs.open(self._came_home)
        self._ordered = True
        self._awaited = False
        self._task = backend.spawn("asgi-health runner", lambda: self._supervise(backend, signal), self._ended)
        self._health.changed()

    def look(self) -> None:
        """Notice, between `start` and `stop`, what the task cannot: evidence that grows old, and its own end.

        An app that cancels every task of its loop ends it. It starts again, but not at once: the loop may be ending.
        """
        if not self._ordered:
            return
        now = self._health.clock()
        self._log.look(now)
        if not self.alive and now >= self._ended_at + RESTART:
            logger.warning("the runner of the checks was cancelled from outside; it starts again")
            self.start()

    async def refresh(self) -> None:
        """Run what is due and return when each run has ended or is late, where no task does it; see `OnDemand`."""
        if not self.alive:
            await self._on_demand.refresh()

    async def stop(self) -> None:
        """End the task and all runs. Waits a moment for those that clean up, and for none that does not."""
        self._awaited = True
        self.cancel()
        await self._runs.leave(current_backend().signal())

    def cancel(self) -> None:
        """End the task and all runs, without waiting for them."""
        self._ordered = False
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._runs.cancel()

    def _ended(self) -> None:
        self._ended_at = self._health.clock()
        self._health.changed()

    def _came_home(self) -> None:
        self._log.look(self._health.clock())
        self.first_results.came()
        self._wake()

    def _wake(self) -> None:
        signal = self._signal
        if signal is not None and self._health.next_wake() < self._sleeps_until:
            signal.set()

    async def _supervise(self, backend: Backend, signal: Signal) -> None:
        clock = self._health.clock
        delay = RESTART
        while self._ordered:
            started = clock()
            try:
                await self._run(backend, signal)
            except Exception:
                if clock() - started > LONGEST_RESTART:
                    delay = RESTART
                logger.exception("the runner of the checks crashed; it starts again in %.0f s", delay)
                await anyio.sleep(delay)
                delay = min(2 * delay, LONGEST_RESTART)
            except GeneratorExit:  # collected with its loop: there is nothing to wait for
                raise
            except BaseException:
                if not self._awaited:  # nobody else sees to the runs: the loop is ending
                    await self._runs.leave(signal)
                raise

    async def _run(self, backend: Backend, signal: Signal) -> None:
        health = self._health
        while self._ordered:  # it may have been woken in the very moment in which it was cancelled
            now = health.clock()
            self._runs.obey(health.due(now, at_most=BATCH), backend)
            self._log.look(now)
            self._sleeps_until = inf  # before the question: a thread may add a check right after it
            wake = self._sleeps_until = health.next_wake()
            # A loop's timers are coarser than the clock: without a floor it would wake a little early, several times.
            await signal.wait(0.0 if wake <= now else max(wake - now, 0.001))
            self._sleeps_until = -inf


def runner_of(health: Health) -> Runner:
    """Return the one runner of `health`, made when it is first asked for."""
    if not isinstance(health.runner, Runner):
        health.runner = Runner(health)
    return health.runner
