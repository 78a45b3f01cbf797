"""Any database that SQLAlchemy speaks to, by an async or a plain engine."""

from typing import TYPE_CHECKING, overload

from ..core.result import Result
from .client import AsyncCheck, Given, PlainCheck
from .driver import load
from .engines import engine_check
from .sqlite import READ, answer
from .table import described

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine
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
    asked="`SELECT 1` (SQLite: to read the first page of the file) on a connection of the engine; while its pool is "
    "exhausted, on one beside it",
    costs="PostgreSQL: one round trip, outside of a transaction, and once per connection another to prepare the "
    "statement. MySQL, MariaDB: two, for SQLAlchemy rolls back before the connection goes back. With `pool_pre_ping` "
    "one more, with asyncpg three. While the pool is exhausted: one more connection, opened and closed",
    privileges="to connect",
)
def sqlalchemy_engine(engine: "Given[AsyncEngine | Engine]") -> "Callable[[], object]":
    """Return a check of a database through an engine of SQLAlchemy 2.

    An exhausted pool is degraded, not a dead database: the server is asked on a connection opened beside the pool and
    closed again, with the execution options of the engine, but without its events (``engine_connect`` and the like;
    those of its pool are run). A server that has no room for that connection is alive too.

    With an AsyncEngine, a connection on which a run was cancelled is thrown away. An engine without a pool (NullPool)
    opens a connection for every run, as it does for everything. A file of SQLite that is missing is a failure, and is
    not made, unless the engine has a URI (``file:...``) or a creator. One that a writer has locked is degraded, once
    the engine has waited for it: by default for 5 s, so for longer than a Check. Let it wait for less
    (``connect_args={"timeout": 1}``), or give the Check a `timeout` of more.

    With a plain Engine the check is a plain function, and no deadline ends its thread: the failure is published in
    time, but the next run has to wait until the driver gives up. So tell the driver when, for example psycopg by
    ``connect_args={"connect_timeout": 2, "tcp_user_timeout": 2000}``.

    Raises ModuleNotFoundError without SQLAlchemy, TypeError for another kind of client.
    """
    sqlalchemy = load("sqlalchemy", extra="sqlalchemy")
    statement = sqlalchemy.select(sqlalchemy.literal_column("1"))  # not a text: Oracle wants a FROM
    in_file = sqlalchemy.text(READ)

    def ping(connection: "Connection") -> Result:
        return answer(lambda: connection.execute(in_file if connection.dialect.name == "sqlite" else statement))

    return engine_check(engine, ping, refusal_answers_it=True, extra="sqlalchemy", by="sqlalchemy_engine")
