"""Requests to a database of SQLite, on a connection of any driver."""

import os
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, cast

from ...core.result import Result, degraded, healthy, unhealthy
from ...core.status import Status

READ_FIRST_PAGE = "SELECT 1 FROM sqlite_master LIMIT 1"
"""A statement that reads the file. SQLite answers ``SELECT 1`` without reading it."""

LOCK_TIMEOUT = 0.2
"""Seconds that a run waits until a writer releases its lock of the file."""

FIRST_TABLE = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE TABLE%' ORDER BY rowid LIMIT 1"

Execute = Callable[[str], Sequence[Sequence[Any]]]
"""Executes a statement on a connection and returns its rows."""


def read(request: Callable[[], object]) -> Result:
    """Return healthy() when `request` returns; degraded when it raises that a writer has locked the file.

    A locked file is in use: its writers wait for longer than a check can (sqlite3 waits 5 s).
    """
    try:
        request()
    except Exception as error:
        if _code_of(error) != sqlite3.SQLITE_BUSY:
            raise
        return degraded("a writer has locked the file")
    return healthy()


def _code_of(error: BaseException | None) -> int:
    """Return the primary error code of SQLite that any driver raised; 0 where there is none."""
    while error is not None:
        if code := getattr(error, "sqlite_errorcode", 0) & 0xFF:
            return int(code)
        error = error.__cause__
    return 0


def ask_writable(execute: Execute) -> Result:
    """Return whether the database of a connection takes writes, without writing.

    A statement that deletes no row takes the lock of a writer while it runs. ``BEGIN IMMEDIATE`` would not do: where
    the file was opened read-only, SQLite begins a read transaction instead.
    """
    result = read(lambda: execute(READ_FIRST_PAGE))
    if result.status is not Status.HEALTHY:
        return result
    if execute("PRAGMA query_only")[0][0]:
        return unhealthy("the connection takes no writes: query_only is on")
    files = {name: file for _, name, file, *_ in execute("PRAGMA database_list")}
    if (file := files.get("main")) and (refusal := refusal_of_file(file)):
        return unhealthy(refusal)
    tables = execute(FIRST_TABLE)
    return _delete_nothing(execute, str(tables[0][0])) if tables else result


def _delete_nothing(execute: Execute, table: str) -> Result:
    quoted = table.replace('"', '""')
    try:
        return read(lambda: execute(f'DELETE FROM "{quoted}" WHERE 0'))
    except Exception as error:
        code = _code_of(error)
        if code == sqlite3.SQLITE_READONLY:
            return unhealthy("the connection takes no writes: it was opened read-only")
        if code == sqlite3.SQLITE_ERROR:
            return healthy()  # a trigger or a foreign key of the table is broken, which says nothing about writes
        raise


def refusal_of_file(path: str | os.PathLike[str]) -> str:
    """Return why the user of this process cannot write to a file of SQLite; empty when the user can write.

    The file is not opened: closing it would release the locks that SQLite holds on it in this process, see
    https://www.sqlite.org/howtocorrupt.html. SQLite must be able to write to the folder too, for its journal.
    """
    real = os.path.realpath(path)
    folder = os.path.dirname(real)
    effective = os.access in os.supports_effective_ids
    if not os.access(real, os.W_OK, effective_ids=effective):
        return f"the file {path} cannot be written to"
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=effective):
        return f"the folder {folder} cannot be written to, where the journal has to be made"
    return ""


def require_file(database: object) -> None:
    """Raise FileNotFoundError where `database` is the path of a missing file, which connecting would create.

    A database in memory has no file, and a URI says itself whether its file may be created.
    """
    if not isinstance(database, str | os.PathLike):
        return
    path = os.fspath(cast("str | os.PathLike[str]", database))
    if path and path != ":memory:" and not path.startswith("file:") and not os.path.exists(path):
        raise FileNotFoundError(f"there is no file {path}")
