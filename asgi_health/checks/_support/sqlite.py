"""Questions to a database of SQLite, on a connection of any driver."""

import os
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, cast

from ...core.result import Result, degraded, healthy, unhealthy
from ...core.status import Status

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


def _locked(error: BaseException) -> bool:
    """Return whether SQLite has said so, to whichever driver raised it."""
    return _code_of(error) == sqlite3.SQLITE_BUSY


def _code_of(error: BaseException | None) -> int:
    """Return the primary code of SQLite, whichever driver raised it; 0 where there is none."""
    while error is not None:
        if code := getattr(error, "sqlite_errorcode", 0) & 0xFF:
            return int(code)
        error = error.__cause__
    return 0


Execute = Callable[[str], Sequence[Sequence[Any]]]
"""Executes a statement on a connection, of whichever driver, and returns its rows."""

TABLE = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE TABLE%' ORDER BY rowid LIMIT 1"


def ask_connection(execute: Execute) -> Result:
    """Return whether the database of a connection takes writes, without writing.

    To delete nothing takes the lock of a writer, for as long as that takes. ``BEGIN IMMEDIATE`` would not do: where the
    file was opened read-only, SQLite begins to read instead.
    """
    result = answer(lambda: execute(READ))
    if result.status is not Status.HEALTHY:
        return result
    if execute("PRAGMA query_only")[0][0]:
        return unhealthy("the connection takes no writes: query_only is on")
    files = {name: file for _, name, file, *_ in execute("PRAGMA database_list")}
    if (file := files.get("main")) and (refusal := refusal_of_file(file)):
        return unhealthy(refusal)
    tables = execute(TABLE)
    return _delete_nothing(execute, str(tables[0][0])) if tables else result


def _delete_nothing(execute: Execute, table: str) -> Result:
    quoted = table.replace('"', '""')
    try:
        return answer(lambda: execute(f'DELETE FROM "{quoted}" WHERE 0'))
    except Exception as error:
        code = _code_of(error)
        if code == sqlite3.SQLITE_READONLY:
            return unhealthy("the connection takes no writes: it was opened read-only")
        if code == sqlite3.SQLITE_ERROR:
            return healthy()  # a trigger of it, or a foreign key, is broken: that statement tells nothing
        raise


def refusal_of_file(path: str | os.PathLike[str]) -> str:
    """Return why the user of this process cannot write to a file of SQLite, or nothing where it seems possible.

    Never by opening it: closing it again would take away the locks that SQLite has on it in this process. SQLite needs
    the folder too, for its journal.
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
    """Raise FileNotFoundError where `database` is the path of a file that is not there: to connect would make it.

    A database in memory has no file, and a URI says itself whether its file may be made.
    """
    if not isinstance(database, str | os.PathLike):
        return
    path = os.fspath(cast("str | os.PathLike[str]", database))
    if path and path != ":memory:" and not path.startswith("file:") and not os.path.exists(path):
        raise FileNotFoundError(f"there is no file {path}")
