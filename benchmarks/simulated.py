"""asgi-health in simulated time: its memory after a day, and the cost of one run."""

import asyncio
import gc
import logging
import os
import selectors
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, closing, contextmanager
from dataclasses import replace
from itertools import cycle, pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter_ns, process_time
from typing import Any

from asgi_health import Check, Health, HealthMiddleware, Probe, Result, Status, degraded, healthy, unhealthy
from asgi_health.board.database import open_store
from asgi_health.board.interface import Store
from asgi_health.board.turn import Identity, Turns
from asgi_health.core.engine import Engine
from asgi_health.core.stalls import StallTimes
from asgi_health.core.workers import WorkerProbe
from asgi_health.health import engine_of

from .apps import limit
from .harness import Lifespan, ask
from .neighbours import OTHERS
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


TURNS = 10
"""Turns at a board in each minute: what a turn costs is the same at any distance."""


def simulate(hours: int, *, board: bool = False) -> dict[str, Any]:
    """Run ten checks for `hours` of simulated time; return the memory after the first and after the last hour.

    `board`: with the other workers of a host on a board, one of which is sick every other minute.
    """
    with TemporaryDirectory() as folder, _simulated_loop() as loop:
        path = str(Path(folder, "health.db")) if board else None
        return loop.run_until_complete(_hours(loop, hours, path))


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


async def _hours(loop: asyncio.AbstractEventLoop, hours: int, board: str | None) -> dict[str, Any]:
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
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(Lifespan(app))
        take_turn = None
        if board is not None:
            store = stack.enter_context(closing(open_store(board)))
            take_turn = _turns_at(store, engine_of(health), loop.time)
        for _ in range(hours):
            for minute in range(60):
                if take_turn is None:
                    await asyncio.sleep(60.0)
                else:
                    for _ in range(TURNS):
                        await asyncio.sleep(60.0 / TURNS)
                        take_turn(minute % 2 == 0)
                await ask(app, "/health/ready")
                await ask(app, "/health?exclude=check-3")
            gc.collect()
            blocks.append(sys.getallocatedblocks())
    spent = process_time() - started
    turns = 0 if board is None else 60 * TURNS * hours
    return {"runs": runs, "turns": turns, "first": blocks[0], "last": blocks[-1], "cpu": spent}


def _turns_at(store: Store, engine: Engine, clock: Callable[[], float]) -> Callable[[bool], None]:
    """Return a function that takes one turn of each worker of a host; its argument says whether another one is sick."""
    times = StallTimes()
    turns = Turns(Identity("own", os.getpid(), clock(), times))

    def take(sick: bool) -> None:
        now = clock()
        turns.take(engine, store, clock, 0.0)
        with store.transaction() as transaction:
            for number in range(OTHERS):
                status = Status.UNHEALTHY if sick and number == 0 else Status.HEALTHY
                probe = WorkerProbe(status, "check" if status is Status.UNHEALTHY else None, (), now)
                other = engine.own_worker(
                    f"other-{number}", os.getpid(), now, started=0.0, beat=now, stall_times=times, leads=False
                )
                transaction.put_worker(replace(other, probes={**other.probes, Probe.READINESS: probe}))

    return take


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
