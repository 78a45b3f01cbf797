"""asgi-health in simulated time, and the cost of one result."""

import asyncio
import gc
import logging
import selectors
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter_ns, process_time
from typing import Any

from asgi_health import Check, Health, HealthMiddleware, Result, degraded, healthy, unhealthy

from .apps import limit
from .harness import Lifespan, ask
from .setup import Setup


class _Jumping(selectors.DefaultSelector):
    """A selector that does not wait: it sets the clock to the end of the wait."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        events = super().select(0)
        if not events and timeout is not None:
            self.now += timeout
        return events


class _JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def simulate(hours: int) -> dict[str, Any]:
    """Run ten checks for `hours` of simulated time; return the memory after the first and after the last hour."""
    loop = _JumpingLoop()
    try:
        with _without_log():
            return loop.run_until_complete(_hours(loop, hours))
    finally:
        loop.close()


@contextmanager
def _without_log() -> Iterator[None]:
    logger = logging.getLogger("asgi_health")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


async def _hours(loop: asyncio.AbstractEventLoop, hours: int) -> dict[str, Any]:
    runs = 0

    def check(number: int) -> Check:
        async def run() -> Result:
            nonlocal runs
            runs += 1
            match number, runs % 7:
                case 8, 0 | 1 | 2 | 3:
                    return unhealthy(f"failure number {runs}")
                case 9, 0:
                    return degraded(f"slow for the {runs}th time", data={"latency": (runs, "ms")})
            return healthy()

        return Check(f"check-{number}", run, critical=number != 8)

    health = Health(map(check, range(10)), clock=loop.time)
    # slow_loop=0: the heartbeat of the loop measures real time, and here time is simulated.
    app = HealthMiddleware(limit.app(Setup(bare=True)), health, details=True, slow_loop=0)
    blocks = []
    started = process_time()
    async with Lifespan(app):
        for _ in range(hours):
            for _ in range(60):
                await asyncio.sleep(60.0)
                await ask(app, "/health/ready")
                await ask(app, "/health?exclude=check-3")
            gc.collect()
            blocks.append(sys.getallocatedblocks())
    spent = process_time() - started
    return {"runs": runs, "first": blocks[0], "last": blocks[-1], "cpu": spent}


def change(checks: int, *, turns: int = 2000) -> dict[str, float]:
    """Return the ns that one result costs among `checks` checks: when it changes the status, and when it does not."""
    with _without_log():
        return _change(checks, turns)


def _change(checks: int, turns: int) -> dict[str, float]:
    now = 0.0

    async def never() -> None:
        raise AssertionError("no check runs here")

    still = [Check(f"check-{number}", never, interval=1e6, max_age=2e6) for number in range(checks - 1)]
    changing = Check("changing", never, interval=1.0, retry_interval=1.0, failure_threshold=1)
    health = Health([*still, changing], clock=lambda: now)
    HealthMiddleware(limit.app(Setup(bare=True)), health)  # it prepares its answers at each change
    health.begin()
    health.serve()
    for run in health.due(now, at_most=checks).start:
        health.record(run, healthy(), now)

    def turn(result: Result) -> int:
        nonlocal now
        now += 2.0
        began = perf_counter_ns()
        (run,) = health.due(now).start
        health.record(run, result, now)
        return perf_counter_ns() - began

    changes = sorted(turn(unhealthy("down") if number % 2 == 0 else healthy()) for number in range(turns))
    turn(healthy())
    repeats = sorted(turn(healthy()) for _ in range(turns))
    return {"change": changes[turns // 2], "repeat": repeats[turns // 2]}
