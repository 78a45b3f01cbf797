"""A connection to the file of the board: each failure of it is a `BoardUnavailable`."""

import os
import sqlite3
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from random import uniform
from typing import Any

from .file import check_other_files, file_identity, make_file, set_aside
from .interface import BoardUnavailable, Locked

LOCK_TIMEOUT = 0.5
"""Seconds to wait while other processes write. A turn of a worker takes a millisecond."""

LOCK_PAUSE = 0.002
"""Seconds between two attempts meanwhile, on average."""

WAL_PAGES = 250
"""Pages of 4 KiB after which what is in the WAL is written to the file. SQLite takes 1,000: a /run is often small."""

APPLICATION_ID = 0x61736768
"""Marks a file of SQLite as a board ("asgh"), so that the database of an app is never taken for one."""

_SUFFIXES = ("", "-wal", "-shm")

_of_parent: list[sqlite3.Connection] = []
"""Connections that a fork has copied. They stay open: SQLite forbids to close them in the child."""


class Damaged(BoardUnavailable):
    """The file was damaged, and has another name now; the board can be made again."""


class Connection:
    """One connection to the database at `path`, for one thread.

    Raises BoardUnavailable where there is none; so does each method but `close`.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._pid = os.getpid()
        make_file(path)
        self._files = [file_identity(path)]
        self._is_board = False
        try:
            self._connection = sqlite3.connect(path, timeout=0.0, isolation_level=None)
        except sqlite3.Error as error:
            raise self._failure(error) from error
        try:
            self._connection.text_factory = bytes  # text that is not UTF-8 must not raise
            self._check_application()
            [(mode,)] = self.execute("PRAGMA journal_mode=WAL")
            if mode != b"wal":
                raise BoardUnavailable(f"board {path!r}: found the journal mode {mode.decode()!r}, expected 'wal'")
            self.execute("PRAGMA synchronous=OFF")  # a crash of the system ends the boot, and with it all that is here
            self.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
            self.execute("SELECT count(*) FROM sqlite_master")  # from here on the other two files exist
            self._files = [self._files[0], file_identity(path + "-wal"), file_identity(path + "-shm")]
            self._check_files()
            check_other_files(path)  # once more: now SQLite has them open
        except BaseException:
            self.close()
            raise

    def execute(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """Run one statement, and return all rows. Texts are returned as bytes."""
        end: float | None = None
        while True:
            try:
                return self._connection.execute(statement, values).fetchall()
            except (sqlite3.Error, UnicodeDecodeError) as error:
                now = time.monotonic()
                end = now + LOCK_TIMEOUT if end is None else end
                if not _is_locked(error) or now > end:
                    raise self._failure(error) from error
            # The timeout of SQLite itself waits longer from time to time, up to 0.1 s, so that those who came first
            # come last; and it does not wait at all where several processes make the file.
            time.sleep(uniform(0.5, 1.5) * LOCK_PAUSE)

    def check(self) -> None:
        """Raise BoardUnavailable where this process has not opened the file, or the path names another one now."""
        if os.getpid() != self._pid:
            raise BoardUnavailable(
                f"board {self.path!r}: found that process {os.getpid()} uses what process {self._pid} opened,"
                " expected each process to open the board itself"
            )
        self._check_files()

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Begin a transaction that writes, and commit it at the end of the block; an exception rolls it back."""
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close it. In a fork of the process that opened it, it stays open."""
        if os.getpid() != self._pid:
            _of_parent.append(self._connection)
            return
        with suppress(sqlite3.Error):
            self._connection.close()

    def _check_application(self) -> None:
        [(application,)] = self.execute("PRAGMA application_id")
        if application != APPLICATION_ID:
            [(tables,)] = self.execute("SELECT count(*) FROM sqlite_master")
            [(application,)] = self.execute("PRAGMA application_id")  # a board gets it together with its first table
            if tables and application != APPLICATION_ID:
                raise BoardUnavailable(
                    f"board {self.path!r}: found the database of another application, expected a board"
                )
        self._is_board = True

    def _check_files(self) -> None:
        # All three: processes that opened different ones would not see each other.
        for suffix, opened in zip(_SUFFIXES, self._files, strict=True):
            try:
                present = file_identity(self.path + suffix)
            except OSError as error:
                raise BoardUnavailable(f"board {self.path + suffix!r}: {error.strerror}") from error
            if opened is None or present != opened:
                found = "no file" if present is None else "another file"
                raise BoardUnavailable(f"board {self.path + suffix!r}: found {found}, expected the one that was opened")

    def _is_damage(self, error: Exception) -> bool:
        if isinstance(error, UnicodeDecodeError):  # a name in the schema, which SQLite quotes
            return True
        if _primary_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return True
        # In a board, whose file may be written to: a damaged header that asks for a later SQLite, or a damaged schema.
        return self._is_board and _extended_code(error) in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_READONLY)

    def _failure(self, error: Exception) -> BoardUnavailable:
        if self._is_damage(error):
            set_aside(self.path, self._files[0])
            return Damaged(f"board {self.path!r}: found a damaged file ({error}), expected a database of SQLite")
        if _is_locked(error):
            return Locked(f"board {self.path!r}: found it locked for {LOCK_TIMEOUT} s, expected a few milliseconds")
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        return BoardUnavailable(f"board {self.path!r}: {error} ({name})")


def _extended_code(error: Exception) -> int:
    code: int = getattr(error, "sqlite_errorcode", 0)  # the sqlite3 module raises errors of its own without it
    return code


def _primary_code(error: Exception) -> int:
    return _extended_code(error) & 0xFF


def _is_locked(error: Exception) -> bool:
    return _primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
