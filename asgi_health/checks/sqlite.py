"""SQLite, by the path of its file or by a connection of aiosqlite."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..core.result import Result, degraded, healthy
from .client import AsyncCheck, ClientError, Given, PlainCheck, client_getter
from .driver import load
from .table import described

if TYPE_CHECKING:
    from aiosqlite import Connection

READ = "SELECT 1 FROM sqlite_master LIMIT 1"
"""Reads the first page. SELECT 1 would not even look at the file."""

LOCKED = 0.2
"""Seconds that a run waits for a writer to let go of the file."""


def answer(ask: Callable[[], object]) -> Result:
    """Return healthy() once `ask` has returned; degraded where it raises that a writer has locked the file.

    That file is in use: whoever writes to it waits for longer than a check can (sqlite3: 5 s).
    """
    try:
        ask()
    except Exception as error:
        if not _locked(error):
            raise
        return degraded("a writer has locked the file")
    return healthy()


def _locked(error: BaseException | None) -> bool:
    """Return whether SQLite has said so, to whichever driver raised it."""
    while error is not None:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            return True
        error = error.__cause__
    return False


def require_file(database: object) -> None:
    """Raise FileNotFoundError where `database` is the path of a file that is not there: to connect would make it.

    A database in memory has no file, and a URI says itself whether its file may be made.
    """
    if not isinstance(database, str | os.PathLike):
        return
    path = os.fspath(cast("str | os.PathLike[str]", database))
    if path and path != ":memory:" and not path.startswith("file:") and not os.path.exists(path):
        raise FileNotFoundError(f"there is no file {path}")


@described(
    technology="SQLite",
    extra="",
    asked="to read the first page of the file, opened read-only",
    costs="the file is opened and closed",
    privileges="to read the file",
)
def sqlite_database(path: str | os.PathLike[str]) -> PlainCheck:
    """Return a check of a database of SQLite in the file `path`; a missing file is a failure and is not created.

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
    address = f"{Path(path).absolute().as_uri()}?mode=ro"

    def ping() -> Result:
        with closing(sqlite3.connect(address, uri=True, timeout=LOCKED)) as connection:
            return answer(lambda: connection.execute(READ).fetchall())

    return ping


@described(
    technology="SQLite",
    extra="sqlite",
    asked="to read the first page of the file, on the connection",
    costs="one query in the thread of the connection, behind those that wait there",
    privileges="to read the file",
)
def aiosqlite_connection(connection: "Given[Connection]") -> AsyncCheck:
    """Return a check of a database of SQLite through a connection of aiosqlite.

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
            result: Result = await connection._execute(lambda: _read(connection._conn))
        except ValueError as error:  # what aiosqlite raises without a word of SQLite
            raise ClientError("the connection is closed") from error
        return result

    return ping


def _read(connection: sqlite3.Connection) -> Result:
    """Read from the application's connection in its thread, in one go: no query of the application's is in between."""
    if getattr(connection, "autocommit", None) is False:  # since Python 3.12
        raise ClientError("a connection with autocommit=False would stay in a read transaction: use sqlite_database")
    with closing(connection.cursor()) as cursor:
        cursor.row_factory = None
        patience: int = cursor.execute("PRAGMA busy_timeout").fetchall()[0][0]
        cursor.execute(f"PRAGMA busy_timeout = {LOCKED * 1000:.0f}").fetchall()
        try:
            return answer(lambda: cursor.execute(READ).fetchall())
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {patience}").fetchall()
