"""Any database that SQLAlchemy speaks to, by an async or a plain engine."""

from typing import TYPE_CHECKING, Any, overload

from ..core.result import Result, healthy, unhealthy
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientError, ClientOrFactory, PlainCheck, load
from ._support.engines import engine_check
from ._support.sqlite import READ, answer, ask_connection
from ._support.writable import MYSQL, POSTGRES, refusal_of_mysql, refusal_of_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

WRITABLE = ("mariadb", "mysql", "postgresql", "sqlite")
"""The dialects of SQLAlchemy whose databases can be asked whether they take writes."""


@overload
def sqlalchemy_engine(engine: "AsyncEngine", *, writable: bool = ...) -> AsyncCheck: ...
@overload
def sqlalchemy_engine(engine: "Engine", *, writable: bool = ...) -> PlainCheck: ...
@overload
def sqlalchemy_engine(
    engine: "Callable[[], AsyncEngine | Engine | None]", *, writable: bool = ...
) -> "Callable[[], object]": ...
@catalogued(
    technology="SQLAlchemy, any database",
    extra="sqlalchemy",
    asked="`SELECT 1` (SQLite: to read the first page of the file) on a connection of the engine; while its pool is "
    "exhausted, on one beside it. `writable`: PostgreSQL: `pg_is_in_recovery()` and `transaction_read_only` instead; "
    "MySQL, MariaDB: `@@read_only` and `@@innodb_read_only` instead; SQLite: also whether the file could be written "
    "to, and to delete no row of a table, which changes nothing",
    costs="PostgreSQL: one round trip, outside of a transaction, and once per connection another to prepare the "
    "statement. MySQL, MariaDB: two, for SQLAlchemy rolls back before the connection goes back. With `pool_pre_ping` "
    "one more, with asyncpg three. While the pool is exhausted: one more connection, opened and closed",
    privileges="to connect",
)
def sqlalchemy_engine(
    engine: "ClientOrFactory[AsyncEngine | Engine]", *, writable: bool = False
) -> "Callable[[], object]":
    """Return a check of a database through an engine of SQLAlchemy 2.

    With `writable` it fails where the database takes no writes: PostgreSQL on a standby, or where transactions are
    read-only by default; MySQL and MariaDB with ``read_only`` or ``innodb_read_only``; SQLite where the file or its
    folder cannot be written to, or was opened read-only. It asks and writes nothing, so it does not see a full disk,
    what the user may not write to, a commit that waits for another server, nor what makes a single transaction
    read-only, such as the execution option ``postgresql_readonly``; of SQLite without a table it sees the file alone.
    Another database cannot be asked so, and fails.

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

    Raises ModuleNotFoundError without SQLAlchemy, TypeError for another kind of client, ValueError for `writable` of an
    engine of another database.
    """
    sqlalchemy = load("sqlalchemy", extra="sqlalchemy")
    statement = sqlalchemy.select(sqlalchemy.literal_column("1"))  # not a text: Oracle wants a FROM
    in_file = sqlalchemy.text(READ)
    known = getattr(engine, "dialect", None)  # of an engine; a function has none
    if writable and known is not None:
        _require_askable(known.name, ValueError)

    def ping(connection: "Connection") -> Result:
        if writable:
            return ask_writable(connection)
        return answer(lambda: connection.execute(in_file if connection.dialect.name == "sqlite" else statement))

    return engine_check(engine, ping, refusal_answers_it=True, extra="sqlalchemy", by="sqlalchemy_engine")


def ask_writable(connection: "Connection") -> Result:
    """Return whether the database takes writes, by the question that it understands."""
    dialect = connection.dialect.name
    _require_askable(dialect, ClientError)

    def execute(statement: str) -> "Sequence[Sequence[Any]]":
        rows = connection.exec_driver_sql(statement)
        return rows.all() if rows.returns_rows else []

    if dialect == "sqlite":
        return ask_connection(execute)
    if dialect == "postgresql":
        refusal = refusal_of_postgres(len(execute(POSTGRES)))
    else:
        refusal = refusal_of_mysql(execute(MYSQL)[0])
    return unhealthy(refusal) if refusal else healthy()


def _require_askable(dialect: str, error: type[Exception]) -> None:
    if dialect not in WRITABLE:
        raise error(f"sqlalchemy_engine: writable can be asked of {', '.join(WRITABLE)}, not of {dialect}")
