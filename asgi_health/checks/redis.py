"""Redis, by the asyncio clients of redis-py: plain, of a Sentinel, of a cluster."""

from typing import TYPE_CHECKING

from ._support import resp
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientOrFactory

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster


@catalogued(
    technology="Redis",
    extra="redis",
    asked="`PING` on a connection of the pool; while the pool is exhausted, on one beside it. `writable`: `INFO` "
    "instead",
    costs="one round trip. While the pool is exhausted: one connection more, opened and closed. Where a Sentinel names "
    "the master: two round trips to the Sentinel for each connection that is opened",
    privileges="`+ping` (`writable`: `+info`), and what the client needs to connect (`+select`, `+client|setname`); of "
    "a Sentinel `+ping` and `+sentinel|masters`",
)
def redis_client(client: "ClientOrFactory[Redis]", *, writable: bool = False) -> AsyncCheck:
    """Return a check of Redis through a client of redis.asyncio, or one that a Sentinel's ``master_for()`` has made.

    With `writable` it fails where the server takes no writes: a replica, whatever its ``replica-read-only``; one that
    has used up ``maxmemory`` and may not evict, or has nothing to; one that cannot write its append-only file, or has
    none of the replicas that it wants. A failed snapshot is degraded: by default it stops the writes, but INFO does
    not say whether it does. It writes nothing, so it does not see that there are some replicas but fewer than
    ``min-replicas-to-write``, nor which keys and commands the user may not use.

    The retries of the client are left out, so that the reason is told before the deadline. A client that was closed
    connects anew, as it does for every command. Raises ModuleNotFoundError without redis, TypeError for another kind
    of client.
    """
    return resp.pinged("redis", "Redis", client, writable=writable, by="redis_client")


@catalogued(
    technology="Redis cluster",
    extra="redis",
    asked="`CLUSTER INFO` of one node: `cluster_state:ok`. A node that refuses gives way to the next; one that is "
    "silent, at the next run. `writable`: at the same time `INFO` of each primary",
    costs="one round trip to one node, with `writable` to each primary. While the pool is exhausted, and before the "
    "client is used: one connection more, opened and closed",
    privileges="`+cluster|info`, and for `writable` `+info`",
)
def redis_cluster(client: "ClientOrFactory[RedisCluster]", *, writable: bool = False) -> AsyncCheck:
    """Return a check of a cluster through a client of redis.asyncio.

    One node is enough, because they know of each other. A cluster in which slots have no primary that answers is not
    ok.

    With `writable` it also fails where a primary takes no writes, as `redis_client` has it, whose limits this has too.
    One that cannot be reached is left to the other nodes, which replace it or take it for lost; one that is silent
    takes all of the time that the check has. A client that was not used yet, or has not learnt of a failover, knows not
    all primaries: that is degraded.

    Raises ModuleNotFoundError without redis, TypeError for another kind of client.
    """
    return resp.cluster_asked("redis", "RedisCluster", client, writable=writable, by="redis_cluster")
