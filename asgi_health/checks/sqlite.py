"""SQLite, by the path of its file or by a connection of aiosqlite."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.result import Result, unhealthy
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientError, ClientOrFactory, PlainCheck, client_getter, load
from ._support.sqlite import LOCK_TIMEOUT, READ_FIRST_PAGE, ask_writable, read, refusal_of_file

if TYPE_CHECKING:
    from aiosqlite import Connection


@catalogued(
    technology="SQLite",
    extra="",
    asked="to read the first page of the file, opened read-only. `writable`: also whether the user of the process may "
    "write to the file and to its folder",
    costs="the file is opened and closed",
    privileges="to read the file",
)
def sqlite_database(path: str | os.PathLike[str], *, writable: bool = False) -> PlainCheck:
    """Return a check of a database of SQLite by its file. A missing file is a failure, and is not created.

    Each run opens the file and closes it again, so it reports that the file was deleted or replaced: a connection that
    stays open continues to read the file that it once opened. It reads the first page, so it fails on a file that is no
    database; to SQLite a file of 0 bytes is one, without tables. A file that a writer has locked for longer than 0.2 s
    is degraded. A database in WAL mode gets its -wal and -shm files, as from every reader.

    Args:
        path: The path of the file.
        writable: Fail also where the file or its folder, in which SQLite creates its journal, cannot be written to:
            without the permission, or on a read-only file system. The check writes nothing. So it does not see a full
            disk or a quota.

    Raises:
        TypeError: `path` is not a path.
        ValueError: The database is in memory, where only its own connection sees it.
    """
    if not isinstance(path, str | os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"sqlite_database: expected the path of a file, not {path!r:.80}")
    if os.fspath(path) in ("", ":memory:"):
        raise ValueError(f"sqlite_database: expected the path of a file, not {path!r}: only one connection sees it")
    absolute = Path(path).absolute()
    address = f"{absolute.as_uri()}?mode=ro"

    def check() -> Result:
        with closing(sqlite3.connect(address, uri=True, timeout=LOCK_TIMEOUT)) as connection:
            result = read(lambda: connection.execute(READ_FIRST_PAGE).fetchall())
        refusal = refusal_of_file(absolute) if writable else ""
        return unhealthy(refusal) if refusal else result

    return check


@catalogued(
    technology="SQLite",
    extra="sqlite",
    asked="to read the first page of the file, on the connection. `writable`: also whether it could be written to, and "
    "to delete no row of a table, which changes nothing",
    costs="one query in the thread of the connection, after those that wait there; five with `writable`, and the lock "
    "of a writer for a moment",
    privileges="to read the file",
)
def aiosqlite_connection(connection: "ClientOrFactory[Connection]", *, writable: bool = False) -> AsyncCheck:
    """Return a check of a database of SQLite through a connection of aiosqlite.

    The connection answers one query at a time. After a query that takes long, the check is late, and that is a failure.
    A file that a writer has locked for longer than 0.2 s is degraded. A connection with ``autocommit=False`` is not
    read from, and fails: it is always in a transaction, so a read would lock the file until the application ends that
    one. Use `sqlite_database` instead.

    Args:
        connection: The connection, or a function that returns it.
        writable: Fail also where the file or its folder cannot be written to, and where the connection was opened
            read-only or has ``query_only`` set. While a writer has locked the file for longer than 0.2 s it is
            degraded, in WAL mode too. The check writes nothing. So it does not see a full disk or a quota; of a
            database without a table it sees the file and ``query_only`` alone; and it sees nothing while the
            application has a transaction open on the connection.

    Raises:
        ModuleNotFoundError: aiosqlite is not installed.
        TypeError: `connection` is another kind of client.
    """
    aiosqlite = load("aiosqlite", extra="sqlite")
    get = client_getter(connection, aiosqlite.Connection, by="aiosqlite_connection")

    async def check() -> Result:
        connection: Any = get()
        try:
            result: Result = await connection._execute(lambda: _ask(connection._conn, writable))
        except ValueError as error:  # raised by aiosqlite itself, and never by SQLite
            raise ClientError("the connection is closed") from error
        return result

    return check


def _ask(connection: sqlite3.Connection, writable: bool) -> Result:
    """Ask on the application's connection in its thread, in one go: no query of the application is in between."""
    if getattr(connection, "autocommit", None) is False:  # since Python 3.12
        raise ClientError("a connection with autocommit=False would stay in a read transaction: use sqlite_database")
    with closing(connection.cursor()) as cursor:
        cursor.row_factory = None
        busy_timeout: int = cursor.execute("PRAGMA busy_timeout").fetchall()[0][0]
        cursor.execute(f"PRAGMA busy_timeout = {LOCK_TIMEOUT * 1000:.0f}").fetchall()
        in_transaction = connection.in_transaction
        try:
            if writable and not in_transaction:
                return ask_writable(lambda statement: cursor.execute(statement).fetchall())
            return read(lambda: cursor.execute(READ_FIRST_PAGE).fetchall())
        finally:
            if not in_transaction:
                connection.commit()  # Python has begun a transaction for the statement that deletes nothing
            cursor.execute(f"PRAGMA busy_timeout = {busy_timeout}").fetchall()
