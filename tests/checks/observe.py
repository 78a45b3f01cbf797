"""Run a check as the engine does, and say what came of it."""

import re
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import anyio

from asgi_health import Check, Health, Result, Status
from asgi_health.runtime.runner import runner_of

from .servers.server import PASSWORD, WRONG_PASSWORD

TIMEOUT = 10.0
"""Seconds that a run gets. Nothing here takes so long, even where the machine is busy."""

PROMPT = 2.0
"""Seconds in which a run says what it finds, as an application's has to that leaves the timeout of its Check alone."""

BRIEF = 0.1
"""Seconds that a run gets that is to time out."""

TIMED_OUT = r"^timed out after 0\.1 s$"

LATE = 0.5  # seconds that a result may take beyond that
ENDS = 2.0  # seconds after its result in which a run must be over
TRIES = 5  # a busy machine is late now and then; a check that waits for the wrong thing is late each time
NAP = 0.05  # seconds that a thread sleeps beside a run, again and again
SLOWED = 5.0  # for each second that those naps took too long, a run may take so many more: it does more than nap

CheckFunction = Callable[[], object]
MakeCheck = Callable[[Any], CheckFunction]

_in_threads: set[threading.Event] = set()
"""Plain functions that have not ended."""


@dataclass(frozen=True)
class Outcome:
    result: Result
    seconds: float
    """By the engine's own measure: from the start of the run to its result."""
    lingered: float
    """Seconds from its result to the end of an async function."""
    lag: float
    """Seconds that this machine kept a thread waiting meanwhile that had nothing to do."""

    def in_time(self, bound: float, *, excused: float = 0.0) -> bool:
        return self.seconds < bound + LATE + excused and self.lingered < ENDS + excused

    @property
    def excuse(self) -> float:
        return SLOWED * self.lag


class Naps:
    """A thread that naps until it is told to end, and counts by how much it overslept."""

    def __init__(self) -> None:
        self.overslept = 0.0
        self._begin = time.monotonic()
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._nap, daemon=True)
        self._thread.start()

    def end(self) -> float:
        self._enough.set()
        self._thread.join()
        return self.overslept

    def _nap(self) -> None:
        ended = False
        while not ended:
            ended = self._enough.wait(NAP)
            begin, self._begin = self._begin, time.monotonic()
            self.overslept += max(0.0, self._begin - begin - NAP)


async def observe(run: CheckFunction, timeout: float = TIMEOUT) -> Outcome:
    """Return what one run gives under the deadline.

    An async function must end after it: until then there is no other run, and the check is blind. A thread cannot be
    made to end; that it does in the end is seen when threads are counted.
    """
    ended = threading.Event()
    check = Check("subject", run, timeout=timeout)
    health = Health([replace(check, run=_announced(run, ended, check.is_async))])
    naps = Naps()
    try:
        begin = anyio.current_time()
        await runner_of(health).refresh()
        if check.is_async:
            await until(ended.is_set, f"its function has ended after {health.report().checks[0].state}", 30.0)
        took = anyio.current_time() - begin
    finally:
        lag = naps.end()
    state = health.report().checks[0].state
    assert state.result is not None
    assert state.duration is not None
    return Outcome(state.result, state.duration, took - state.duration, lag)


def _announced(run: CheckFunction, ended: threading.Event, is_async: bool) -> CheckFunction:
    async def announce() -> object:
        try:
            return await cast("Awaitable[object]", run())
        finally:
            ended.set()

    def announce_plain() -> object:
        try:
            return run()
        finally:
            _in_threads.discard(ended)

    if is_async:
        return announce
    _in_threads.add(ended)
    return announce_plain


async def expect(run: CheckFunction, status: Status, message: str, *, timeout: float | None = None) -> Result:
    """Return the result of a run that must have that status and message, hide every password, and be in time.

    A failure that is late is a mistake at once, unless the machine kept others waiting too: the first run after its
    server went is not like those that follow. What is good may be late now and then: the server works for it.
    """
    given = timeout or (BRIEF if message == TIMED_OUT else TIMEOUT)
    bound = given if timeout else min(given, PROMPT)
    late: list[Outcome] = []
    while len(late) < TRIES:
        outcome = await observe(run, given)
        result = outcome.result
        assert (result.status, bool(re.search(message, result.message))) == (status, True), result
        assert not re.search(f"{PASSWORD}|{WRONG_PASSWORD}", result.message)
        if outcome.in_time(bound):
            return result
        excused = status is not Status.UNHEALTHY or outcome.in_time(bound, excused=outcome.excuse)
        assert excused, f"late, and the machine was not: {outcome}"
        late.append(outcome)
    raise AssertionError(f"late each time: {late}")


async def recovers(run: CheckFunction, patience: float = 30.0) -> None:
    """Run it again and again, with the same client, until it is healthy; nobody else uses the client."""
    end = anyio.current_time() + patience
    while True:
        await threads_ended()  # of one Check there are never two at a time
        outcome = await observe(run)
        if outcome.result.status is Status.HEALTHY:
            return
        assert outcome.result.status is Status.UNHEALTHY, f"nobody occupies it, and yet: {outcome}"
        assert anyio.current_time() < end, f"not healthy again within {patience} s: {outcome}"
        await anyio.sleep(0.05)


async def until(condition: Callable[[], bool], what: str, patience: float = 30.0) -> None:
    """Look again and again, and give up loudly."""
    end = anyio.current_time() + patience
    while not condition():
        assert anyio.current_time() < end, f"not within {patience} s: {what}"
        await anyio.sleep(0.01)


async def threads_ended() -> None:
    """Wait for plain functions that the deadline has left behind, before what they use is closed."""
    await until(lambda: not _in_threads, "plain functions have ended")
