"""Run a check as the engine does, and say what came of it."""

import re
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import anyio

from asgi_health import Check, Health, Result, Status
from asgi_health.runtime.runner import runner_of

from .servers.mark import PASSWORD, WRONG_PASSWORD

TIMEOUT = 2.0
"""Seconds that a run gets. Nothing here takes so long, unless the machine is busy."""

BRIEF = 0.3
"""Seconds that a run gets that is to time out."""

TIMED_OUT = r"^timed out after 0\.3 s$"

LATE = 0.5  # seconds that a result may take beyond the timeout
ENDS = 2.0  # seconds after its result in which a run must be over

CheckFunction = Callable[[], object]
MakeCheck = Callable[[Any], CheckFunction]

SUBJECT = "subject"
THREAD = f"asgi-health check {SUBJECT}"
"""The name of the thread that the engine gives to a plain function."""


@dataclass(frozen=True)
class Outcome:
    result: Result
    seconds: float
    """By the engine's own measure: from the start of the run to its result."""


async def observe(run: CheckFunction, timeout: float = TIMEOUT) -> Outcome:
    """Return what one run gives under the deadline.

    An async function must have ended soon after it: until then there is no other run, and the check is blind. A thread
    cannot be made to end; that it does in the end is seen when threads are counted.
    """
    ended = threading.Event()
    check = Check(SUBJECT, run, timeout=timeout)
    health = Health([replace(check, run=_announced(run, ended, check.is_async))])
    await runner_of(health).refresh()
    state = health.report().checks[0].state
    assert state.result is not None
    assert state.duration is not None
    if check.is_async:
        await until(ended.is_set, f"its function has ended after {state.result}", ENDS)
    return Outcome(state.result, state.duration)


def _announced(run: CheckFunction, ended: threading.Event, is_async: bool) -> CheckFunction:
    async def announce() -> object:
        try:
            return await cast("Awaitable[object]", run())
        finally:
            ended.set()

    def named() -> object:
        assert threading.current_thread().name == THREAD  # or nobody could wait for it
        return run()

    return announce if is_async else named


async def expect(run: CheckFunction, status: Status, message: str, *, timeout: float | None = None) -> Result:
    """Return the result of a run that must have that status and message, hide every password, and be in time."""
    timeout = timeout or (BRIEF if message == TIMED_OUT else TIMEOUT)
    late: list[float] = []
    while len(late) < 3:
        outcome = await observe(run, timeout)
        result = outcome.result
        assert (result.status, bool(re.search(message, result.message))) == (status, True), result
        assert not re.search(f"{PASSWORD}|{WRONG_PASSWORD}", result.message)
        if outcome.seconds < timeout + LATE:
            return result
        # A busy machine is late now and then; a check that waits for the wrong thing is late each time.
        late.append(outcome.seconds)
    raise AssertionError(f"late each time: {late}")


async def recovers(run: CheckFunction, patience: float = 15.0) -> None:
    """Run it again and again, with the same client, until it is healthy."""
    end = anyio.current_time() + patience
    while (outcome := await observe(run)).result.status is not Status.HEALTHY:
        assert anyio.current_time() < end, f"not healthy again within {patience} s: {outcome}"
        await anyio.sleep(0.05)


async def until(condition: Callable[[], bool], what: str, patience: float = 10.0) -> None:
    """Look again and again, and give up loudly."""
    end = anyio.current_time() + patience
    while not condition():
        assert anyio.current_time() < end, f"not within {patience} s: {what}"
        await anyio.sleep(0.01)


async def threads_ended() -> None:
    """Wait for plain functions that the deadline has left behind, before what they use is closed."""
    await until(lambda: not any(thread.name == THREAD for thread in threading.enumerate()), "threads")
