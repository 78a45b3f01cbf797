"""Contexts around the runs of checks: tracing and metrics enter one for each run, where its function runs."""

from _thread import interrupt_main
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from inspect import isawaitable, iscoroutine
from logging import ERROR
from typing import Any

from ...core.check import Check, CheckFunction
from ...core.result import Result, failure, interpret
from ...core.schedule import Run
from ..log_failure import log_failure


@dataclass(slots=True, eq=False, weakref_slot=True)
class RunInfo:
    """One run of a check, as the contexts around it see it. Compared by identity.

    Attributes:
        check: The check.
        result: Result of the run, before thresholds, from its end on. None while it runs; also in the end when the run
            does not count (its check was removed, or the app stops), and when a plain function has returned an
            awaitable, which is awaited in another context.
    """

    check: Check
    result: Result | None = None


ContextFactory = Callable[[RunInfo], AbstractContextManager[object]]
"""Makes the context of one run."""

Judge = Callable[[Run, Result], Result | None]
"""Returns the result that the engine will count for a run; None when the run does not count."""


class RunHook:
    """A factory of contexts, whose failures change nothing about a run. The first one is logged.

    Args:
        factory: Makes the context of one run.
    """

    __slots__ = ("_factory", "_logged")

    def __init__(self, factory: ContextFactory) -> None:
        self._factory = factory
        self._logged = False

    def enter(self, info: RunInfo) -> AbstractContextManager[object] | None:
        """Return the context of a run, entered; None when the factory or the context fails."""
        try:
            context = self._factory(info)
            context.__enter__()
        except BaseException as error:
            self._failed(info, error)
            return None
        return context

    def leave(self, context: AbstractContextManager[object], info: RunInfo, error: BaseException | None) -> None:
        """Leave the context of a run that ends with `error`, if any. The run fails with it, whatever is returned."""
        try:
            if error is None:
                context.__exit__(None, None, None)
            else:
                context.__exit__(type(error), error, error.__traceback__)
        except BaseException as raised:
            if raised is not error:
                self._failed(info, raised)

    def _failed(self, info: RunInfo, error: BaseException) -> None:
        if isinstance(error, KeyboardInterrupt):
            interrupt_main()  # Ctrl-C, which the executor passes on in the same way
        elif not self._logged:
            self._logged = True
            log_failure(
                ERROR,
                "a context around the run of check %r failed (%s); the run is not affected, and this is logged once",
                info.check.name,
                getattr(self._factory, "__qualname__", type(self._factory).__qualname__),
                error=error,
            )


class RunHooks:
    """Enter the contexts of all hooks around the functions of checks: the first hook has the outermost context.

    Args:
        hooks: The hooks, in the order of their registration.
        function_of: Returns the function of a run without them.
        judge: Decides what the result of a run counts as.
    """

    __slots__ = ("_function_of", "_judge", "hooks")

    def __init__(self, hooks: tuple[RunHook, ...], function_of: Callable[[Run], CheckFunction], judge: Judge) -> None:
        self.hooks = hooks
        self._function_of = function_of
        self._judge = judge

    def function_of(self, run: Run) -> CheckFunction:
        """Return the function of `run`, with the contexts around it."""
        around = self._around_async if run.check.is_async else self._around_plain
        return partial(around, run, RunInfo(run.check), self._function_of(run))

    async def _around_async(self, run: Run, info: RunInfo, call: Callable[[], object]) -> Result:
        contexts = self._enter(info)
        try:
            value = call()
            if isawaitable(value):
                value = await value
            result = interpret(value)
        except BaseException as error:
            self._leave(contexts, info, self._judge(run, failure(error)), error)
            raise
        self._leave(contexts, info, self._judge(run, result), None)
        return result

    def _around_plain(self, run: Run, info: RunInfo, call: CheckFunction) -> object:
        contexts = self._enter(info)
        try:
            value = call()
            result = None if isawaitable(value) else interpret(value)
        except BaseException as error:
            self._leave(contexts, info, self._judge(run, failure(error)), error)
            raise
        if result is None:
            # A context is left in the thread in which it was entered: a Token of contextvars, or a lock, requires that.
            self._leave(contexts, info, None, None)
            return _Remainder(value, partial(self._around_async, run, info))
        self._leave(contexts, info, self._judge(run, result), None)
        return result

    def _enter(self, info: RunInfo) -> list[tuple[RunHook, AbstractContextManager[object]]]:
        entered = [(hook, hook.enter(info)) for hook in self.hooks]
        return [(hook, context) for hook, context in entered if context is not None]

    def _leave(
        self,
        contexts: list[tuple[RunHook, AbstractContextManager[object]]],
        info: RunInfo,
        result: Result | None,
        error: BaseException | None,
    ) -> None:
        info.result = result
        for hook, context in reversed(contexts):
            hook.leave(context, info, error)


class _Remainder(Awaitable[Result]):
    """What a plain function returned to be awaited, with the contexts around it.

    The executor drops it when it comes too late. A coroutine inside is closed then, or the interpreter would warn.
    """

    __slots__ = ("_around", "_value")

    def __init__(self, value: Any, around: Callable[[Callable[[], object]], Awaitable[Result]]) -> None:
        self._value = value
        self._around = around

    def __await__(self) -> Generator[Any, Any, Result]:
        value, self._value = self._value, None
        return self._around(lambda: value).__await__()

    def __del__(self) -> None:
        if iscoroutine(self._value):
            self._value.close()
