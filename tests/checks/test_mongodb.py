"""What is special about MongoDB: what a run costs, and what a client beside the pool leaves behind."""

from collections.abc import Iterator

import pytest
from pymongo import AsyncMongoClient

from asgi_health import Status

from .conftest import GetServer
from .observe import expect, observe, until
from .rows.mongodb import MONGODB, occupy_pymongo, open_pymongo
from .servers import Target
from .servers.mongodb import MongoDB

pytestmark = pytest.mark.anyio

(row,) = MONGODB


@pytest.fixture
def server(get_server: GetServer) -> Iterator[MongoDB]:
    server = get_server("mongodb")
    assert isinstance(server, MongoDB)
    yield server
    server.mend()


async def test_a_run_is_one_ping(server: MongoDB) -> None:
    async with open_pymongo(Target(server.port)) as client:
        check = row.check(client)
        before = server.pings()
        for _ in range(50):
            assert (await observe(check)).result.status is Status.HEALTHY
        assert server.pings() - before == 50


async def test_a_client_that_was_opened_beside_an_exhausted_pool_is_closed_again(server: MongoDB) -> None:
    async with open_pymongo(Target(server.port)) as client, occupy_pymongo(client):
        connected = server.connections()
        for _ in range(10):
            await expect(row.check(client), Status.DEGRADED, "pool exhausted")
        await until(lambda: server.connections() <= connected, "only the client of the application is connected")


async def test_a_client_beside_an_exhausted_pool_that_the_deadline_cut_off_is_closed_too(server: MongoDB) -> None:
    async with open_pymongo(Target(server.port)) as client, occupy_pymongo(client):
        connected = server.connections()
        server.daemon.freeze()
        for _ in range(3):
            await expect(row.check(client), Status.UNHEALTHY, "^timed out", timeout=0.1)
        server.daemon.thaw()
        await until(lambda: server.connections() <= connected, "only the client of the application is connected")


async def test_a_pool_without_a_limit_is_never_exhausted(server: MongoDB) -> None:
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(
        "127.0.0.1", server.port, username="health", password="rightsecret", authSource="health", maxPoolSize=0
    )
    async with client, occupy_pymongo(client):
        result = await expect(row.check(client), Status.HEALTHY, "^$")
        assert not result.data
