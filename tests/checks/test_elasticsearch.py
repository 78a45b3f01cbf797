"""What is special about Elasticsearch and OpenSearch: the colour of the cluster."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from asgi_health import Status
from tests.support.waiting import wait_until_async

from .conftest import GetServer
from .observe import expect, observe
from .rows import Row
from .rows.elasticsearch import ROWS as ELASTICSEARCH_ROWS
from .servers import Target
from .servers.elasticsearch import Elasticsearch
from .servers.server import PASSWORD

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("checks elasticsearch")]

each_client = pytest.mark.parametrize("row", ELASTICSEARCH_ROWS, ids=str)


@pytest.fixture
def server(get_server: GetServer) -> Iterator[Elasticsearch]:
    server = get_server("elasticsearch")
    assert isinstance(server, Elasticsearch)
    yield server
    server.restore()
    server.become("green")


@each_client
async def test_a_yellow_cluster_is_degraded_a_red_one_fails_and_a_green_one_is_healthy(
    server: Elasticsearch, row: Row
) -> None:
    async with row.open(Target(server.port)) as client:
        check = row.check(client)
        server.become("yellow")
        message = "^the cluster is yellow: 2 shards are not assigned$"
        await expect(check, Status.DEGRADED, message)
        server.become("red")
        await expect(check, Status.UNHEALTHY, "^the cluster is red: 4 shards are not assigned$")
        server.become("green")
        await expect(check, Status.HEALTHY, "^$")


@each_client
async def test_a_red_cluster_is_red_also_when_the_connections_are_in_use(server: Elasticsearch, row: Row) -> None:
    assert row.occupy is not None
    async with row.open(Target(server.port)) as client, row.occupy(client):
        server.become("red")
        await expect(row.check(client), Status.UNHEALTHY, "^the cluster is red")
        await wait_until_async(lambda: server.connections() == 2, "only the client of the application is connected")


@each_client
async def test_a_run_is_one_request(server: Elasticsearch, row: Row) -> None:
    async with row.open(Target(server.port)) as client:
        check = row.check(client)
        before = server.asked()
        for _ in range(20):
            assert (await observe(check)).result.status is Status.HEALTHY
        assert server.asked() - before == 20


@pytest.mark.parametrize("row", [row for row in ELASTICSEARCH_ROWS if row.name.startswith("elasticsearch")], ids=str)
async def test_a_key_that_is_not_valid_in_a_header_is_not_shown(server: Elasticsearch, row: Row) -> None:
    async with row.open(Target(server.port)) as client:
        check = row.check(client.options(api_key=f"{PASSWORD}\n"))
        await expect(check, Status.UNHEALTHY, "^(the request cannot be sent: a header, or|ValueError: )")


@pytest.mark.parametrize("row", [row for row in ELASTICSEARCH_ROWS if "httpx" not in row.name], ids=str)
async def test_an_aiohttp_whose_usage_cannot_be_seen_is_still_asked(server: Elasticsearch, row: Row) -> None:
    class Reworked:
        """A session without aiohttp's private attributes."""

        def __init__(self, inner: Any) -> None:
            self._inner = inner
            self.connector = SimpleNamespace(limit=2, limit_per_host=0)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

    async with row.open(Target(server.port)) as client:
        check = row.check(client)
        await expect(check, Status.HEALTHY, "^$")
        pool = getattr(client.transport, "node_pool", None)
        holder = pool.get() if pool is not None else client.transport.get_connection()
        holder.session = Reworked(holder.session)
        assert (await expect(check, Status.HEALTHY, "^$")).data == {}
