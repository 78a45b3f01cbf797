"""Elasticsearch and OpenSearch through their async clients."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from elasticsearch import AsyncElasticsearch
from opensearchpy import AsyncOpenSearch

from asgi_health.checks import elasticsearch

from ..servers import Target
from .mark import TIMED_OUT, Row

SIZE = 2


@asynccontextmanager
async def open_elasticsearch(target: Target) -> AsyncGenerator[Any]:
    client = AsyncElasticsearch(
        f"http://{target.host}:{target.port}", basic_auth=(target.user, target.password), connections_per_node=SIZE
    )
    try:
        yield client
    finally:
        await client.close()


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
async def occupy_elasticsearch(client: Any) -> AsyncGenerator[None]:
    (node,) = client.transport.node_pool.all()
    await client.cluster.health()
    async with _requests(node.session, node.base_url):
        yield


@asynccontextmanager
async def occupy_opensearch(client: Any) -> AsyncGenerator[None]:
    await client.cluster.health()
    connection = client.transport.get_connection()
    async with _requests(connection.session, connection.host):
        yield


@asynccontextmanager
async def _requests(session: Any, base: str) -> AsyncGenerator[None]:
    """Requests that are not answered to the end, on the connections of the client."""
    async with AsyncExitStack() as stack:
        for _ in range(SIZE):
            await stack.enter_async_context(session.get(f"{base}/-/busy"))
        yield


WITHOUT = {
    "wrong_database": "a cluster has none",
    "closed": "the client opens again by itself",
}

ELASTICSEARCH = (
    Row(
        "elasticsearch",
        server="elasticsearch",
        check=elasticsearch.elasticsearch_client,
        open=open_elasticsearch,
        drivers=("elasticsearch", "aiohttp"),
        extra="elasticsearch",
        occupy=occupy_elasticsearch,
        says={
            "healthy": "^$",
            "refused": r"^ConnectionError: .*Cannot connect to host 127\.0\.0\.1:\d+",
            "killed": "^ConnectionError: .*Cannot connect to host",
            "frozen": TIMED_OUT,
            "blackholed": TIMED_OUT,
            "reset": "^ConnectionError: .*(disconnected|reset)",
            "trickled": TIMED_OUT,
            "wrong_password": r"^AuthenticationException: .*unable to authenticate user \[health\]",
            "exhausted": r"^pool exhausted: 2 of 2 in use$",
            "exhausted_and_frozen": TIMED_OUT,
            "exhausted_and_killed": "^ConnectionError: .*Cannot connect to host",
            "two_hundred_runs": "^$",
        },
        without=WITHOUT,
    ),
    Row(
        "opensearch",
        server="elasticsearch",
        check=elasticsearch.opensearch_client,
        open=open_opensearch,
        drivers=("opensearchpy", "aiohttp"),
        extra="opensearch",
        occupy=occupy_opensearch,
        says={
            "healthy": "^$",
            "refused": r"^ConnectionError: .*Cannot connect to host 127\.0\.0\.1:\d+",
            "killed": "^ConnectionError: .*Cannot connect to host",
            "frozen": TIMED_OUT,
            "blackholed": TIMED_OUT,
            "reset": "^ConnectionError: .*(disconnected|reset)",
            "trickled": TIMED_OUT,
            "wrong_password": r"^AuthenticationException: .*unable to authenticate user \[health\]",
            "exhausted": r"^pool exhausted: 2 of 2 in use$",
            "exhausted_and_frozen": TIMED_OUT,
            "exhausted_and_killed": "^ConnectionError: .*Cannot connect to host",
            "two_hundred_runs": "^$",
        },
        without=WITHOUT,
    ),
)
