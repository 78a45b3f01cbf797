"""Make a forgotten `await` in a check a failure: ``async def ping(): pool.ping()`` asks nothing, and passes.

For tests, the deploy gate and Python's development mode: it sees which coroutines a run of the check makes and drops.
"""

import sys
import warnings
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from inspect import isawaitable
from typing import Any, cast

from ..core.check import Check, CheckFunction
from ..core.result import unhealthy

Warn = Callable[[Coroutine[Any, Any, Any]], None]


class Watch:
    """What one run has dropped, as long as it lasts: a task that it has started may drop more later."""

    __slots__ = ("dropped", "over")

    def __init__(self) -> None:
        self.dropped: list[str] = []
        self.over = False


_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)
"""That of the present run. Each run has a context of its own, on its task or on its thread."""


def watched(check: Check) -> CheckFunction:
    """Return the function of `check` so that it fails, and names the line, when it drops a coroutine unawaited.

    Seen are coroutines of Python, not those that Cython makes.
    """
    _install()
    return partial(_run_async, check.run) if check.is_async else partial(_run_plain, check.run)


async def _run_async(run: Callable[[], Any], before: Sequence[str] = ()) -> object:
    with _tracking() as dropped:
        value = await run()
        return _verdict(value, [*before, *dropped])


def _run_plain(run: CheckFunction) -> object:
    with _tracking() as dropped:
        value = run()
        # What it returns is awaited elsewhere, in a task of the event loop.
        return _run_async(lambda: value, dropped) if isawaitable(value) else _verdict(value, dropped)


def _verdict(value: object, dropped: Sequence[str]) -> object:
    return unhealthy("; ".join(dropped)) if dropped else value


@contextmanager
def _tracking() -> Generator[list[str]]:
    watch = Watch()
    _watch.set(watch)
    before = sys.get_coroutine_origin_tracking_depth()  # of this thread
    sys.set_coroutine_origin_tracking_depth(max(before, 1))
    try:
        yield watch.dropped
    finally:
        watch.over = True
        sys.set_coroutine_origin_tracking_depth(before)


def _install() -> None:
    # The interpreter looks this name up whenever it collects a coroutine that was never started. It is private; but the
    # warning that it makes is subject to filters, and warnings.showwarning to each catch_warnings() of anybody else.
    original = getattr(warnings, "_warn_unawaited_coroutine", None)
    if original is not None and getattr(original, "func", None) is not _warn:
        setattr(warnings, "_warn_unawaited_coroutine", partial(_warn, cast("Warn", original)))  # noqa: B010


def _warn(original: Warn, coroutine: Coroutine[Any, Any, Any]) -> None:
    watch = _watch.get()
    if watch is None or watch.over:
        original(coroutine)
    else:
        watch.dropped.append(_described(coroutine))


def _described(coroutine: Any) -> str:
    origin = getattr(coroutine, "cr_origin", None)
    place = "{}, line {}, in {}: ".format(*origin[0]) if origin else ""
    return f"{place}{coroutine.__qualname__}() was never awaited"
