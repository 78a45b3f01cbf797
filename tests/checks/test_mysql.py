"""What is special about MySQL: drivers that like to reconnect."""

from collections.abc import Iterator
from typing import Any

import pytest
from asyncmy.pool import Pool as AsyncmyPool

from asgi_health import Status
from asgi_health.checks.mysql import asyncmy_pool
from tests.support.waiting import wait_until_async

from .conftest import GetServer
from .observe import expect
from .proxy import proxied
from .rows import Row
from .rows.mysql import ROWS as MYSQL_ROWS
from .servers import Target
from .servers.mariadb import MariaDB

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("checks mariadb")]

pools = pytest.mark.parametrize("row", [row for row in MYSQL_ROWS if row.extra == "mysql"], ids=str)


@pytest.fixture
def server(get_server: GetServer) -> Iterator[MariaDB]:
    server = get_server("mariadb")
    assert isinstance(server, MariaDB)
    yield server
    server.restore()


@pools
async def test_a_connection_that_dies_during_the_ping_is_not_hidden_by_a_reconnect(server: MariaDB, row: Row) -> None:
    async with proxied(server.port) as proxy, row.open(Target(proxy.port)) as pool:
        check = row.check(pool)
        await expect(check, Status.HEALTHY, "^$")
        acquire = pool.acquire

        async def acquire_and_lose() -> Any:
            connection = await acquire()
            proxy.cut()
            await wait_until_async(lambda: server.connections() == 0, "the server has lost it")
            return connection

        pool.acquire = acquire_and_lose
        # uvloop raises the last one for a connection that was reset.
        lost = r"^OperationalError: \((2006|2013), |^RuntimeError: .*the handler is closed$"
        await expect(check, Status.UNHEALTHY, lost)
        pool.acquire = acquire
        await expect(check, Status.HEALTHY, "^$")


@pools
async def test_the_extra_connection_for_an_exhausted_pool_is_closed(server: MariaDB, row: Row) -> None:
    assert row.occupy is not None
    async with row.open(Target(server.port)) as pool, row.occupy(pool):
        for _ in range(5):
            await expect(row.check(pool), Status.DEGRADED, "pool exhausted")
        await wait_until_async(lambda: server.connections() == 2, "only the pool is connected")


async def test_a_broken_connection_of_an_old_asyncmy_is_not_connected_when_it_returns_to_the_pool() -> None:
    class Connection:
        """In old releases `close` leaves `connected` as it is, and the pool reads nothing else."""

        _connected = True

        @property
        def connected(self) -> bool:
            return self._connected

        def close(self) -> None: ...

        async def ping(self, *, reconnect: bool) -> None:
            raise OSError("gone")

    released: list[bool] = []

    async def acquire() -> Connection:
        return Connection()

    async def release(connection: Connection) -> None:
        released.append(connection.connected)

    pool: Any = AsyncmyPool(1, 1)
    pool.acquire, pool.release = acquire, release
    await expect(asyncmy_pool(pool), Status.UNHEALTHY, "^OSError: gone$")
    assert released == [False]
