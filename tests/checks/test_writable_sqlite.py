"""`writable=True` of SQLite: files that may be read and not written to, by each check of SQLite."""

import gc
import os
import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from django.db.backends.sqlite3.base import DatabaseWrapper
from sqlalchemy import Engine, NullPool, create_engine, event, make_url
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.ext.asyncio import create_async_engine

from asgi_health import Status
from asgi_health.checks.django import django_connection
from asgi_health.checks.sqlalchemy import sqlalchemy_engine
from asgi_health.checks.sqlite import aiosqlite_connection, sqlite_database

from .daemon import UNPRIVILEGED_USER
from .observe import expect, recovers, threads_ended
from .rows.django import connections
from .test_django import file_of_django
from .test_sqlite import look

pytestmark = pytest.mark.anyio

UNWRITABLE = "^the file .*db cannot be written to$"
UNWRITABLE_FOLDER = "^the folder .* cannot be written to, where the journal has to be made$"
OPENED_READ_ONLY = "^the connection takes no writes: it was opened read-only$"
LOCKED = "^a writer has locked the file$"

Opener = Callable[[Path, str], AbstractAsyncContextManager[Any]]


@asynccontextmanager
async def by_path(file: Path, query: str) -> AsyncGenerator[Any]:
    yield sqlite_database(file, writable=True)


@asynccontextmanager
async def by_aiosqlite(file: Path, query: str) -> AsyncGenerator[Any]:
    async with aiosqlite.connect(f"{file.as_uri()}?{query}", uri=True) as connection:
        yield aiosqlite_connection(connection, writable=True)


@asynccontextmanager
async def by_engine(file: Path, query: str) -> AsyncGenerator[Any]:
    url = f"sqlite:///{file.as_uri()}?uri=true&{query}" if query else f"sqlite:///{file}"
    engine = create_engine(url, connect_args={"timeout": 0.2})
    yield sqlalchemy_engine(engine, writable=True)
    await threads_ended()
    engine.dispose()


@asynccontextmanager
async def by_engine_with_events(file: Path, query: str) -> AsyncGenerator[Any]:
    """It begins each transaction itself, as SQLAlchemy's documentation recommends."""
    url = f"sqlite:///{file.as_uri()}?uri=true&{query}" if query else f"sqlite:///{file}"
    engine = create_engine(url, connect_args={"timeout": 0.2})
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    event.listen(engine, "connect", lambda connection, _: setattr(connection, "isolation_level", None))
    yield sqlalchemy_engine(engine, writable=True)
    await threads_ended()
    engine.dispose()


@asynccontextmanager
async def by_async_engine(file: Path, query: str) -> AsyncGenerator[Any]:
    url = f"sqlite+aiosqlite:///{file.as_uri()}?uri=true&{query}" if query else f"sqlite+aiosqlite:///{file}"
    engine = create_async_engine(url, connect_args={"timeout": 0.2})
    yield sqlalchemy_engine(engine, writable=True)
    await engine.dispose()


@asynccontextmanager
async def by_django(file: Path, query: str) -> AsyncGenerator[Any]:
    async with file_of_django(f"{file.as_uri()}?{query}" if query else file) as alias:
        connections.settings[alias]["OPTIONS"] = {"uri": True}
        yield django_connection(alias, writable=True)


BY_CONNECTION: list[Opener] = [by_aiosqlite, by_engine, by_engine_with_events, by_async_engine, by_django]
each = pytest.mark.parametrize("opened", [by_path, *BY_CONNECTION])
each_by_connection = pytest.mark.parametrize("opened", BY_CONNECTION)


@pytest.fixture
def file() -> Iterator[Path]:
    """In a folder that another user may enter, too."""
    folder = Path(tempfile.mkdtemp(prefix="asgi-health-"))
    folder.chmod(0o777)
    file = folder / "db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute('CREATE TABLE "a ""table"" of ours" (x)')
    file.chmod(0o666)
    yield file
    shutil.rmtree(folder)


@contextmanager
def as_another_user() -> Iterator[None]:
    """Not as root, which may write to files of any mode."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(UNPRIVILEGED_USER.pw_uid)
    try:
        yield
    finally:
        os.seteuid(user)


@contextmanager
def as_owner() -> Iterator[None]:
    user = os.geteuid()
    os.seteuid(os.getuid())
    try:
        yield
    finally:
        os.seteuid(user)


@each
async def test_a_writable_file_is_healthy_and_not_changed(opened: Opener, file: Path) -> None:
    before = look(file)
    async with opened(file, "") as check:
        for _ in range(3):
            await expect(check, Status.HEALTHY, "^$")
    assert look(file) == before


@each
async def test_a_file_without_write_permission_fails_until_it_has_it(opened: Opener, file: Path) -> None:
    os.chmod(file, 0o444)
    with as_another_user():
        async with opened(file, "") as check:
            await expect(check, Status.UNHEALTHY, UNWRITABLE)
            if opened in (by_path, by_django):  # the others keep their connection open
                with as_owner():
                    os.chmod(file, 0o666)
                await recovers(check)


@each
async def test_a_folder_in_which_no_journal_can_be_created_fails(opened: Opener, file: Path) -> None:
    os.chmod(file.parent, 0o755)
    with as_another_user():
        with closing(sqlite3.connect(file)) as connection, pytest.raises(sqlite3.OperationalError):
            connection.execute("CREATE TABLE news (x)")
        async with opened(file, "") as check:
            await expect(check, Status.UNHEALTHY, UNWRITABLE_FOLDER)


@each_by_connection
@pytest.mark.parametrize("query", ["mode=ro", "immutable=1"])
async def test_a_connection_that_was_opened_read_only_fails(opened: Opener, file: Path, query: str) -> None:
    async with opened(file, query) as check:
        await expect(check, Status.UNHEALTHY, OPENED_READ_ONLY)


async def test_a_connection_with_query_only_fails(file: Path) -> None:
    async with aiosqlite.connect(file) as connection:
        check = aiosqlite_connection(connection, writable=True)
        await connection.execute("PRAGMA query_only = on")
        await expect(check, Status.UNHEALTHY, "^the connection takes no writes: query_only is on$")
        await connection.execute("PRAGMA query_only = off")
        await expect(check, Status.HEALTHY, "^$")


@each_by_connection
@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
async def test_a_file_to_which_another_writes_for_long_is_degraded(opened: Opener, file: Path, mode: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute(f"PRAGMA journal_mode = {mode}")
        async with opened(file, "") as check:
            await expect(check, Status.HEALTHY, "^$")
            writer.execute("BEGIN IMMEDIATE")
            await expect(check, Status.DEGRADED, LOCKED)
            writer.execute("ROLLBACK")
            await expect(check, Status.HEALTHY, "^$")


@each_by_connection
@pytest.mark.parametrize("extra", ["CREATE TRIGGER t BEFORE DELETE ON old BEGIN DELETE FROM nowhere; END", ""])
async def test_a_table_that_cannot_be_deleted_from_or_none_at_all_is_no_failure(
    opened: Opener, file: Path, extra: str
) -> None:
    os.unlink(file)
    with closing(sqlite3.connect(file)) as connection:
        if extra:
            connection.execute("CREATE TABLE old (x)")
            connection.execute(extra)
        connection.execute("PRAGMA user_version = 1")
    async with opened(file, "") as check:
        await expect(check, Status.HEALTHY, "^$")


@pytest.mark.parametrize("isolation_level", ["", "IMMEDIATE", None])
async def test_a_transaction_of_the_application_is_not_changed(file: Path, isolation_level: Any) -> None:
    async with aiosqlite.connect(file, isolation_level=isolation_level) as connection:
        check = aiosqlite_connection(connection, writable=True)
        await expect(check, Status.HEALTHY, "^$")
        await connection.execute("BEGIN")
        await connection.execute('INSERT INTO "a ""table"" of ours" VALUES (1)')
        await expect(check, Status.HEALTHY, "^$")
        assert connection.in_transaction
        await connection.rollback()
        assert await connection.execute_fetchall('SELECT * FROM "a ""table"" of ours"') == []


async def test_rows_that_the_application_is_reading_are_read_to_their_end(file: Path) -> None:
    async with aiosqlite.connect(file) as connection:
        await connection.executemany('INSERT INTO "a ""table"" of ours" VALUES (?)', [(n,) for n in range(5)])
        await connection.commit()
        async with connection.execute('SELECT x FROM "a ""table"" of ours"') as cursor:
            first = await cursor.fetchone()
            await expect(aiosqlite_connection(connection, writable=True), Status.HEALTHY, "^$")
            assert [first, *await cursor.fetchall()] == [(n,) for n in range(5)]


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
async def test_a_database_in_memory_has_no_file_to_write_to(url: str) -> None:
    engine = create_engine(url)
    await expect(sqlalchemy_engine(engine, writable=True), Status.HEALTHY, "^$")
    await threads_ended()
    with warnings.catch_warnings():
        # SQLAlchemy keeps a connection in memory for each thread, and no other thread can close it.
        warnings.simplefilter("ignore", ResourceWarning)
        engine.dispose()
        del engine
        gc.collect()


async def test_a_database_in_memory_of_django_has_no_file_to_write_to() -> None:
    async with file_of_django(":memory:") as alias:
        await expect(django_connection(alias, writable=True), Status.HEALTHY, "^$")


class AnotherDialect(SQLiteDialect_pysqlite):
    name = "another"
    supports_statement_cache = False


async def test_an_engine_of_a_database_that_cannot_be_asked_is_refused_or_fails() -> None:
    connect: Any = partial(sqlite3.connect, ":memory:")
    pool = NullPool(connect)
    engine = Engine(pool, AnotherDialect(dbapi=sqlite3), make_url("another://"))
    message = "sqlalchemy_engine: writable can be asked of mariadb, mysql, postgresql, sqlite, not of another$"
    with pytest.raises(ValueError, match=f"^{message}"):
        sqlalchemy_engine(engine, writable=True)
    await expect(sqlalchemy_engine(lambda: engine, writable=True), Status.UNHEALTHY, f"^ClientError: {message}")
    await expect(sqlalchemy_engine(engine), Status.HEALTHY, "^$")


async def test_a_database_of_django_that_cannot_be_asked_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DatabaseWrapper, "vendor", "oracle")
    async with file_of_django(":memory:") as alias:
        message = "^ClientError: django_connection: writable can be asked of mysql, postgresql, sqlite, not of oracle$"
        await expect(django_connection(alias, writable=True), Status.UNHEALTHY, message)
        await expect(django_connection(alias), Status.HEALTHY, "^$")
