"""What is special about Django: a connection that the check keeps, a pool whose usage it reads, a file of SQLite."""

import gc
import sqlite3
import warnings
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from asgi_health import Status
from asgi_health.checks._support.psycopg import connecting_again
from asgi_health.checks.django import django_connection
from tests.support.waiting import wait_until_async

from .conftest import GetServer
from .observe import expect, observe, recovers
from .rows.django import LIBPQ, connections, opener
from .servers import Server, Target

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("checks postgres")]


@pytest.fixture
def server(get_server: GetServer) -> Iterator[Server]:
    server = get_server("postgres")
    yield server
    server.restore()


async def no_client_connected(server: Server) -> None:
    gc.collect()  # connections of cancelled runs may be open until then
    await wait_until_async(lambda: server.connections() == 0, "no client is connected")


async def test_a_connection_that_died_with_the_last_server_process_does_not_fail_the_next_run(server: Server) -> None:
    async with opener("postgresql", LIBPQ)(Target(server.port)) as alias:
        check = django_connection(alias)
        await expect(check, Status.HEALTHY, "^$")
        server.daemon.kill()
        server.start()
        await expect(check, Status.HEALTHY, "^$")


async def test_twenty_runs_in_twenty_threads_use_one_connection(server: Server) -> None:
    await no_client_connected(server)
    async with opener("postgresql", LIBPQ)(Target(server.port)) as alias:
        check = django_connection(alias)
        for _ in range(20):
            await expect(check, Status.HEALTHY, "^$")
            assert server.connections() == 1


@asynccontextmanager
async def pool_of_django(server: Server, size: int) -> AsyncGenerator[tuple[str, Any]]:
    """An alias, and the pool that Django has for it, filled."""
    options = LIBPQ | {"pool": {"min_size": size, "max_size": size}}
    async with opener("postgresql", options)(Target(server.port)) as alias:
        pool = connections.create_connection(alias).pool
        await anyio.to_thread.run_sync(lambda: pool.open(wait=True))
        yield alias, pool


async def test_after_a_restart_of_the_server_a_full_pool_of_django_fails_no_run(server: Server) -> None:
    async with pool_of_django(server, 4) as (alias, _):
        check = django_connection(alias)
        await expect(check, Status.HEALTHY, "^$")
        server.daemon.kill()
        server.restore()
        for _ in range(4):
            await expect(check, Status.HEALTHY, "^$")


async def test_a_pool_of_django_that_has_lost_its_connections_is_not_exhausted(server: Server) -> None:
    """It waits longer and longer before it connects again, and views get no connection until then."""
    async with pool_of_django(server, 2) as (alias, pool):
        check = django_connection(alias)
        taken = [pool.getconn() for _ in range(2)]
        server.daemon.kill()
        await expect(check, Status.UNHEALTHY, "^OperationalError: ")
        for connection in taken:
            connection.close()
            pool.putconn(connection)
        # After the second failure of both connections it waits for 2 s, in which the server starts and the check runs.
        await wait_until_async(
            lambda: connecting_again(pool) == 2 and pool.get_stats()["connections_errors"] >= 4, "it waits"
        )
        server.restore()
        result = (await observe(check)).result
        assert "exhausted" not in result.message, result
        await recovers(check, 60.0)


async def test_a_pool_of_django_that_is_not_open_yet_stays_closed_and_is_not_exhausted(server: Server) -> None:
    await no_client_connected(server)
    options = LIBPQ | {"pool": {"min_size": 2, "max_size": 2}}
    async with opener("postgresql", options)(Target(server.port)) as alias:
        result = await expect(django_connection(alias), Status.HEALTHY, "^$")
        assert result.data == {"pool_in_use": (0, ""), "pool_size": (2, "")}
        assert server.connections() == 1


@asynccontextmanager
async def file_of_django(name: object) -> AsyncGenerator[str]:
    opening = opener("sqlite3", {})
    async with opening(Target(0)) as alias:
        connections.settings[alias]["NAME"] = name
        yield alias


@pytest.mark.parametrize("kind", [str, Path])
async def test_a_missing_file_of_sqlite_fails_and_is_not_created(tmp_path: Path, kind: type) -> None:
    """Neither at first, nor when it is deleted while a connection has it open."""
    file = tmp_path / "db"
    async with file_of_django(kind(file)) as alias:
        check = django_connection(alias)
        for _ in range(2):
            await expect(check, Status.UNHEALTHY, f"^FileNotFoundError: there is no file {file}$")
            assert not file.exists()
            file.touch()
            await expect(check, Status.HEALTHY, "^$")
            file.unlink()


@pytest.mark.parametrize("name", [":memory:", "file:here?mode=memory"])
async def test_a_database_in_memory_needs_no_file(name: str) -> None:
    async with file_of_django(name) as alias:
        await expect(django_connection(alias), Status.HEALTHY, "^$")


async def test_a_file_that_is_no_database_fails(tmp_path: Path) -> None:
    file = tmp_path / "letter"
    file.write_text("Dear Sir or Madam, " * 100)
    async with file_of_django(file) as alias:
        await expect(django_connection(alias), Status.UNHEALTHY, "^DatabaseError: file is not a database$")


async def test_a_file_that_a_writer_has_locked_is_degraded_and_recovers(tmp_path: Path) -> None:
    """Although Django would wait, by default, for longer than the timeout of a Check."""
    file = tmp_path / "db"
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        async with file_of_django(file) as alias:
            connections.settings[alias]["OPTIONS"] = {"timeout": 60.0}
            check = django_connection(alias)
            for _ in range(2):
                writer.execute("BEGIN EXCLUSIVE")
                await expect(check, Status.DEGRADED, "^a writer has locked the file$")
                writer.execute("ROLLBACK")
                await expect(check, Status.HEALTHY, "^$")
    with warnings.catch_warnings():
        # Django 6.1 does not close a connection that it cannot set up because the file is locked.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_it_works_on_trio_too(server: Server) -> None:
    async with opener("postgresql", LIBPQ)(Target(server.port)) as alias:
        await expect(django_connection(alias), Status.HEALTHY, "^$")


async def test_an_alias_that_is_not_in_the_settings_fails_with_the_reason() -> None:
    message = "^ClientError: there is no database 'nowhere' in the settings of Django$"
    await expect(django_connection("nowhere"), Status.UNHEALTHY, message)


@pytest.mark.parametrize("wrong", [None, 1, object()])
def test_a_wrong_alias_is_refused_when_the_check_is_made(wrong: Any) -> None:
    with pytest.raises(TypeError, match="django_connection: expected the alias of a database, a string"):
        django_connection(wrong)
