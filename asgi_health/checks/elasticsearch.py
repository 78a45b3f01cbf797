"""Elasticsearch and OpenSearch, by their async clients."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..core.result import Result, degraded, healthy, unhealthy
from ._support.aiohttp_session import usage_of_session
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientOrFactory, client_getter, load
from ._support.httpx_client import pool_of, reason
from ._support.pool import Usage

if TYPE_CHECKING:
    from elasticsearch import AsyncElasticsearch
    from opensearchpy import AsyncOpenSearch


@catalogued(
    technology="Elasticsearch",
    extra="elasticsearch",
    asked="`GET /_cluster/health`; while all connections of the client are in use, through an extra client",
    costs="one request, which the elected master answers from memory. While the connections are in use: one "
    "connection more, opened and closed",
    privileges="`monitor` of the cluster",
)
def elasticsearch_client(client: "ClientOrFactory[AsyncElasticsearch]") -> AsyncCheck:
    """Return a check of Elasticsearch through an AsyncElasticsearch: a red cluster fails, a yellow one is degraded.

    The nodes of the client may use aiohttp or httpx. A client whose connections are all in use is degraded. The client
    retries within the deadline. A client that was closed opens again by itself, so the check cannot report that.

    Tested against a server of the tests' own, which speaks this part of the protocol: Elasticsearch comes in no package
    that a test could start.

    Args:
        client: The client, or a function that returns it.

    Raises:
        ModuleNotFoundError: The driver is not installed.
        TypeError: `client` is another kind of client.
    """
    elasticsearch = load("elasticsearch", extra="elasticsearch")
    get = client_getter(client, elasticsearch.AsyncElasticsearch, by="elasticsearch_client")

    async def check() -> Result:
        try:
            return await ask(get())
        except elasticsearch.ConnectionError as error:
            return unhealthy(reason(error))

    async def ask(client: "AsyncElasticsearch") -> Result:
        transport = client.transport
        nodes: list[Any] = list(transport.node_pool.all())
        usage = _fullest(map(_node_usage, nodes))
        if usage is None or not usage.exhausted:
            health = await client.cluster.health()
            return _result(health, _fullest(map(_node_usage, nodes)))
        # options() returns a client that shares everything but the transport that is set here.
        extra: Any = client.options()
        extra._transport = type(transport)([node.config for node in nodes], node_class=nodes[0].__class__)
        try:
            return _result(await extra.cluster.health(), usage)
        finally:
            await extra.close()

    return check


@catalogued(
    technology="OpenSearch",
    extra="opensearch",
    asked="`GET /_cluster/health`; while all connections of the client are in use, through an extra client",
    costs="one request, which the elected cluster manager answers from memory. While the connections are in use: one "
    "connection more, opened and closed",
    privileges="`cluster:monitor/health`",
)
def opensearch_client(client: "ClientOrFactory[AsyncOpenSearch]") -> AsyncCheck:
    """Return a check of OpenSearch through an AsyncOpenSearch: a red cluster fails, a yellow one is degraded.

    A client whose connections are all in use is degraded. The client retries within the deadline. A client that was
    closed opens again by itself, so the check cannot report that.

    Tested against a server of the tests' own, which speaks this part of the protocol: OpenSearch comes in no package
    that a test could start.

    Args:
        client: The client, or a function that returns it.

    Raises:
        ModuleNotFoundError: The driver is not installed.
        TypeError: `client` is another kind of client.
    """
    opensearch = load("opensearchpy", extra="opensearch")
    load("aiohttp", extra="opensearch")  # without it the driver has no async client
    get = client_getter(client, opensearch.AsyncOpenSearch, by="opensearch_client")

    async def check() -> Result:
        client = get()
        transport: Any = client.transport
        usage = _fullest(map(usage_of_session, sessions(transport)))
        if usage is None or not usage.exhausted:
            health = await client.cluster.health()
            return _result(health, _fullest(map(usage_of_session, sessions(transport))))
        options = {name: value for name, value in transport.kwargs.items() if name != "loop"}
        extra = type(client)(transport.hosts, connection_class=transport.connection_class, **options)
        try:
            return _result(await extra.cluster.health(), usage)
        finally:
            await extra.close()

    def sessions(transport: Any) -> list[Any]:
        return [getattr(connection, "session", None) for connection, _ in transport.connection_pool.connection_opts]

    return check


def _result(health: Any, usage: Usage | None) -> Result:
    found: Mapping[str, Any] = health
    status = found["status"]
    data = {} if usage is None else usage.data
    if status == "green":
        return healthy() if usage is None else usage.answered()
    message = f"the cluster is {status}: {found.get('unassigned_shards', 'some')} shards are not assigned"
    return degraded(message, data=data) if status == "yellow" else unhealthy(message, data=data)


def _node_usage(node: Any) -> Usage | None:
    """Return the usage of the connections to one node, by aiohttp or by httpx."""
    if (client := getattr(node, "client", None)) is not None:
        found = pool_of(client, client.base_url)
        return found and found[1]
    return usage_of_session(getattr(node, "session", None))


def _fullest(usages: Iterable[Usage | None]) -> Usage | None:
    """Return the usage of the fullest node; None where no node has a limit.

    The fullest one, because a client picks its nodes in turn, and waits where a node has no free connection.
    """
    limited = [usage for usage in usages if usage is not None]
    return max(limited, key=lambda usage: usage.in_use / usage.size, default=None)
