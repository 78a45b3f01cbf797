"""The Redis of ARQ, with a pool of its own, and a worker that writes its health key."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
from arq.connections import ArqRedis
from arq.worker import Worker
from redis.exceptions import RedisError

from asgi_health.checks.arq import arq_pool, arq_worker

from ..servers import Target
from .row import TIMED_OUT, Row

SIZE = 2
DATABASES = {"health": 0, "nowhere": 99}


@asynccontextmanager
async def open_pool(target: Target) -> AsyncGenerator[ArqRedis]:
    pool = ArqRedis(
        host=target.host,
        port=target.port,
        username=target.user,
        password=target.password,
        db=DATABASES[target.database],
        max_connections=SIZE,
    )
    try:
        yield pool
    finally:
        await pool.aclose()


@asynccontextmanager
async def open_with_worker(target: Target) -> AsyncGenerator[ArqRedis]:
    reported, enough = asyncio.Event(), asyncio.Event()

    async def report() -> None:
        while not enough.is_set():
            async with open_pool(target) as own:
                with suppress(RedisError, OSError):
                    await a_worker(own).record_health()
            reported.set()
            with anyio.move_on_after(0.2):  # wait_for() has a task of its own on Python 3.11, which would be counted
                await enough.wait()

    reporting = asyncio.create_task(report())
    await reported.wait()
    try:
        async with open_pool(target) as pool:
            yield pool
    finally:
        enough.set()
        await asyncio.wait(
            [reporting], timeout=10
        )  # where it is cancelled at the wrong moment, its driver leaves a connection open
        reporting.cancel()
        await asyncio.wait([reporting])


def a_worker(pool: ArqRedis) -> Worker:
    async def job(ctx: dict[Any, Any]) -> None: ...

    return Worker([job], redis_pool=pool, handle_signals=False, health_check_interval=60)


@asynccontextmanager
async def occupy(client: ArqRedis) -> AsyncGenerator[None]:
    pool: Any = client.connection_pool
    taken = [await pool.get_connection() for _ in range(SIZE)]
    try:
        yield
    finally:
        for connection in taken:
            await pool.release(connection)


REFUSED = r"^ConnectionError: Error 111 connecting to "
RESET = r"^ConnectionError: .*Connection (reset by peer|closed by server)"
MESSAGES = {
    "healthy": "^$",
    "refused": REFUSED,
    "killed": REFUSED,
    "frozen": TIMED_OUT,
    "blackholed": TIMED_OUT,
    "reset": RESET,
    "trickled": TIMED_OUT,
    "wrong_password": "^AuthenticationError: invalid username-password pair",
    "wrong_database": "^ResponseError: DB index is out of range$",
    "exhausted": r"^pool exhausted: 2 of 2 in use$",
    "exhausted_and_frozen": TIMED_OUT,
    "exhausted_and_killed": REFUSED,
    "many_runs": "^$",
}

ROWS = tuple(
    Row(
        name,
        server="redis",
        check=check,
        open=opened,
        drivers=("arq",),
        extra="arq",
        occupy=occupy,
        messages=MESSAGES,
        without={"closed": "a client of Redis that was closed connects anew"},
    )
    for name, check, opened in (("arq-pool", arq_pool, open_pool), ("arq-worker", arq_worker, open_with_worker))
)
