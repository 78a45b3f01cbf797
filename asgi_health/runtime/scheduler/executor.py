"""Executes runs: starts each one, cancels it after its deadline, and records its result, whatever its function does."""

import sys
from _thread import interrupt_main
from collections.abc import Callable
from contextvars import Context
from functools import partial
from inspect import isawaitable, iscoroutine
from operator import attrgetter
from threading import Lock, Thread
from typing import TYPE_CHECKING

from ...core.check import CheckFunction
from ...core.engine import Engine
from ...core.result import Result, failure, interpret, unhealthy
from ...core.runs import timed_out
from ...core.schedule import DueRuns, Run
from ..backends.interface import CLEANUP_SECONDS, Backend, Flag, Task

if TYPE_CHECKING:  # imported with the first hook
    from .run_hooks import ContextFactory, RunHook

BATCH = 64
"""Runs started in one iteration of the loop. Ten thousand checks that are due together must not block it."""


class Executor:
    """Execute the runs of an engine, and record their results in it.

    A run belongs to the loop in which it was started; one whose loop has ended is lost, and counts as a failure.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tasks: dict[Run, Task] = {}
        self._given_up: set[Run] = set()
        self._on_finished: Callable[[], None] = _nothing
        self._plain_function_of: Callable[[Run], CheckFunction] = attrgetter("check.run")
        if sys.flags.dev_mode:
            from .never_awaited import fail_when_never_awaited

            self._plain_function_of = lambda run: fail_when_never_awaited(run.check)
        self._function_of: Callable[[Run], CheckFunction] = self._plain_function_of
        self._hooks: tuple[RunHook, ...] = ()
        self._hooks_lock = Lock()

    def __contains__(self, run: Run) -> bool:
        return run in self._tasks

    def around_runs(self, factory: "ContextFactory") -> Callable[[], None]:
        """Enter a context of `factory` around each run from now on; return a function that ends that."""
        from .run_hooks import RunHook

        hook = RunHook(factory)
        with self._hooks_lock:
            self._use((*self._hooks, hook))

        def remove() -> None:
            with self._hooks_lock:
                self._use(tuple(each for each in self._hooks if each is not hook))

        return remove

    def attach(self, on_finished: Callable[[], None]) -> None:
        """Use the loop that runs at the moment; runs that were lost with an earlier one are recorded as failed.

        `on_finished` is called after each run, in the loop as a rule.
        """
        self._on_finished = on_finished
        for run, task in list(self._tasks.items()):
            if not task.alive():
                self._task_ended(run)

    def apply(self, due: DueRuns, backend: Backend) -> None:
        """Start and cancel what is due. Returns at once."""
        for run in due.cancel:
            if task := self._tasks.get(run):
                task.cancel()
        for run in due.start:
            call = self._function_of(run)
            if run.check.is_async:
                self._start_task(run, call, backend)
            else:
                self._start_thread(run, call, backend)

    def cancel(self) -> None:
        """Cancel every run; its result then says nothing about its check."""
        self._given_up.update(self._tasks)
        for task in list(self._tasks.values()):
            task.cancel()

    async def finish(self, flag: Flag) -> None:
        """Wait `CLEANUP_SECONDS` for cancelled runs to clean up, then drop those that have not ended.

        It does not wait for threads, nor for a run that has had that time since its deadline.
        """
        self._on_finished = flag.set
        clock = self._engine.clock
        end = clock() + CLEANUP_SECONDS
        try:
            while (now := clock()) < end and any(
                not isinstance(task, ThreadTask) and now < run.deadline + CLEANUP_SECONDS
                for run, task in list(self._tasks.items())
            ):
                await flag.wait(end - now)
        finally:
            for task in list(self._tasks.values()):
                task.drop()

    def _use(self, hooks: "tuple[RunHook, ...]") -> None:
        from .run_hooks import RunHooks

        self._hooks = hooks
        # Without hooks a run costs nothing more.
        self._function_of = (
            RunHooks(hooks, self._plain_function_of, self._judge).function_of if hooks else self._plain_function_of
        )

    def _judge(self, run: Run, result: Result) -> Result | None:
        """Return the result that the engine will count for a run that ends now; None when it will count none."""
        if run in self._given_up:
            return None
        if self._engine.clock() >= run.deadline:
            return unhealthy(timed_out(run.check))
        return None if run.expired else result

    def _start_task(self, run: Run, call: Callable[[], object], backend: Backend) -> None:
        name = f"asgi-health check {run.check.name}"
        self._tasks[run] = backend.spawn(name, partial(self._await, run, call), partial(self._task_ended, run))

    def _start_thread(self, run: Run, call: CheckFunction, backend: Backend) -> None:
        def main() -> None:
            value: object = None
            error: BaseException | None = None
            try:
                value = call()
            except BaseException as raised:
                error = raised
            in_loop = partial(self._thread_returned, run, value, error, backend)
            try:
                backend.call(in_loop)
            except RuntimeError:  # the loop has ended
                if iscoroutine(value):
                    value.close()
                self._completed(run, unhealthy("its event loop has ended"), None)
            finally:
                del value, error, in_loop  # the frame and the exception would keep each other alive

        try:
            self._tasks[run] = ThreadTask(run.check.name, main, Context())
        except RuntimeError as error:  # can't start new thread
            self._completed(run, failure(error), error)

    def _thread_returned(self, run: Run, value: object, error: BaseException | None, backend: Backend) -> None:
        if error is not None:
            self._completed(run, _failed(error), error)
        elif not isawaitable(value):
            self._completed(run, interpret(value), None)
        elif run.expired or run in self._given_up or run not in self._tasks:
            if iscoroutine(value):
                value.close()
            self._completed(run, unhealthy("too late to be awaited"), None)
        else:
            self._start_task(run, lambda: value, backend)

    async def _await(self, run: Run, call: Callable[[], object]) -> None:
        if run.expired:  # the loop was blocked from the start of the run: another worker of the host may run it by now
            self._completed(run, unhealthy("too late to be called"), None)
            return
        error: BaseException | None = None
        try:
            value = call()
            if isawaitable(value):
                value = await value
            result = interpret(value)
        except BaseException as raised:
            # Also a cancellation: this task ends here in any case, and code that cancels it, even the check itself,
            # has only made the check fail.
            result, error = _failed(raised), raised
        try:
            self._completed(run, result, error)
        finally:
            error = None  # the frame and the exception would keep each other alive

    def _task_ended(self, run: Run) -> None:
        """Record a failure for a task without a result: cancelled before its first step, or lost with its loop."""
        if run in self._tasks:
            self._completed(run, unhealthy("its run was cancelled from outside"), None)

    def _completed(self, run: Run, result: Result, error: BaseException | None) -> None:
        task = self._tasks.pop(run, None)
        if task is not None:
            task.forget_end()
        if run in self._given_up:
            self._given_up.discard(run)
            self._engine.abandon(run)
        else:
            self._engine.record(run, result, self._engine.clock(), error)
        self._on_finished()


class ThreadTask:
    """The run of a plain function.

    A daemon thread per run (about 200 us), because no shared thread survives a check that never returns: the worker
    threads of anyio, asyncio and executors would run out, and the interpreter waits for them when it exits.
    """

    __slots__ = ("_thread",)

    def __init__(self, name: str, main: Callable[[], None], context: Context) -> None:
        self._thread = Thread(target=context.run, args=(main,), name=f"asgi-health check {name}", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """Do nothing: a thread cannot be cancelled. The check is reported as running until its function returns."""

    def drop(self) -> None:
        """Do nothing: the interpreter does not wait for a daemon thread."""

    def forget_end(self) -> None:
        """Do nothing: the end of a thread calls nothing."""

    def alive(self) -> bool:
        """Return whether the function has not returned yet."""
        return self._thread.is_alive()


def _failed(error: BaseException) -> Result:
    if isinstance(error, KeyboardInterrupt):
        # Passed on to the main thread, as Ctrl-C is: raised here it would be an internal error to trio, and in a thread
        # it would have no effect.
        interrupt_main()
    return failure(error)


def _nothing() -> None:
    pass
