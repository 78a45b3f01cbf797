"""Run each check once, and see which of them blocks the event loop."""

import threading
import time
from collections.abc import Callable, Coroutine, Generator, Iterable
from dataclasses import dataclass, replace
from inspect import isawaitable
from typing import Any

from asgi_health import Check, Health

from ...runtime.watchdog.culprit import culprit
from ...runtime.watchdog.stall_detector import stack_of
from ..check.run_checks import run_checks
from .facts import OneRun

BLOCKED = 0.1
"""Seconds for which one step of a check has to block before it counts."""

PAUSE = 0.02
"""Seconds between two looks at the step that runs."""

MIN_LOOKS = 4
"""Looks that have to see the same step: on a busy machine the whole process stands still, and no step blocks it."""


async def run_once(checks: Iterable[Check], seconds: float) -> dict[str, OneRun]:
    """Return what one run of each check shows. All run at the same time, each for at most `seconds`."""
    watch = _StepWatch()
    copies = [replace(check, run=watch.around(check)) for check in checks]
    watch.start()
    try:
        rows = await run_checks(Health(copies), seconds)
    finally:
        watch.stop()
    return {row.name: OneRun(row.message, *watch.blocked.get(row.name, (0.0, ""))) for row in rows}


@dataclass(slots=True)
class _Step:
    """What runs between two suspensions of a check."""

    check: str
    began: float
    looks: int = 0
    culprit: str = ""


class _StepWatch:
    """Measure each step of the checks, and look from another thread at a long one.

    In contrast to the stall detector of an app it knows which check runs.
    """

    def __init__(self) -> None:
        self.blocked: dict[str, tuple[float, str]] = {}
        self._step: _Step | None = None
        self._loop_thread = threading.get_ident()
        self._stopped = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._look, name="asgi-health doctor", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def around(self, check: Check) -> Callable[[], object]:
        """Return the function of `check`, changed so that each of its steps in the event loop is measured."""

        async def finish(value: object) -> object:
            return await value if isawaitable(value) else value

        async def call() -> object:
            return await finish(check.run())

        async def measured(steps: Coroutine[Any, Any, object]) -> object:
            return await _Stepped(steps, lambda: self._begin(check.name), self._end)

        async def run() -> object:
            return await measured(call())

        def run_in_thread() -> object:
            value = check.run()
            return measured(finish(value)) if isawaitable(value) else value

        return run if check.is_async else run_in_thread

    def _begin(self, check: str) -> None:
        self._step = _Step(check, time.monotonic())

    def _end(self) -> None:
        step, self._step = self._step, None
        if step is not None and step.looks >= MIN_LOOKS:
            seconds = time.monotonic() - step.began
            if seconds >= BLOCKED and seconds > self.blocked.get(step.check, (0.0, ""))[0]:
                self.blocked[step.check] = seconds, step.culprit

    def _look(self) -> None:
        while not self._stopped.wait(PAUSE):
            step = self._step
            if step is not None:
                step.looks += 1
                stack = stack_of(self._loop_thread) if step.looks == MIN_LOOKS else None
                if stack and step is self._step:
                    step.culprit = culprit(stack)


class _Stepped:
    """Await a coroutine, and call `begin` and `end` around each of its steps."""

    def __init__(
        self, coroutine: Coroutine[Any, Any, object], begin: Callable[[], None], end: Callable[[], None]
    ) -> None:
        self._coroutine = coroutine
        self._begin = begin
        self._end = end

    def __await__(self) -> Generator[Any, Any, object]:
        value: Any = None
        error: BaseException | None = None
        while True:
            self._begin()
            try:
                waits_for = self._coroutine.send(value) if error is None else self._coroutine.throw(error)
            except StopIteration as returned:
                return returned.value
            finally:
                self._end()
            try:
                value, error = (yield waits_for), None
            except BaseException as thrown:  # a cancellation, which the check may handle
                value, error = None, thrown
