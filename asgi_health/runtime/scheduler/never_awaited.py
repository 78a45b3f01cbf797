"""Makes a forgotten `await` in a check a failure: ``async def ping(): pool.ping()`` checks nothing, and passes.

For tests, `asgi-health check` and Python's development mode: it detects the coroutines that a run makes and drops.
"""

import sys
import warnings
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from inspect import isawaitable
from typing import Any, cast

from ...core.check import Check, CheckFunction
from ...core.result import unhealthy

Warn = Callable[[Coroutine[Any, Any, Any]], None]


class DroppedCoroutines:
    """The coroutines that one run dropped before it ended: a task that it started may drop more later."""

    __slots__ = ("dropped", "over")

    def __init__(self) -> None:
        self.dropped: list[str] = []
        self.over = False


_current: ContextVar[DroppedCoroutines | None] = ContextVar("dropped_coroutines", default=None)
"""Those of the present run. Each run has a context of its own, on its task or on its thread."""


def fail_when_never_awaited(check: Check) -> CheckFunction:
    """Return the function of `check`, changed so that it fails and names the line when it drops an unawaited coroutine.

    It detects coroutines of Python, not those of Cython.
    """
    _install()
    return partial(_run_async, check.run) if check.is_async else partial(_run_plain, check.run)


async def _run_async(run: Callable[[], Any], before: Sequence[str] = ()) -> object:
    with _tracking() as dropped:
        value = await run()
        return _with_dropped(value, [*before, *dropped])


def _run_plain(run: CheckFunction) -> object:
    with _tracking() as dropped:
        value = run()
        # The caller awaits what it returns, in a task of the event loop.
        return _run_async(lambda: value, dropped) if isawaitable(value) else _with_dropped(value, dropped)


def _with_dropped(value: object, dropped: Sequence[str]) -> object:
    return unhealthy("; ".join(dropped)) if dropped else value


@contextmanager
def _tracking() -> Generator[list[str]]:
    coroutines = DroppedCoroutines()
    _current.set(coroutines)
    before = sys.get_coroutine_origin_tracking_depth()  # of this thread
    sys.set_coroutine_origin_tracking_depth(max(before, 1))
    try:
        yield coroutines.dropped
    finally:
        coroutines.over = True
        sys.set_coroutine_origin_tracking_depth(before)


def _install() -> None:
    # The interpreter looks this name up whenever it collects a coroutine that was never started. It is private; but the
    # warning that it makes is subject to filters, and other code replaces warnings.showwarning in catch_warnings().
    original = getattr(warnings, "_warn_unawaited_coroutine", None)
    if original is not None and getattr(original, "func", None) is not _warn:
        setattr(warnings, "_warn_unawaited_coroutine", partial(_warn, cast("Warn", original)))  # noqa: B010


def _warn(original: Warn, coroutine: Coroutine[Any, Any, Any]) -> None:
    coroutines = _current.get()
    if coroutines is None or coroutines.over:
        original(coroutine)
    else:
        coroutines.dropped.append(_describe(coroutine))


def _describe(coroutine: Any) -> str:
    origin = getattr(coroutine, "cr_origin", None)
    place = "{}, line {}, in {}: ".format(*origin[0]) if origin else ""
    return f"{place}{coroutine.__qualname__}() was never awaited"
