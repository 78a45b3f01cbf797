"""SQLite, by the path of its file or by a connection of aiosqlite."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.result import Result, unhealthy
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientError, ClientOrFactory, PlainCheck, client_getter, load
from ._support.sqlite import LOCKED, READ, answer, ask_connection, refusal_of_file

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
    """Return a check of a database of SQLite in the file `path`; a missing file is a failure and is not created.

    With `writable` it fails where the file or its folder, in which SQLite makes its journal, cannot be written to: for
    want of permission, or on a file system that is read-only. It writes nothing, so it does not see a full disk or a
    quota.

    Each run opens the file and closes it again, so it tells when the file was deleted or replaced: a connection that is
    kept goes on reading what it once opened. It reads the first page, so it fails for a file that is no database; to
    SQLite a file of 0 bytes is one, without tables. A file that a writer has locked for longer than 0.2 s is degraded.
    A database in WAL mode gets its -wal and -shm files, as from every reader.

    Raises TypeError for another kind of path, ValueError for a database in memory, which nobody else sees.
    """
    if not isinstance(path, str | os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"sqlite_database: expected the path of a file, not {path!r:.80}")
    if os.fspath(path) in ("", ":memory:"):
        raise ValueError(f"sqlite_database: expected the path of a file, not {path!r}: nobody else sees that database")
    absolute = Path(path).absolute()
    address = f"{absolute.as_uri()}?mode=ro"

    def ping() -> Result:
        with closing(sqlite3.connect(address, uri=True, timeout=LOCKED)) as connection:
            result = answer(lambda: connection.execute(READ).fetchall())
        refusal = refusal_of_file(absolute) if writable else ""
        return unhealthy(refusal) if refusal else result

    return ping


@catalogued(
    technology="SQLite",
    extra="sqlite",
    asked="to read the first page of the file, on the connection. `writable`: also whether it could be written to, and "
    "to delete no row of a table, which changes nothing",
    costs="one query in the thread of the connection, behind those that wait there; five with `writable`, and the lock "
    "of a writer for a moment",
    privileges="to read the file",
)
def aiosqlite_connection(connection: "ClientOrFactory[Connection]", *, writable: bool = False) -> AsyncCheck:
    """Return a check of a database of SQLite through a connection of aiosqlite.

    With `writable` it fails where the file or its folder cannot be written to, and where the connection was opened
    read-only or has ``query_only`` set. While a writer has locked the file for longer than 0.2 s it is degraded, in WAL
    mode too. It writes nothing, so it does not see a full disk or a quota; nothing but the file and ``query_only`` of a
    database without a table; and nothing at all while the application has a transaction open on the connection.

    The connection answers one query at a time: behind one that takes long this one is late, and that is a failure. A
    file that a writer has locked for longer than 0.2 s is degraded. A connection with ``autocommit=False`` is not read
    from: it is always in a transaction, so it would keep the file from being written to until the application ends that
    one; use `sqlite_database`. Raises ModuleNotFoundError without aiosqlite, TypeError for another kind of client.
    """
    aiosqlite = load("aiosqlite", extra="sqlite")
    get = client_getter(connection, aiosqlite.Connection, by="aiosqlite_connection")

    async def ping() -> Result:
        connection: Any = get()
        try:
            result: Result = await connection._execute(lambda: _read(connection._conn, writable))
        except ValueError as error:  # what aiosqlite raises without a word of SQLite
            raise ClientError("the connection is closed") from error
        return result

    return ping


def _read(connection: sqlite3.Connection, writable: bool) -> Result:
    """Read from the application's connection in its thread, in one go: no query of the application's is in between."""
    if getattr(connection, "autocommit", None) is False:  # since Python 3.12
        raise ClientError("a connection with autocommit=False would stay in a read transaction: use sqlite_database")
    with closing(connection.cursor()) as cursor:
        cursor.row_factory = None
        patience: int = cursor.execute("PRAGMA busy_timeout").fetchall()[0][0]
        cursor.execute(f"PRAGMA busy_timeout = {LOCKED * 1000:.0f}").fetchall()
        in_transaction = connection.in_transaction
        try:
            if writable and not in_transaction:
                return ask_connection(lambda statement: cursor.execute(statement).fetchall())
            return answer(lambda: cursor.execute(READ).fetchall())
        finally:
            if not in_transaction:
                connection.commit()  # Python has begun a transaction to delete nothing in
            cursor.execute(f"PRAGMA busy_timeout = {patience}").fetchall()
