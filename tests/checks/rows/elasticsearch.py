"""Elasticsearch and OpenSearch through their async clients."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from elastic_transport import AiohttpHttpNode, BaseAsyncNode, HttpxAsyncHttpNode
from elasticsearch import AsyncElasticsearch
from opensearchpy import AsyncOpenSearch

from asgi_health.checks import elasticsearch

from ..servers import Target
from .row import TIMED_OUT, Occupy, Open, Row

SIZE = 2


def elasticsearch_by(node: type[BaseAsyncNode]) -> Open:
    @asynccontextmanager
    async def open_client(target: Target) -> AsyncGenerator[Any]:
        client = AsyncElasticsearch(
            f"http://{target.host}:{target.port}",
            basic_auth=(target.user, target.password),
            connections_per_node=SIZE,
            node_class=node,
        )
        try:
            yield client
        finally:
            await client.close()

    return open_client


@asynccontextmanager
async def open_opensearch(target: Target) -> AsyncGenerator[Any]:
    client = AsyncOpenSearch(
        [{"host": target.host, "port": target.port}], http_auth=(target.user, target.password), maxsize=SIZE
    )
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def occupy_aiohttp(client: Any) -> AsyncGenerator[None]:
    (node,) = client.transport.node_pool.all()
    await client.cluster.health()
    async with _requests(node.session, node.base_url):
        yield


@asynccontextmanager
async def occupy_httpx(client: Any) -> AsyncGenerator[None]:
    (node,) = client.transport.node_pool.all()
    async with AsyncExitStack() as stack:
        for _ in range(SIZE):
            await stack.enter_async_context(node.client.stream("GET", "/-/busy"))
        yield


@asynccontextmanager
async def occupy_opensearch(client: Any) -> AsyncGenerator[None]:
    await client.cluster.health()
    connection = client.transport.get_connection()
    async with _requests(connection.session, connection.host):
        yield


@asynccontextmanager
async def _requests(session: Any, base: str) -> AsyncGenerator[None]:
    """Take all connections of the client by requests whose answers are incomplete."""
    async with AsyncExitStack() as stack:
        for _ in range(SIZE):
            await stack.enter_async_context(session.get(f"{base}/-/busy"))
        yield


# Elasticsearch: the error of the system. OpenSearch: the error of its driver.
REFUSED = r"^Connection(Refused)?Error: .*(Connect call failed \('127\.0\.0\.1', \d+\)|Connection refused)"
RESET = r"^(Connection(Reset)?Error: .*Connection reset by peer|(ConnectionError: .*)?Server ?[dD]isconnected)"
WITHOUT = {
    "wrong_database": "a cluster has none",
    "closed": "the client opens again by itself",
}

MESSAGES = {
    "healthy": "^$",
    "refused": REFUSED,
    "killed": REFUSED,
    "frozen": TIMED_OUT,
    "blackholed": TIMED_OUT,
    "reset": RESET,
    "trickled": TIMED_OUT,
    "wrong_password": r"^AuthenticationException: .*unable to authenticate user \[health\]",
    "exhausted": r"^pool exhausted: 2 of 2 in use$",
    "exhausted_and_frozen": TIMED_OUT,
    "exhausted_and_killed": REFUSED,
    "many_runs": "^$",
}


def row(name: str, check: Any, opened: Open, occupy: Occupy, *drivers: str) -> Row:
    return Row(
        name,
        server="elasticsearch",
        check=check,
        open=opened,
        drivers=drivers,
        extra=name.partition("-")[0],
        occupy=occupy,
        messages=MESSAGES,
        without=WITHOUT,
    )


ROWS = (
    row(
        "elasticsearch",
        elasticsearch.elasticsearch_client,
        elasticsearch_by(AiohttpHttpNode),
        occupy_aiohttp,
        "elasticsearch",
    ),
    row(
        "elasticsearch-httpx",
        elasticsearch.elasticsearch_client,
        elasticsearch_by(HttpxAsyncHttpNode),
        occupy_httpx,
        "elasticsearch",
    ),
    row(
        "opensearch",
        elasticsearch.opensearch_client,
        open_opensearch,
        occupy_opensearch,
        "opensearchpy",
        "aiohttp",
    ),
)
