"""What is special about PostgreSQL: pools that are exhausted, that a restart has broken, or that cannot connect."""

import gc
from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import asyncpg
import psycopg_pool.pool_async
import pytest
from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool

from asgi_health import Status
from asgi_health.checks import postgres
from asgi_health.checks._support.psycopg import connecting_again, state_of
from asgi_health.checks.postgres import asyncpg_pool
from tests.support.waiting import wait_until_async

from .conftest import GetServer
from .observe import TIMED_OUT, expect, observe, recovers
from .rows import ROWS, Row
from .servers import Target
from .servers.postgres import Postgres

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("checks postgres")]


@pytest.fixture
def server(get_server: GetServer) -> Iterator[Postgres]:
    server = get_server("postgres")
    assert isinstance(server, Postgres)
    yield server
    server.restore()


async def test_after_a_restart_of_the_server_a_full_psycopg_pool_fails_no_run(server: Postgres) -> None:
    """All of its connections are broken, and the run discards them one by one."""
    async with pool_of_psycopg(server, size=8) as pool:
        await pool.wait(10.0)
        check = postgres.psycopg_pool(pool)
        await expect(check, Status.HEALTHY, "^$")
        server.daemon.kill()
        server.restore()
        for _ in range(8):
            await expect(check, Status.HEALTHY, "^$")


async def test_a_psycopg_pool_that_has_lost_its_connections_is_not_exhausted(server: Postgres) -> None:
    """It waits longer and longer before it connects again, and the application gets no connection until then."""
    async with pool_of_psycopg(server, size=2) as pool:
        await pool.wait(10.0)
        check = postgres.psycopg_pool(pool)
        server.daemon.kill()
        while connecting_again(pool) != 2:
            assert (await observe(check)).result.status is Status.UNHEALTHY
        server.restore()
        result = (await observe(check)).result
        assert "exhausted" not in result.message, result
        await recovers(check, 60.0)


class Failing(AsyncConnection[Any]):
    fails = False

    @classmethod
    async def connect(cls, *conninfo: Any, **options: Any) -> Any:
        if cls.fails:
            raise OperationalError("gone")
        return await super().connect(*conninfo, **options)


@asynccontextmanager
async def pool_that_has_lost(
    server: Postgres, monkeypatch: pytest.MonkeyPatch, *, lost: int, of: int
) -> AsyncGenerator[AsyncConnectionPool[Any]]:
    """The other connections are in use, and the lost ones are not opened again during the test."""
    monkeypatch.setattr("psycopg_pool.base.AttemptWithBackoff.INITIAL_DELAY", 3600.0)
    async with pool_of_psycopg(server, size=of, connection_class=Failing) as pool:
        await pool.wait(10.0)
        taken = [await pool.getconn() for _ in range(of)]
        try:
            monkeypatch.setattr(Failing, "fails", True)
            while len(taken) > of - lost:
                connection = taken.pop()
                await connection.close()
                await pool.putconn(connection)
            await wait_until_async(lambda: connecting_again(pool) == lost, "it waits before it connects again")
            monkeypatch.setattr(Failing, "fails", False)
            yield pool
        finally:
            for connection in taken:
                await pool.putconn(connection)


async def test_a_psycopg_pool_that_has_lost_one_while_the_others_work_is_exhausted(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pool_that_has_lost(server, monkeypatch, lost=1, of=4) as pool:
        message = "^pool exhausted: 3 of 4 in use, 1 to be made again$"
        result = await expect(postgres.psycopg_pool(pool), Status.DEGRADED, message)
        assert result.data["pool_in_use"] == (3, "")


async def test_a_psycopg_pool_that_has_lost_all_is_stuck(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    async with pool_that_has_lost(server, monkeypatch, lost=2, of=2) as pool:
        await expect(postgres.psycopg_pool(pool), Status.UNHEALTHY, "^the pool has not made its lost connections again")


@pytest.mark.parametrize("name", ["_sched", "AddConnection"])
async def test_without_psycopgs_private_names_a_pool_without_connections_is_not_healthy(
    server: Postgres, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async with pool_that_has_lost(server, monkeypatch, lost=2, of=2) as pool:
        with monkeypatch.context() as missing:
            missing.delattr(pool if name == "_sched" else psycopg_pool.pool_async, name)
            await expect(postgres.psycopg_pool(pool), Status.UNHEALTHY, TIMED_OUT)
            assert state_of(pool).answered_outside_pool().status is Status.UNHEALTHY  # what Django's check says
    async with pool_of_psycopg(server, size=1) as pool:
        await pool.wait(10.0)
        with monkeypatch.context() as missing:
            missing.delattr(pool if name == "_sched" else psycopg_pool.pool_async, name)
            await expect(postgres.psycopg_pool(pool), Status.HEALTHY, "^$")


async def test_a_psycopg_pool_that_is_connecting_is_not_exhausted(server: Postgres) -> None:
    """It counts the connections that it is opening among those that it has."""
    pool: AsyncConnectionPool[Any]

    class Connection(AsyncConnection[Any]):
        calls = 0

        @classmethod
        async def connect(cls, *conninfo: Any, **options: Any) -> Any:
            """The pool connects first, and ends between the start and the end of the check's connection."""
            cls.calls += 1
            if cls.calls == 1:
                await wait_until_async(lambda: cls.calls == 2, "the check opens an extra connection")
            else:
                await wait_until_async(lambda: pool.get_stats()["pool_available"] == 1, "the pool has connected")
            return await super().connect(*conninfo, **options)

    async with pool_of_psycopg(server, size=1, connection_class=Connection) as pool:
        await wait_until_async(lambda: Connection.calls == 1, "the pool connects")
        await expect(postgres.psycopg_pool(pool), Status.HEALTHY, "^$")


@asynccontextmanager
async def pool_of_psycopg(
    server: Postgres, *, size: int, connection_class: type[AsyncConnection[Any]] = AsyncConnection
) -> AsyncGenerator[AsyncConnectionPool[Any]]:
    target = Target(server.port)
    where = f"host={target.host} port={target.port} user={target.user} dbname={target.database} sslmode=disable"
    pool = AsyncConnectionPool(
        where,
        connection_class=connection_class,
        kwargs={"password": target.password},
        min_size=size,
        max_size=size,
        open=False,
    )
    await pool.open()
    try:
        yield pool
    finally:
        await pool.close()


@pytest.mark.parametrize("row", [row for row in ROWS if row.server == "postgres" and row.occupy], ids=str)
async def test_the_extra_connection_for_an_exhausted_pool_is_closed(server: Postgres, row: Row) -> None:
    async with row.open(Target(server.port)) as pool, occupied(row, pool):
        check = row.check(pool)
        for _ in range(5):
            await expect(check, Status.DEGRADED, "pool exhausted")
        gc.collect()  # connections of cancelled runs may be open until then
        kept = 0 if row.takes_client else 1
        await wait_until_async(
            lambda: server.connections() == 2 + kept, "only the pool is connected, and what the check keeps"
        )


def occupied(row: Row, pool: Any) -> AbstractAsyncContextManager[None]:
    assert row.occupy is not None
    return row.occupy(pool)


async def test_a_psycopg_pool_with_functions_for_its_settings_opens_extra_connections_too(
    server: Postgres,
) -> None:
    target = Target(server.port)

    async def where() -> str:
        return f"host={target.host} port={target.port} user={target.user} dbname={target.database} sslmode=disable"

    def password() -> dict[str, str]:
        return {"password": target.password}

    async with (
        AsyncConnectionPool(where, kwargs=password, min_size=1, max_size=1, open=False) as pool,
        pool.connection(),
    ):
        await expect(postgres.psycopg_pool(pool), Status.DEGRADED, "^pool exhausted: 1 of 1 in use$")


UNREADABLE = [
    "host=127.0.0.1 password=two rightsecret",
    "postgresql://health:right%zsecret@127.0.0.1/health",
    "postgres//health:rightsecret@127.0.0.1/health",
]


@pytest.mark.parametrize("conninfo", UNREADABLE)
async def test_a_conninfo_that_psycopg_cannot_read_is_not_quoted(conninfo: str) -> None:
    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(conninfo, min_size=1, open=False)
    await pool.open()
    try:
        message = "^ClientError: psycopg cannot read how the pool is to connect"
        result = await expect(postgres.psycopg_pool(pool), Status.UNHEALTHY, message)
        assert "secret" not in result.message
    finally:
        await pool.close()


@pytest.mark.parametrize("password", ["right/secret", "right#secret", "right?secret", "[rightsecret"])
async def test_a_dsn_that_asyncpg_cannot_read_is_not_quoted(password: str) -> None:
    pool = await asyncpg.create_pool(f"postgresql://health:{password}@127.0.0.1:1/health", min_size=0)
    try:
        result = await expect(asyncpg_pool(pool), Status.UNHEALTHY, "^ClientError: asyncpg cannot connect .*dsn")
        assert "right" not in result.message
        assert "secret" not in result.message
    finally:
        pool.terminate()
