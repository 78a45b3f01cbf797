"""The background task that runs the checks on their schedule."""

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING

import anyio

from ...core.engine import Engine
from ...core.logger import logger
from ...core.probe_statuses import Statuses
from ..backends.detection import current_backend
from ..backends.interface import Backend, Flag, Task
from ..loop_figures import LoopFigures
from .executor import BATCH, Executor
from .first_results import FirstResults
from .log import ProbeLog
from .on_demand import OnDemand

if TYPE_CHECKING:
    from .run_hooks import ContextFactory

RESTART_PAUSE = 1.0
"""Seconds until a runner that has ended starts again. The pause doubles while it keeps crashing."""

MIN_SLEEP = 0.005
"""Seconds that the task sleeps at least: runs that are due within them start together. A thousand checks at an interval
of a second would wake it a thousand times per second, and each time costs as much as a run."""

MAX_RESTART_PAUSE = 60.0
"""Seconds between two restarts of a runner that keeps crashing, at most."""


class Runner:
    """Run the checks of an engine in a task of its own, from `start` to `stop`; on demand while there is no task."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._executor = Executor(engine)
        self._log = ProbeLog(engine)
        self._on_demand = OnDemand(engine, self._executor, self._log)
        self.first_results = FirstResults(engine)
        self.figures = LoopFigures()
        self._task: Task | None = None
        self._flag: Flag | None = None
        self._sleeps_until = -inf
        self._ended_at = -inf
        self._started = False
        self._stop_waits = False
        engine.on_change(self._on_change)

    @property
    def alive(self) -> bool:
        """Whether the task exists and can go on."""
        task = self._task  # read once: other threads prepare answers too, and the loop's may set it to None in between
        return task is not None and task.alive()

    def start(self) -> None:
        """Begin in the loop that runs at the moment; the first run of every check starts at once."""
        if self.alive:
            return
        backend = current_backend()
        flag = self._flag = backend.flag()
        self._executor.attach(self._run_finished)
        self._started = True
        self._stop_waits = False
        self._task = backend.spawn("asgi-health runner", lambda: self._supervise(backend, flag), self._task_ended)
        self._engine.notify()

    def around_runs(self, factory: "ContextFactory") -> Callable[[], None]:
        """Enter a context of `factory` around each run from now on; return a function that ends that."""
        return self._executor.around_runs(factory)

    def on_beat(self) -> None:
        """Notice, between `start` and `stop`, what the task cannot: results that grow stale, and its own end.

        An app that cancels every task of its loop ends it. It starts again, but not at once: the loop may be ending.
        """
        if not self._started:
            return
        now = self._engine.clock()
        self._engine.pass_on_decay(now)  # also where the task has crashed
        self.log_changes()
        if not self.alive and now >= self._ended_at + RESTART_PAUSE:
            logger.warning("the runner of the checks was cancelled from outside; it starts again")
            self.start()

    def log_changes(self) -> None:
        """Log which checks and probes have changed since the last call. May be called from any thread."""
        self._log.log_changes()

    async def run_due(self) -> None:
        """Run what is due and return when each run has ended or is late, while there is no task; see `OnDemand`."""
        if not self.alive:
            await self._on_demand.run_due()

    async def stop(self) -> None:
        """End the task and all runs, and give cancelled runs a moment to clean up."""
        self._stop_waits = True
        self.cancel()
        await self._executor.finish(current_backend().flag())

    def cancel(self) -> None:
        """End the task and all runs, without waiting for them."""
        self._started = False
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._executor.cancel()

    def _task_ended(self) -> None:
        self._ended_at = self._engine.clock()
        self._engine.notify()

    def _run_finished(self) -> None:
        self.log_changes()
        self._on_change(self._engine.statuses)

    def _on_change(self, _: Statuses) -> None:
        self.first_results.on_change()
        flag = self._flag
        if flag is not None and self._engine.next_wake() < self._sleeps_until:
            flag.set()

    async def _supervise(self, backend: Backend, flag: Flag) -> None:
        clock = self._engine.clock
        pause = RESTART_PAUSE
        while self._started:
            began = clock()
            try:
                await self._run(backend, flag)
            except Exception:
                if clock() - began > MAX_RESTART_PAUSE:
                    pause = RESTART_PAUSE
                logger.exception("the runner of the checks crashed; it starts again in %.0f s", pause)
                await anyio.sleep(pause)
                pause = min(2 * pause, MAX_RESTART_PAUSE)
            except GeneratorExit:  # garbage collected with its loop: there is nothing to wait for
                raise
            except BaseException:
                if not self._stop_waits:  # the loop is ending, and `stop` was not called
                    await self._executor.finish(flag)
                raise

    async def _run(self, backend: Backend, flag: Flag) -> None:
        engine = self._engine
        while self._started:  # it may have been woken in the very moment in which it was cancelled
            now = engine.clock()
            self._executor.apply(engine.due(now, at_most=BATCH), backend)
            self.log_changes()
            self._sleeps_until = inf  # set before the question: a thread may add a check right after it
            wake = self._sleeps_until = engine.next_wake()
            await flag.wait(0.0 if wake <= now else max(wake - now, MIN_SLEEP))
            self._sleeps_until = -inf


def runner_of(engine: Engine) -> Runner:
    """Return the one runner of `engine`, made at the first call."""
    if not isinstance(engine.runner, Runner):
        engine.runner = Runner(engine)
    return engine.runner
