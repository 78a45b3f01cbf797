"""The runs under way: each started, cancelled and brought home, whatever its function does."""

import sys
from _thread import interrupt_main
from collections.abc import Callable
from contextvars import Context
from functools import partial
from inspect import isawaitable, iscoroutine

from ..core.check import CheckFunction
from ..core.health import Health
from ..core.result import Result, failure, interpret, unhealthy
from ..core.schedule import Orders, Run
from .backend import GRACE, Backend, Signal, Task
from .never_awaited import watched
from .thread import ThreadJob

BATCH = 64
"""Runs started in one turn of the loop. Ten thousand checks that fall due together must not hold it up."""


class Runs:
    """Carry out the orders of a Health, and record in it what comes of them.

    A run belongs to the loop in which it was started; one whose loop has ended is lost, and counts as a failure.
    """

    def __init__(self, health: Health) -> None:
        self._health = health
        self._jobs: dict[Run, Task] = {}
        self._given_up: set[Run] = set()
        self._changed: Callable[[], None] = _nobody

    def __contains__(self, run: Run) -> bool:
        return run in self._jobs

    def obey(self, orders: Orders, backend: Backend) -> None:
        """Start and cancel what is ordered. Returns at once."""
        for run in orders.cancel:
            if job := self._jobs.get(run):
                job.cancel()
        for run in orders.start:
            call = watched(run.check) if sys.flags.dev_mode else run.check.run
            if run.check.is_async:
                self._spawn(run, call, backend)
            else:
                self._start_thread(run, call, backend)

    def open(self, changed: Callable[[], None]) -> None:
        """Begin on the loop that runs at the moment: what was lost with an earlier one is recorded as failed.

        `changed` is called after a run has come home, in the loop as a rule.
        """
        self._changed = changed
        for run, job in list(self._jobs.items()):
            if not job.alive():
                self._ended(run)

    def cancel(self) -> None:
        """Ask every run to end; how it does says nothing about its check."""
        self._given_up.update(self._jobs)
        for job in list(self._jobs.values()):
            job.cancel()

    async def leave(self, signal: Signal) -> None:
        """Wait a moment for the runs to clean up, then let go of those that did not end.

        Not waited for is a thread, or a run that has had its moment since its deadline.
        """
        self._changed = signal.set
        clock = self._health.clock
        end = clock() + GRACE
        try:
            while (now := clock()) < end and any(
                not isinstance(job, ThreadJob) and now < run.deadline + GRACE for run, job in list(self._jobs.items())
            ):
                await signal.wait(end - now)
        finally:
            for job in list(self._jobs.values()):
                job.drop()

    def _spawn(self, run: Run, call: Callable[[], object], backend: Backend) -> None:
        name = f"asgi-health check {run.check.name}"
        self._jobs[run] = backend.spawn(name, partial(self._await, run, call), partial(self._ended, run))

    def _start_thread(self, run: Run, call: CheckFunction, backend: Backend) -> None:
        def main() -> None:
            value: object = None
            error: BaseException | None = None
            try:
                value = call()
            except BaseException as raised:
                error = raised
            home = partial(self._from_thread, run, value, error, backend)
            try:
                backend.call(home)
            except RuntimeError:  # the loop has ended
                if iscoroutine(value):
                    value.close()
                self._home(run, unhealthy("its event loop has ended"), None)
            finally:
                del value, error, home  # the frame and the exception would hold each other alive

        try:
            self._jobs[run] = ThreadJob(run.check.name, main, Context())
        except RuntimeError as error:  # can't start new thread
            self._home(run, failure(error), error)

    def _from_thread(self, run: Run, value: object, error: BaseException | None, backend: Backend) -> None:
        if error is not None:
            self._home(run, _failed(error), error)
        elif not isawaitable(value):
            self._home(run, interpret(value), None)
        elif run.expired or run in self._given_up or run not in self._jobs:
            if iscoroutine(value):
                value.close()
            self._home(run, unhealthy("too late to be awaited"), None)
        else:
            self._spawn(run, lambda: value, backend)

    async def _await(self, run: Run, call: Callable[[], object]) -> None:
        error: BaseException | None = None
        try:
            value = call()
            if isawaitable(value):
                value = await value
            result = interpret(value)
        except BaseException as raised:
            # Everything, a cancellation too: this task ends here in any case, and whoever cancelled it, be it the
            # check itself, has a failed check and nothing worse.
            result, error = _failed(raised), raised
        try:
            self._home(run, result, error)
        finally:
            error = None  # the frame and the exception would hold each other alive

    def _ended(self, run: Run) -> None:
        """A task cancelled before its first step, or lost with its loop, never came to report itself."""
        if run in self._jobs:
            self._home(run, unhealthy("its run was cancelled from outside"), None)

    def _home(self, run: Run, result: Result, error: BaseException | None) -> None:
        self._jobs.pop(run, None)
        if run in self._given_up:
            self._given_up.discard(run)
            self._health.abandon(run)
        else:
            self._health.record(run, result, self._health.clock(), error)
        self._changed()


def _failed(error: BaseException) -> Result:
    if isinstance(error, KeyboardInterrupt):
        # Passed to where Ctrl-C would have gone: raised here it would be an internal error to trio, and on a thread
        # nobody would see it.
        interrupt_main()
    return failure(error)


def _nobody() -> None:
    pass
