"""Redis, by the asyncio clients of redis-py: plain, of a Sentinel, of a cluster."""

from typing import TYPE_CHECKING

from ._support import resp
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientOrFactory

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster


@catalogued(technology="Redis", extra="redis", **resp.CLIENT)
def redis_client(client: "ClientOrFactory[Redis]", *, writable: bool = False) -> AsyncCheck:
    """Return a check of Redis through a client of redis.asyncio, or one that a Sentinel's ``master_for()`` has made.

    The check does not use the retries of the client, so that it reports the reason before the deadline. A client that
    was closed connects again, as it does for every command.

    Args:
        client: The client, or a function that returns it.
        writable: Fail also where the server takes no writes: a replica, whatever its ``replica-read-only``; a server
            that has used up ``maxmemory`` and may evict nothing; one that cannot write its append-only file, or has
            none of the replicas that ``min-replicas-to-write`` demands. A failed snapshot is degraded: by default it
            stops the writes, but INFO does not show whether it does. The check writes nothing. So it does not see a
            number of replicas that is not 0 but too small, nor which keys and commands the user may not use.

    Raises:
        ModuleNotFoundError: redis is not installed.
        TypeError: `client` is another kind of client.
    """
    return resp.client_check("redis", "Redis", client, writable=writable, by="redis_client")


@catalogued(technology="Redis cluster", extra="redis", **resp.CLUSTER)
def redis_cluster(client: "ClientOrFactory[RedisCluster]", *, writable: bool = False) -> AsyncCheck:
    """Return a check of a cluster of Redis through a client of redis.asyncio.

    One node is enough, because the nodes know of each other. A cluster in which slots have no primary that answers is
    not ok.

    Args:
        client: The client, or a function that returns it.
        writable: Fail also where a primary takes no writes, as `redis_client` does, with the same limits. A primary
            that cannot be reached is ignored: the other nodes replace it, or the cluster is not ok. A silent primary
            uses up the timeout of the check. A client that was not used yet, or has not learnt of a failover, does not
            know all primaries: that is degraded.

    Raises:
        ModuleNotFoundError: redis is not installed.
        TypeError: `client` is another kind of client.
    """
    return resp.cluster_check("redis", "RedisCluster", client, writable=writable, by="redis_cluster")
