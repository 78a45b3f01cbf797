"""Run a check as the engine does, and judge its result."""

import re
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import anyio

from asgi_health import Check, Health, HealthMiddleware, Result, Status
from asgi_health.health import engine_of
from asgi_health.testing import probe
from tests.support.waiting import wait_until_async

from .servers.server import PASSWORD, WRONG_PASSWORD

TIMEOUT = 10.0
"""Seconds that a run may take. No run of the tests takes as long, even on a busy machine."""

PROMPT = 2.0
"""Seconds in which a run must have its result: the default timeout of a Check."""

BRIEF = 0.1
"""Seconds of a run that is to time out."""

TIMED_OUT = r"^timed out after 0\.1 s$"

LATE = 0.5  # seconds that a result may take beyond that
ENDS = 2.0  # seconds after its result in which a run must have ended
TRIES = 5  # a busy machine is late now and then; a check that waits for the wrong thing is late each time
SLEEP = 0.05  # seconds that a thread sleeps during a run, again and again
SLOWED = 5.0  # seconds that a run may take more for each second that these sleeps took too long

CheckFunction = Callable[[], object]
MakeCheck = Callable[[Any], CheckFunction]

_in_threads: set[threading.Event] = set()
"""Plain functions that have not ended."""


@dataclass(frozen=True)
class Outcome:
    """What one run gave.

    Attributes:
        result: Its result.
        seconds: From the start of the run to its result, as the engine measures it.
        lingered: Seconds from its result to the end of an async function.
        lag: Seconds that the machine delayed another thread during the run.
        category: Why it failed, as the metrics say it; empty for a pass.
    """

    result: Result
    seconds: float
    lingered: float
    lag: float
    category: str = ""

    def in_time(self, bound: float, *, excused: float = 0.0) -> bool:
        return self.seconds < bound + LATE + excused and self.lingered < ENDS + excused

    @property
    def excuse(self) -> float:
        return SLOWED * self.lag


class LagMeter:
    """A thread that sleeps again and again, and adds up by how much it overslept."""

    def __init__(self) -> None:
        self.overslept = 0.0
        self._begin = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sleep, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        self._stop.set()
        self._thread.join()
        return self.overslept

    def _sleep(self) -> None:
        stopped = False
        while not stopped:
            stopped = self._stop.wait(SLEEP)
            begin, self._begin = self._begin, time.monotonic()
            self.overslept += max(0.0, self._begin - begin - SLEEP)


async def observe(run: CheckFunction, timeout: float = TIMEOUT) -> Outcome:
    """Return the outcome of one run under the deadline.

    An async function must end after its deadline: until then the check does not run again. A thread cannot be ended;
    that it ends at last is seen when threads are counted.
    """
    ended = threading.Event()
    ended.set()  # until it begins: a machine that is busy may begin it only after its deadline, and so never
    check = Check("subject", run, timeout=timeout)
    health = Health([replace(check, run=_announced(run, ended, check.is_async))])
    lag_meter = LagMeter()
    try:
        begin = anyio.current_time()
        await run_due(health)
        if check.is_async:
            await wait_until_async(
                ended.is_set, f"its function has ended after {health.report().checks[0].state}", 30.0
            )
        took = anyio.current_time() - begin
    finally:
        lag = lag_meter.stop()
    state = health.report().checks[0].state
    assert state.result is not None
    assert state.duration is not None
    failures = engine_of(health).slots[0].counts.failures
    category = next((name for name, number in failures.items() if number), "")
    return Outcome(state.result, state.duration, took - state.duration, lag, category)


async def run_due(health: Health) -> None:
    """Run the checks that are due, and wait for their results: without a lifespan, a probe does so."""

    async def no_app(scope: object, receive: object, send: object) -> None: ...

    await probe(HealthMiddleware(no_app, checks=health), "/readyz")


def _announced(run: CheckFunction, ended: threading.Event, is_async: bool) -> CheckFunction:
    async def announce() -> object:
        ended.clear()
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


async def expect(
    run: CheckFunction, status: Status, message: str, *, timeout: float | None = None, category: str | None = None
) -> Result:
    """Return the result of a run, which must have that status and message, show no password, and be in time.

    With `category`, the failure must be of that category in the metrics.

    A late failure fails the test at once, unless the machine delayed other threads too: the first run after a server
    has gone is not like the next ones. A late success is repeated, because the server has to work for it.
    """
    given = timeout or (BRIEF if message == TIMED_OUT else TIMEOUT)
    bound = given if timeout else min(given, PROMPT)
    late: list[Outcome] = []
    while len(late) < TRIES:
        outcome = await observe(run, given)
        result = outcome.result
        assert (result.status, bool(re.search(message, result.message))) == (status, True), result
        assert not re.search(f"{PASSWORD}|{WRONG_PASSWORD}", result.message)
        # On a busy machine libpq reports a refused connection as one that the server has closed: rows/postgres.py.
        lost = "closed the connection unexpectedly" in result.message
        assert category is None or outcome.category == category or lost, outcome
        if outcome.in_time(bound):
            return result
        excused = status is not Status.UNHEALTHY or outcome.in_time(bound, excused=outcome.excuse)
        assert excused, f"late, and the machine was not: {outcome}"
        late.append(outcome)
    raise AssertionError(f"late each time: {late}")


async def recovers(run: CheckFunction, seconds: float = 30.0) -> None:
    """Run it until it is healthy, with the same client, which the test uses for nothing else meanwhile."""
    end = anyio.current_time() + seconds
    while True:
        await threads_ended()  # a Check never runs twice at a time
        outcome = await observe(run)
        if outcome.result.status is Status.HEALTHY:
            return
        assert outcome.result.status is Status.UNHEALTHY, f"its pool is free, and yet: {outcome}"
        assert anyio.current_time() < end, f"not healthy again within {seconds} s: {outcome}"
        await anyio.sleep(0.05)


async def until_message(run: CheckFunction, pattern: str, timeout: float = TIMEOUT) -> None:
    """Run the check again and again, for at most 30 seconds, until its message matches.

    Args:
        run: The check.
        pattern: A regular expression that is searched in the message.
        timeout: Deadline of each run (seconds).
    """
    end = anyio.current_time() + 30.0
    while not re.search(pattern, (result := (await observe(run, timeout)).result).message):
        assert anyio.current_time() < end, f"not within 30 s: {pattern}, but {result}"
        await anyio.sleep(0.05)


async def threads_ended() -> None:
    """Wait for the plain functions whose deadline has passed, before what they use is closed."""
    await wait_until_async(lambda: not _in_threads, "plain functions have ended")
