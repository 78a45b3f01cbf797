"""SQLite: no server, but files that are missing, locked, or no database at all."""

import asyncio
import os
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import aiosqlite
import pytest

from asgi_health import Status
from asgi_health.checks.sqlite import aiosqlite_connection, sqlite_database

from .observe import TIMED_OUT, expect, observe, threads_ended

pytestmark = pytest.mark.anyio

ALWAYS_IN_TRANSACTION: list[Any] = (
    [({"autocommit": False}, Status.UNHEALTHY, "^ClientError: .*autocommit=False.*: use sqlite_database$")]
    if sys.version_info >= (3, 12)
    else []
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a database?.sqlite"  # with characters that a URI must escape
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
    return path


@pytest.fixture
def writer(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


async def test_a_database_is_read_and_left_as_it_was(path: Path) -> None:
    before = look(path)
    for each in (path, str(path)):
        await expect(sqlite_database(each), Status.HEALTHY, "^$")
    assert look(path) == before


def look(path: Path) -> tuple[bytes, int, list[str]]:
    return path.read_bytes(), path.stat().st_mtime_ns, os.listdir(path.parent)


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_a_file_is_checked_on_trio_too(path: Path) -> None:
    await expect(sqlite_database(path), Status.HEALTHY, "^$")


async def test_a_relative_path_is_resolved_when_the_check_is_made(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    check = sqlite_database(path.name)
    monkeypatch.chdir("/")
    await expect(check, Status.HEALTHY, "^$")


async def test_a_missing_file_fails_and_is_not_created(tmp_path: Path) -> None:
    path = tmp_path / "nowhere"
    await expect(sqlite_database(path), Status.UNHEALTHY, "^OperationalError: unable to open database file$")
    assert not path.exists()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
    await expect(sqlite_database(path), Status.HEALTHY, "^$")


async def test_a_file_that_is_deleted_and_replaced_is_reported_by_the_same_check(path: Path, tmp_path: Path) -> None:
    check = sqlite_database(path)
    await expect(check, Status.HEALTHY, "^$")
    letter = tmp_path / "letter"
    letter.write_text("Dear Sir or Madam, " * 100)
    letter.replace(path)
    await expect(check, Status.UNHEALTHY, "^DatabaseError: file is not a database$")
    os.unlink(path)
    await expect(check, Status.UNHEALTHY, "^OperationalError: unable to open database file$")


async def test_a_file_that_is_no_database_fails(tmp_path: Path) -> None:
    path = tmp_path / "letter"
    path.write_text("Dear Sir or Madam, " * 100)
    await expect(sqlite_database(path), Status.UNHEALTHY, "^DatabaseError: file is not a database$")


async def test_an_empty_file_is_a_database_without_tables(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    await expect(sqlite_database(path), Status.HEALTHY, "^$")


async def test_a_file_that_a_writer_has_locked_is_degraded_and_recovers(path: Path, writer: sqlite3.Connection) -> None:
    """Although the connection of the application would wait, by default, for longer than the timeout of a Check."""
    async with aiosqlite.connect(path, timeout=60.0) as connection:
        for check in (sqlite_database(path), aiosqlite_connection(connection)):
            writer.execute("BEGIN EXCLUSIVE")
            await expect(check, Status.DEGRADED, "^a writer has locked the file$")
            writer.execute("ROLLBACK")
            await expect(check, Status.HEALTHY, "^$")


async def test_a_writer_in_wal_mode_does_not_lock_readers_out(path: Path, writer: sqlite3.Connection) -> None:
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO t VALUES (1)")
    await expect(sqlite_database(path), Status.HEALTHY, "^$")


@pytest.mark.parametrize(
    ("wrong", "error"), [(1, TypeError), (None, TypeError), (":memory:", ValueError), ("", ValueError)]
)
def test_a_wrong_path_is_refused_when_the_check_is_made(wrong: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="sqlite_database: expected the path of a file"):
        sqlite_database(wrong)


async def test_a_connection_of_aiosqlite_reads_the_file_and_fails_when_closed(path: Path) -> None:
    async with aiosqlite.connect(path) as connection:
        check = aiosqlite_connection(lambda: connection)
        await expect(aiosqlite_connection(connection), Status.HEALTHY, "^$")
        await expect(check, Status.HEALTHY, "^$")
    await expect(check, Status.UNHEALTHY, "^ClientError: the connection is closed$")


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [({}, Status.HEALTHY, "^$"), ({"isolation_level": None}, Status.HEALTHY, "^$"), *ALWAYS_IN_TRANSACTION],
)
async def test_a_run_on_a_connection_of_aiosqlite_blocks_no_writer(
    path: Path, writer: sqlite3.Connection, options: dict[str, Any], status: Status, message: str
) -> None:
    writer.execute("PRAGMA busy_timeout = 0")
    async with aiosqlite.connect(path, **options) as connection:
        await expect(aiosqlite_connection(connection), status, message)
        writer.execute("INSERT INTO t VALUES (1)")


async def test_a_run_leaves_a_connection_of_aiosqlite_as_it_was(path: Path) -> None:
    connection: Any
    async with aiosqlite.connect(path, timeout=7.0) as connection:
        connection.row_factory = lambda _, row: {"the only": row[0]}
        await connection.execute("INSERT INTO t VALUES (1)")
        await expect(aiosqlite_connection(connection), Status.HEALTHY, "^$")
        assert connection.in_transaction
        assert await connection.execute_fetchall("PRAGMA busy_timeout") == [{"the only": 7000}]
        await connection.rollback()
        assert await connection.execute_fetchall("SELECT * FROM t") == []


async def test_a_connection_of_aiosqlite_to_no_database_fails(tmp_path: Path) -> None:
    path = tmp_path / "letter"
    path.write_text("Dear Sir or Madam, " * 100)
    async with aiosqlite.connect(path) as connection:
        await expect(aiosqlite_connection(connection), Status.UNHEALTHY, "^DatabaseError: file is not a database$")


async def test_a_connection_of_aiosqlite_that_is_busy_is_late_and_recovers(path: Path) -> None:
    go_on = threading.Event()
    async with aiosqlite.connect(path) as connection:
        await connection.create_function("wait", 0, lambda: go_on.wait(20))
        check = aiosqlite_connection(connection)
        cursor = connection.execute("SELECT wait()")
        slow = asyncio.ensure_future(cursor)
        await expect(check, Status.UNHEALTHY, TIMED_OUT)
        go_on.set()
        await (await slow).close()
        await expect(check, Status.HEALTHY, "^$")


def test_without_aiosqlite_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiosqlite", None)
    with pytest.raises(
        ModuleNotFoundError, match=r'aiosqlite is not installed; try: pip install "asgi-health\[sqlite\]"'
    ):
        aiosqlite_connection(lambda: None)


def test_another_kind_of_connection_is_refused_when_the_check_is_made(path: Path) -> None:
    with (
        closing(sqlite3.connect(path)) as connection,
        pytest.raises(TypeError, match=r"expected aiosqlite\.Connection"),
    ):
        aiosqlite_connection(connection)  # type: ignore[arg-type]


async def test_a_connection_that_does_not_exist_yet_fails_with_a_reason() -> None:
    await expect(aiosqlite_connection(lambda: None), Status.UNHEALTHY, "^ClientError: there is no client yet")


async def test_sixty_runs_leak_nothing(path: Path) -> None:
    async with aiosqlite.connect(path) as connection:
        for check in (sqlite_database(path), aiosqlite_connection(connection)):
            await expect(check, Status.HEALTHY, "^$")
            await threads_ended()
            before = opened(path)
            for _ in range(60):
                assert (await observe(check)).result.status is Status.HEALTHY
            await threads_ended()
            assert opened(path) == before


def opened(path: Path) -> int:
    """Count the descriptors of the database, and those of its journals."""
    links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    return sum(os.path.realpath(link).startswith(str(path)) for link in links)
