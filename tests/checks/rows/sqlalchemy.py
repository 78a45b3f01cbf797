"""PostgreSQL through SQLAlchemy: two async drivers, and a plain one in a thread."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from typing import Any

import anyio.to_thread
from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from asgi_health.checks.sqlalchemy import sqlalchemy_engine

from ..observe import threads_ended
from ..servers import Target
from .postgres import LOST, PSYCOPG_REFUSED
from .row import TIMED_OUT, Open, Row

POOL: dict[str, Any] = {"pool_size": 1, "max_overflow": 1}


def url(driver: str, target: Target) -> URL:
    return URL.create(driver, target.user, target.password, target.host, target.port, target.database)


def opener(driver: str, options: Mapping[str, Any]) -> Open:
    @asynccontextmanager
    async def open_async_engine(target: Target) -> AsyncGenerator[AsyncEngine]:
        engine = create_async_engine(url(driver, target), connect_args=options, **POOL)
        try:
            yield engine
        finally:
            await engine.dispose()

    return open_async_engine


@asynccontextmanager
async def open_engine(target: Target) -> AsyncGenerator[Engine]:
    # libpq bounds a connection attempt, at 2 s or more. It does not bound the wait for an answer.
    options = {"connect_timeout": 2, "sslmode": "disable"}
    engine = create_engine(url("postgresql+psycopg", target), connect_args=options, **POOL)
    try:
        yield engine
    finally:
        await threads_ended()
        engine.dispose()


@asynccontextmanager
async def occupy_async(engine: AsyncEngine) -> AsyncGenerator[None]:
    async with AsyncExitStack() as stack:
        for _ in range(2):
            stack.push_async_callback((await engine.connect()).close)
        yield


@asynccontextmanager
async def occupy(engine: Engine) -> AsyncGenerator[None]:
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(await anyio.to_thread.run_sync(engine.connect))
        yield


EVERY = {
    "healthy": "^$",
    "frozen": TIMED_OUT,
    "blackholed": TIMED_OUT,
    "trickled": TIMED_OUT,
    "exhausted": r"^pool exhausted: 2 of 2 in use$",
    "exhausted_and_frozen": TIMED_OUT,
    "many_runs": "^$",
}
BY_ASYNCPG = EVERY | {
    "refused": "^ConnectionRefusedError: ",
    "killed": r"^(ConnectionRefusedError: |\w+Error: .*(connection was closed|connection is closed))",
    "reset": r"^\w+Error: .*(connection was closed|connection is closed|reset by peer)",
    "wrong_password": 'password authentication failed for user "health"',
    "wrong_database": 'database "nowhere" does not exist',
    "exhausted_and_killed": "^ConnectionRefusedError: ",
}
BY_PSYCOPG = EVERY | {
    "refused": PSYCOPG_REFUSED,
    "killed": f"^OperationalError: .*(Connection refused|{LOST})",
    "reset": f"^OperationalError: .*{LOST}",
    "wrong_password": '^OperationalError: .*password authentication failed for user "health"',
    "wrong_database": '^OperationalError: .*database "nowhere" does not exist',
    "exhausted_and_killed": PSYCOPG_REFUSED,
}
NEVER_CLOSED = {"closed": "a disposed engine makes itself a new pool"}

ROWS = (
    Row(
        "sqlalchemy+asyncpg",
        server="postgres",
        check=sqlalchemy_engine,
        open=opener("postgresql+asyncpg", {"ssl": False}),
        drivers=("sqlalchemy",),
        extra="sqlalchemy",
        occupy=occupy_async,
        messages=BY_ASYNCPG,
        without=NEVER_CLOSED,
    ),
    Row(
        "sqlalchemy+psycopg-async",
        server="postgres",
        check=sqlalchemy_engine,
        open=opener("postgresql+psycopg", {"sslmode": "disable"}),
        drivers=("sqlalchemy",),
        extra="sqlalchemy",
        occupy=occupy_async,
        messages=BY_PSYCOPG,
        without=NEVER_CLOSED,
    ),
    Row(
        "sqlalchemy+psycopg",
        server="postgres",
        check=sqlalchemy_engine,
        open=open_engine,
        drivers=("sqlalchemy",),
        extra="sqlalchemy",
        occupy=occupy,
        messages=BY_PSYCOPG,
        without=NEVER_CLOSED,
    ),
)
