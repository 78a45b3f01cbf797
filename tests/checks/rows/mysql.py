"""MariaDB through both pools, and through SQLAlchemy."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiomysql
import asyncmy
from sqlalchemy import event

from asgi_health.checks.mysql import aiomysql_pool, asyncmy_pool
from asgi_health.checks.sqlalchemy import sqlalchemy_engine

from ..servers import Target
from .row import TIMED_OUT, Open, Row
from .sqlalchemy import NEVER_CLOSED, occupy_async
from .sqlalchemy import opener as open_engine


def opener(driver: Any) -> Open:
    @asynccontextmanager
    async def open_pool(target: Target) -> AsyncGenerator[Any]:
        pool = await driver.create_pool(
            host=target.host,
            port=target.port,
            user=target.user,
            password=target.password,
            db=target.database,
            minsize=0,
            maxsize=2,
        )
        try:
            yield pool
        finally:
            pool.terminate()
            await pool.wait_closed()

    return open_pool


@asynccontextmanager
async def occupy(pool: Any) -> AsyncGenerator[None]:
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(pool.acquire())
        yield


async def close(pool: Any) -> None:
    pool.close()
    await pool.wait_closed()


@asynccontextmanager
async def open_engine_of_aiomysql(target: Target) -> AsyncGenerator[Any]:
    """Ignore an error of SQLAlchemy on uvloop: it fails to close a connection that was reset before."""
    made: list[Any] = []
    async with open_engine("mysql+aiomysql", {})(target) as engine:
        event.listen(engine.sync_engine, "connect", lambda adapted, _: made.append(adapted.driver_connection))
        yield engine
    for connection in made:
        connection.close()


ME = r"user 'health'@'127\.0\.0\.1'"
LOST = "2006, .*server has gone away|2013, .*Lost connection to MySQL server"
MESSAGES = {
    "healthy": "^$",
    "refused": r"^OperationalError: .*\(2003, .*Can't connect to MySQL server on '127\.0\.0\.1'",
    "killed": rf"^OperationalError: .*\((2003, .*Can't connect to MySQL server|{LOST})",
    "frozen": TIMED_OUT,
    "blackholed": TIMED_OUT,
    "reset": rf"^OperationalError: .*\((2003, .*reset by peer|{LOST})",
    "trickled": TIMED_OUT,
    "wrong_password": rf"^OperationalError: .*\(1045, .*Access denied for {ME} \(using password: YES\)",
    "wrong_database": rf"^OperationalError: .*\(1044, .*Access denied for {ME} to database 'nowhere'",
    "exhausted": r"^pool exhausted: 2 of 2 in use$",
    "exhausted_and_frozen": TIMED_OUT,
    "exhausted_and_killed": r"^OperationalError: .*\(2003, .*Can't connect to MySQL server",
    "closed": "^ClientError: the pool is closed$",
    "many_runs": "^$",
}

# uvloop raises the last one for a connection that was reset, and SQLAlchemy does not wrap it.
BY_SQLALCHEMY = {column: says for column, says in MESSAGES.items() if column not in NEVER_CLOSED} | {
    "reset": rf"{MESSAGES['reset']}|^RuntimeError: .*the handler is closed$"
}

ROWS = (
    Row(
        "asyncmy",
        server="mariadb",
        check=asyncmy_pool,
        open=opener(asyncmy),
        drivers=("asyncmy",),
        extra="mysql",
        close=close,
        occupy=occupy,
        messages=MESSAGES,
    ),
    Row(
        "aiomysql",
        server="mariadb",
        check=aiomysql_pool,
        open=opener(aiomysql),
        drivers=("aiomysql",),
        extra="mysql",
        close=close,
        occupy=occupy,
        messages=MESSAGES,
    ),
    Row(
        "sqlalchemy+aiomysql",
        server="mariadb",
        check=sqlalchemy_engine,
        open=open_engine_of_aiomysql,
        drivers=("sqlalchemy",),
        extra="sqlalchemy",
        occupy=occupy_async,
        messages=BY_SQLALCHEMY,
        without=NEVER_CLOSED,
    ),
    Row(
        "sqlalchemy+asyncmy",
        server="mariadb",
        check=sqlalchemy_engine,
        open=open_engine("mysql+asyncmy", {}),
        drivers=("sqlalchemy",),
        extra="sqlalchemy",
        occupy=occupy_async,
        messages=BY_SQLALCHEMY,
        without=NEVER_CLOSED,
    ),
)
