"""Any database that SQLAlchemy speaks to, by an async or a plain engine."""

from functools import partial
from typing import TYPE_CHECKING, Any, cast, overload

from ..core.result import Result, healthy
from .cancellation import ends_when_cancelled
from .client import AsyncCheck, Given, PlainCheck, client_getter
from .driver import load
from .engines import async_engine as async_engines
from .pool import Usage
from .table import described

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine, Pool
    from sqlalchemy.ext.asyncio import AsyncEngine


@overload
def sqlalchemy_engine(engine: "AsyncEngine") -> AsyncCheck: ...
@overload
def sqlalchemy_engine(engine: "Engine") -> PlainCheck: ...
@overload
def sqlalchemy_engine(engine: "Callable[[], AsyncEngine | Engine | None]") -> "Callable[[], object]": ...
@described(
    technology="SQLAlchemy, any database",
    extra="sqlalchemy",
    asked="`SELECT 1` on a connection of the engine; while its pool is exhausted, on one beside it",
    costs="PostgreSQL: one round trip, outside of a transaction, and once per connection another to prepare the "
    "statement. Others: two as a rule, for the pool rolls back. While the pool is exhausted: one more "
    "connection, opened and closed",
    privileges="to connect",
)
def sqlalchemy_engine(engine: "Given[AsyncEngine | Engine]") -> "Callable[[], object]":
    """Return a check of a database through an engine of SQLAlchemy 2.

    An exhausted pool is degraded, not a dead database: the server is asked on a connection opened beside the pool and
    closed again. With an AsyncEngine, a connection on which a run was cancelled is thrown away. An engine without a
    pool (NullPool) opens a connection for every run, as it does for everything.

    With a plain Engine the check is a plain function, and no deadline ends its thread: the failure is published in
    time, but the next run has to wait until the driver gives up. So tell the driver when, for example psycopg by
    ``connect_args={"connect_timeout": 2, "tcp_user_timeout": 2000}``.

    Raises ModuleNotFoundError without SQLAlchemy, TypeError for another kind of client.
    """
    sqlalchemy = load("sqlalchemy", extra="sqlalchemy")
    async_engine: Any = async_engines(extra="sqlalchemy")
    get = client_getter(engine, async_engine, sqlalchemy.Engine, by="sqlalchemy_engine")
    statement = sqlalchemy.select(sqlalchemy.literal_column("1"))  # not a text: Oracle wants a FROM
    in_file = sqlalchemy.text("SELECT 1 FROM sqlite_master LIMIT 1")  # SQLite opens its file for nothing less

    async def ask(engine: "AsyncEngine") -> Result:
        usage = _usage(engine.pool)
        if usage is not None and usage.exhausted:
            spare = async_engine(beside(engine.sync_engine))
            try:
                await ends_when_cancelled(query(spare))
            finally:
                await spare.dispose()
        else:
            await ends_when_cancelled(query(engine))
        return healthy() if usage is None else usage.answered()

    async def query(engine: "AsyncEngine") -> None:
        async with engine.connect() as connection:
            await connection.run_sync(execute)

    def ask_plain(engine: "Engine") -> Result:
        usage = _usage(engine.pool)
        if usage is not None and usage.exhausted:
            spare = beside(engine)
            try:
                with spare.connect() as connection:
                    execute(connection)
            finally:
                spare.dispose()
        else:
            with engine.connect() as connection:
                execute(connection)
        return healthy() if usage is None else usage.answered()

    def beside(engine: "Engine") -> "Engine":
        """One that connects as `engine` does, with a pool of its own."""
        spare: Engine = sqlalchemy.Engine(engine.pool.recreate(), engine.dialect, engine.url)
        return spare

    def execute(connection: "Connection") -> None:
        if connection.dialect.name == "postgresql":
            # Saves BEGIN and ROLLBACK; the pool puts the connection back to what it was. Elsewhere it would cost more.
            connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(in_file if connection.dialect.name == "sqlite" else statement)

    if isinstance(engine, async_engine):
        return partial(ask, cast("AsyncEngine", engine))

    def ping() -> object:
        engine = get()
        # What is returned here to be awaited is awaited in the loop.
        if isinstance(engine, async_engine):
            return ask(cast("AsyncEngine", engine))
        return ask_plain(cast("Engine", engine))

    return ping


def _usage(pool: "Pool") -> Usage | None:
    """Return how full `pool` is; None where that has no meaning (NullPool, StaticPool), or it has no limit."""
    overflow = getattr(pool, "_max_overflow", -1)  # private: nothing else tells the limit
    if overflow < 0:
        return None
    queue: Any = pool
    return Usage(queue.checkedout(), queue.size() + overflow)
