"""Elasticsearch and OpenSearch, by their async clients."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..core.result import Result, degraded, healthy, unhealthy
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
    asked="`GET /_cluster/health`; while all connections of the client are in use, through a client beside it",
    costs="one request, which the elected master answers from memory. While the connections are in use: one "
    "connection more, opened and closed",
    privileges="`monitor` of the cluster",
)
def elasticsearch_client(client: "ClientOrFactory[AsyncElasticsearch]") -> AsyncCheck:
    """Return a check of Elasticsearch through an AsyncElasticsearch: a red cluster fails, a yellow one is degraded.

    The nodes of the client may use aiohttp or httpx. A client whose connections are all in use is degraded too, not a
    dead cluster. The client's own retries take place within the deadline. A client that was closed opens again by
    itself, so nothing can be told of that. Raises ModuleNotFoundError without the driver, TypeError for another kind of
    client.

    Tested against a server of the tests' own, which speaks this part of the protocol: Elasticsearch comes in no package
    that could be started there.
    """
    elasticsearch = load("elasticsearch", extra="elasticsearch")
    get = client_getter(client, elasticsearch.AsyncElasticsearch, by="elasticsearch_client")

    async def ask() -> Result:
        try:
            return await judge(get())
        except elasticsearch.ConnectionError as error:
            return unhealthy(reason(error))

    async def judge(client: "AsyncElasticsearch") -> Result:
        transport = client.transport
        nodes: list[Any] = list(transport.node_pool.all())
        usage = _fullest(map(_node_usage, nodes))
        if usage is None or not usage.exhausted:
            health = await client.cluster.health()
            return _judged(health, _fullest(map(_node_usage, nodes)))
        # The clients for single requests that options() returns share all but the transport.
        spare: Any = client.options()
        spare._transport = type(transport)([node.config for node in nodes], node_class=nodes[0].__class__)
        try:
            return _judged(await spare.cluster.health(), usage)
        finally:
            await spare.close()

    return ask


@catalogued(
    technology="OpenSearch",
    extra="opensearch",
    asked="`GET /_cluster/health`; while all connections of the client are in use, through a client beside it",
    costs="one request, which the elected cluster manager answers from memory. While the connections are in use: one "
    "connection more, opened and closed",
    privileges="`cluster:monitor/health`",
)
def opensearch_client(client: "ClientOrFactory[AsyncOpenSearch]") -> AsyncCheck:
    """Return a check of OpenSearch through an AsyncOpenSearch: a red cluster fails, a yellow one is degraded.

    A client whose connections are all in use is degraded too, not a dead cluster. The client's own retries take place
    within the deadline. A client that was closed opens again by itself, so nothing can be told of that. Raises
    ModuleNotFoundError without the driver, TypeError for another kind of client.

    Tested against a server of the tests' own, which speaks this part of the protocol: OpenSearch comes in no package
    that could be started there.
    """
    opensearch = load("opensearchpy", extra="opensearch")
    load("aiohttp", extra="opensearch")  # without it the driver has no async client
    get = client_getter(client, opensearch.AsyncOpenSearch, by="opensearch_client")

    async def ask() -> Result:
        client = get()
        transport: Any = client.transport
        usage = _fullest(map(_session_usage, sessions(transport)))
        if usage is None or not usage.exhausted:
            health = await client.cluster.health()
            return _judged(health, _fullest(map(_session_usage, sessions(transport))))
        options = {name: value for name, value in transport.kwargs.items() if name != "loop"}
        spare = type(client)(transport.hosts, connection_class=transport.connection_class, **options)
        try:
            return _judged(await spare.cluster.health(), usage)
        finally:
            await spare.close()

    def sessions(transport: Any) -> list[Any]:
        return [getattr(connection, "session", None) for connection, _ in transport.connection_pool.connection_opts]

    return ask


def _judged(health: Any, usage: Usage | None) -> Result:
    found: Mapping[str, Any] = health
    status = found["status"]
    data = {} if usage is None else usage.data
    if status == "green":
        return healthy() if usage is None else usage.answered()
    told = f"the cluster is {status}: {found.get('unassigned_shards', 'some')} shards are not assigned"
    return degraded(told, data=data) if status == "yellow" else unhealthy(told, data=data)


def _node_usage(node: Any) -> Usage | None:
    """Return how full the connections to one node are, by aiohttp or by httpx."""
    if (client := getattr(node, "client", None)) is not None:
        found = pool_of(client, client.base_url)
        return found and found[1]
    return _session_usage(getattr(node, "session", None))


def _session_usage(session: Any) -> Usage | None:
    if session is None:  # it is there from the first request on
        return None
    connector = session.connector
    limit = connector.limit_per_host or connector.limit
    try:
        in_use = len(connector._acquired)  # private: aiohttp tells nobody how many of its connections are in use
    except AttributeError:
        return None
    return Usage(in_use, limit) if limit else None


def _fullest(usages: Iterable[Usage | None]) -> Usage | None:
    """Return the usage of the fullest node; None where they have no limit.

    The fullest, because a client picks its nodes in turn, and waits where a node has no connection to give.
    """
    limited = [usage for usage in usages if usage is not None]
    return max(limited, key=lambda usage: usage.in_use / usage.size, default=None)
