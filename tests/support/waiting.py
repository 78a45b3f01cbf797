"""Waiting for a condition that no event announces, in a thread and on an event loop."""

import time
from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel

INTERVAL = 0.005


def wait_until(condition: Callable[[], bool], what: str | Callable[[], str], timeout: float = 30.0) -> None:
    """Return when `condition` holds. Blocks the thread.

    Args:
        condition: Called again and again.
        what: What the condition means, for the error; a function where that shows what was found in the end.
        timeout: Seconds after which AssertionError is raised.
    """
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise _error(what, timeout)
        time.sleep(INTERVAL)


async def wait_until_async(condition: Callable[[], bool], what: str | Callable[[], str], timeout: float = 30.0) -> None:
    """Return when `condition` holds, and let the other tasks of the loop run until then.

    Args:
        condition: Called again and again.
        what: What the condition means, for the error; a function where that shows what was found in the end.
        timeout: Seconds of the loop's clock, which may be virtual, after which AssertionError is raised.
    """
    end = anyio.current_time() + timeout
    while not condition():
        if anyio.current_time() > end:
            raise _error(what, timeout)
        await anyio.sleep(INTERVAL)


async def turns_during(job: Callable[[], Awaitable[object]]) -> int:
    """Return how often another task of the loop has run while `job` was awaited."""
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(take_turns)
        await job()
        group.cancel_scope.cancel()
    return turns


def _error(what: str | Callable[[], str], timeout: float) -> AssertionError:
    return AssertionError(f"not within {timeout:g} s: {what if isinstance(what, str) else what()}")
