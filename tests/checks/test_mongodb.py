"""What is special about MongoDB: what a run costs, and that extra clients are closed."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from asgi_health import Status
from asgi_health.checks import mongodb
from tests.support.waiting import wait_until_async

from .conftest import GetServer
from .observe import TIMED_OUT, expect, observe
from .port import reserved_port
from .rows.mongodb import ROWS as MONGODB_ROWS
from .rows.mongodb import occupy_pymongo, open_pymongo
from .servers import Target
from .servers.mongodb import MongoDB

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("checks mongodb")]

(row,) = MONGODB_ROWS


@pytest.fixture
def server(get_server: GetServer) -> Iterator[MongoDB]:
    server = get_server("mongodb")
    assert isinstance(server, MongoDB)
    yield server
    server.restore()


async def test_a_run_is_one_ping(server: MongoDB) -> None:
    async with open_pymongo(Target(server.port)) as client:
        check = row.check(client)
        before = server.pings()
        for _ in range(20):
            assert (await observe(check)).result.status is Status.HEALTHY
        assert server.pings() - before == 20


async def test_an_extra_client_for_an_exhausted_pool_is_closed(server: MongoDB) -> None:
    async with open_pymongo(Target(server.port)) as client, occupy_pymongo(client):
        connected = server.connections()
        for _ in range(5):
            await expect(row.check(client), Status.DEGRADED, "pool exhausted")
        await wait_until_async(
            lambda: server.connections() <= connected, "only the client of the application is connected"
        )


async def test_an_extra_client_that_the_deadline_cancelled_is_closed(server: MongoDB) -> None:
    async with open_pymongo(Target(server.port)) as client, occupy_pymongo(client):
        connected = server.connections()
        server.daemon.freeze()
        for _ in range(3):
            await expect(row.check(client), Status.UNHEALTHY, "^timed out", timeout=0.1)
        server.daemon.thaw()
        await wait_until_async(
            lambda: server.connections() <= connected, "only the client of the application is connected"
        )


@pytest.fixture
def secondary(tmp_path: Path) -> Iterator[MongoDB]:
    with reserved_port() as port:
        server = MongoDB(tmp_path, port, replica_set="here")
        try:
            server.start()
            yield server
        finally:
            server.daemon.kill()


@pytest.mark.parametrize(
    ("replica_set", "message"),
    [
        ("here", r"^NoServer: none to ask with the read preference Primary: 127\.0\.0\.1:\d+ is RSSecondary$"),
        ("elsewhere", "^NoServer: no member of the replica set 'elsewhere' was found$"),
    ],
)
async def test_a_replica_set_without_a_server_to_ask_fails_with_the_reason(
    secondary: MongoDB, replica_set: str, message: str
) -> None:
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(
        "127.0.0.1",
        secondary.port,
        username="health",
        password="rightsecret",
        authSource="health",
        replicaSet=replica_set,
    )
    async with client:
        await expect(row.check(client), Status.UNHEALTHY, message)


@pytest.mark.parametrize("name", ["_topology", "_duplicate"])
async def test_without_a_private_name_of_pymongo_the_usage_is_unknown(server: MongoDB, name: str) -> None:
    class Renamed(AsyncMongoClient[Any]):
        def __getattribute__(self, asked: str) -> Any:
            if asked == name and sys._getframe(1).f_globals["__name__"] == mongodb.__name__:
                raise AttributeError(asked)
            return super().__getattribute__(asked)

    client = Renamed(
        "127.0.0.1", server.port, username="health", password="rightsecret", authSource="health", maxPoolSize=2
    )
    async with client:
        await expect(row.check(client), Status.HEALTHY, "^$")
        if name == "_topology":
            return
        async with occupy_pymongo(client):
            await expect(row.check(client), Status.UNHEALTHY, TIMED_OUT)


async def test_a_pool_without_a_limit_is_never_exhausted(server: MongoDB) -> None:
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(
        "127.0.0.1", server.port, username="health", password="rightsecret", authSource="health", maxPoolSize=0
    )
    async with client, occupy_pymongo(client):
        result = await expect(row.check(client), Status.HEALTHY, "^$")
        assert not result.data
