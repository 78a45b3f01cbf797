"""Any database that SQLAlchemy supports, by an async or a plain engine."""

from typing import TYPE_CHECKING, Any, overload

from ..core.result import Result
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientError, ClientOrFactory, PlainCheck, load
from ._support.engines import engine_check
from ._support.sqlite import READ_FIRST_PAGE, read
from ._support.writable import ASKABLE, ask_writable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine


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
    "exhausted, on an extra one. `writable`: PostgreSQL: `pg_is_in_recovery()` and `transaction_read_only` instead; "
    "MySQL, MariaDB: `@@read_only` and `@@innodb_read_only` instead; SQLite: also whether the file could be written "
    "to, and to delete no row of a table, which changes nothing",
    costs="PostgreSQL: one round trip, outside of a transaction, and once per connection another to prepare the "
    "statement. MySQL, MariaDB: two, because SQLAlchemy rolls back before the connection returns to the pool. With "
    "`pool_pre_ping` one more, with asyncpg three. While the pool is exhausted: one connection more, opened and closed",
    privileges="to connect",
)
def sqlalchemy_engine(
    engine: "ClientOrFactory[AsyncEngine | Engine]", *, writable: bool = False
) -> "Callable[[], object]":
    """Return a check of a database through an engine of SQLAlchemy 2.

    An exhausted pool is degraded: the server is asked on an extra connection, which is closed afterwards. It has the
    execution options of the engine, but not its events (``engine_connect`` and the like; those of its pool are run). A
    server that has no room for that connection is alive too.

    With an AsyncEngine, a connection on which a run was cancelled is closed. An engine without a pool (NullPool) opens
    a connection for every run, as it does for everything. A missing file of SQLite is a failure, and is not created,
    unless the engine has a URI (``file:...``) or a creator. A file that a writer has locked is degraded once the engine
    has waited for it: by default 5 s, which is longer than the timeout of a Check. Let the engine wait for less time
    (``connect_args={"timeout": 1}``), or give the Check a longer `timeout`.

    With a plain Engine the check is a plain function, and no deadline ends its thread: the failure is published in
    time, but the next run waits until the driver gives up. So set timeouts of the driver, for example for psycopg
    ``connect_args={"connect_timeout": 2, "tcp_user_timeout": 2000}``.

    Args:
        engine: The engine, async or plain, or a function that returns it.
        writable: Fail also where the database takes no writes: PostgreSQL on a standby, or where transactions are
            read-only by default; MySQL and MariaDB with ``read_only`` or ``innodb_read_only``; SQLite where the file or
            its folder cannot be written to, or was opened read-only. Other databases cannot be asked, and fail. The
            check writes nothing. So it does not see a full disk, what the user may not write to, a commit that waits
            for another server, nor what makes a single transaction read-only, such as the execution option
            ``postgresql_readonly``; of SQLite without a table it sees the file alone.

    Raises:
        ModuleNotFoundError: SQLAlchemy is not installed.
        TypeError: `engine` is another kind of client.
        ValueError: `writable` cannot be asked of the database of the engine.
    """
    sqlalchemy = load("sqlalchemy", extra="sqlalchemy")
    statement = sqlalchemy.select(sqlalchemy.literal_column("1"))  # not a text: on Oracle a SELECT needs a FROM
    read_first_page = sqlalchemy.text(READ_FIRST_PAGE)
    dialect = getattr(engine, "dialect", None)  # None where the engine is given by a function
    if writable and dialect is not None:
        _require_askable(dialect.name, ValueError)

    def ping(connection: "Connection") -> Result:
        if writable:
            return _ask_writable(connection)
        is_sqlite = connection.dialect.name == "sqlite"
        return read(lambda: connection.execute(read_first_page if is_sqlite else statement))

    return engine_check(engine, ping, full_server_is_healthy=True, extra="sqlalchemy", by="sqlalchemy_engine")


def _ask_writable(connection: "Connection") -> Result:
    dialect = connection.dialect.name
    _require_askable(dialect, ClientError)

    def execute(statement: str) -> "Sequence[Sequence[Any]]":
        rows = connection.exec_driver_sql(statement)
        return rows.all() if rows.returns_rows else []

    return ask_writable(dialect, execute)


def _require_askable(dialect: str, error: type[Exception]) -> None:
    if dialect not in ASKABLE:
        raise error(f"sqlalchemy_engine: writable can be asked of {', '.join(ASKABLE)}, not of {dialect}")
