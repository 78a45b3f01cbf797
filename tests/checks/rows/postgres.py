"""PostgreSQL through each of its pools."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
from psycopg_pool import AsyncConnectionPool

from asgi_health.checks import postgres

from ..servers import Target
from .row import TIMED_OUT, Row

SIZE = 2

# libpq's messages for a connection that was reset, and psycopg's for one that it has found reset before
LOST = "(closed the connection unexpectedly|Connection reset by peer|the connection is (closed|lost))"
# psycopg asks libpq for the state before the kernel has reported it. On a busy machine libpq takes the connection for
# open, and its refusal for its end. Then a refused connection cannot be distinguished from a lost one.
PSYCOPG_REFUSED = "^OperationalError: .*(Connection refused|closed the connection unexpectedly)"


@asynccontextmanager
async def open_asyncpg(target: Target) -> AsyncGenerator[Any]:
    pool = asyncpg.create_pool(
        host=target.host,
        port=target.port,
        user=target.user,
        password=target.password,
        database=target.database,
        ssl=False,
        min_size=0,
        max_size=SIZE,
    )
    async with AsyncExitStack() as stack:
        await pool
        stack.callback(pool.terminate)
        yield pool


@asynccontextmanager
async def occupy_asyncpg(pool: Any) -> AsyncGenerator[None]:
    async with AsyncExitStack() as stack:
        for _ in range(SIZE):
            await stack.enter_async_context(pool.acquire())
        yield


async def close_asyncpg(pool: Any) -> None:
    await pool.close()


@asynccontextmanager
async def open_psycopg(target: Target) -> AsyncGenerator[Any]:
    where = f"host={target.host} port={target.port} user={target.user} dbname={target.database} sslmode=disable"
    pool = AsyncConnectionPool(
        where, kwargs={"password": target.password}, min_size=1, max_size=SIZE, open=False, reconnect_timeout=10
    )
    await pool.open()
    try:
        yield pool
    finally:
        await pool.close()


@asynccontextmanager
async def occupy_psycopg(pool: Any) -> AsyncGenerator[None]:
    async with AsyncExitStack() as stack:
        for _ in range(SIZE):
            await stack.enter_async_context(pool.connection())
        yield


async def close_psycopg(pool: Any) -> None:
    await pool.close()


ROWS = (
    Row(
        "asyncpg",
        server="postgres",
        check=postgres.asyncpg_pool,
        open=open_asyncpg,
        drivers=("asyncpg",),
        extra="postgres",
        close=close_asyncpg,
        occupy=occupy_asyncpg,
        messages={
            "healthy": "^$",
            "refused": "^ConnectionRefusedError: .*(Connect call failed|Connection refused)",
            "killed": "^(ConnectionRefusedError: |ConnectionDoesNotExistError: connection was closed)",
            "frozen": TIMED_OUT,
            "blackholed": TIMED_OUT,
            "reset": "^(ConnectionDoesNotExistError: connection was closed|ConnectionResetError: .*reset by peer)",
            "trickled": TIMED_OUT,
            "wrong_password": '^InvalidPasswordError: password authentication failed for user "health"$',
            "wrong_database": '^InvalidCatalogNameError: database "nowhere" does not exist$',
            "exhausted": r"^pool exhausted: 2 of 2 in use$",
            "exhausted_and_frozen": TIMED_OUT,
            "exhausted_and_killed": "^ConnectionRefusedError",
            "closed": "^ClientError: the pool is closed$",
            "many_runs": "^$",
        },
    ),
    Row(
        "psycopg",
        server="postgres",
        check=postgres.psycopg_pool,
        open=open_psycopg,
        drivers=("psycopg_pool",),
        extra="postgres",
        close=close_psycopg,
        occupy=occupy_psycopg,
        messages={
            "healthy": "^$",
            "refused": PSYCOPG_REFUSED,
            "killed": PSYCOPG_REFUSED,
            "frozen": TIMED_OUT,
            "blackholed": TIMED_OUT,
            "reset": f"^OperationalError: .*{LOST}",
            "trickled": TIMED_OUT,
            "wrong_password": '^OperationalError: .*password authentication failed for user "health"',
            "wrong_database": '^OperationalError: .*database "nowhere" does not exist',
            "exhausted": r"^pool exhausted: 2 of 2 in use$",
            "exhausted_and_frozen": TIMED_OUT,
            "exhausted_and_killed": PSYCOPG_REFUSED,
            "closed": "^ClientError: the pool is closed$",
            "many_runs": "^$",
        },
    ),
)
