"""asgi-health in simulated time: its memory after a day, and the cost of one run."""

import asyncio
import gc
import logging
import selectors
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, pairwise
from statistics import median
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
    with _simulated_loop() as loop:
        return loop.run_until_complete(_hours(loop, hours))


@contextmanager
def _simulated_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = _JumpingLoop()
    try:
        with _without_log():
            yield loop
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
    """Return the ns that one run costs among `checks` checks: when it changes the status, and when it does not."""
    results = {"change": (unhealthy("down"), healthy()), "repeat": (healthy(),)}
    answer = {}
    for name, alternating in results.items():
        with _simulated_loop() as loop:
            answer[name] = median(loop.run_until_complete(_turns(loop, checks, turns, cycle(alternating))))
    return answer


async def _turns(loop: asyncio.AbstractEventLoop, checks: int, turns: int, results: Iterator[Result]) -> list[int]:
    """Return the ns between one run of a check and the next: time jumps, so that is what a run and its result cost."""
    began: list[int] = []
    done = asyncio.Event()

    async def idle() -> None:
        """Run once, at the start."""

    async def changing() -> Result:
        began.append(perf_counter_ns())
        if len(began) > turns:
            done.set()
        return next(results)

    still = [Check(f"check-{number}", idle, interval=1e6, max_age=2e6) for number in range(checks - 1)]
    alternating = Check("changing", changing, interval=1.0, retry_interval=1.0, failure_threshold=1)
    app = HealthMiddleware(limit.app(Setup(bare=True)), Health([*still, alternating], clock=loop.time), slow_loop=0)
    async with Lifespan(app):
        await done.wait()
    return [after - before for before, after in pairwise(began)]
