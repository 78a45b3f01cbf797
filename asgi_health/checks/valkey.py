"""Valkey, by the asyncio clients of valkey-py: plain, of a Sentinel, of a cluster."""

from typing import TYPE_CHECKING

from . import resp
from .client import AsyncCheck, Given
from .table import described

if TYPE_CHECKING:
    from valkey.asyncio import Valkey, ValkeyCluster


@described(
    technology="Valkey",
    extra="valkey",
    asked="`PING` on a connection of the pool; while the pool is exhausted, on one beside it",
    costs="one round trip. While the pool is exhausted: one connection more, opened and closed. Where a Sentinel names "
    "the master: two round trips to the Sentinel for each connection that is opened",
    privileges="`+ping`, and what the client needs to connect (`+select`, `+client|setname`); of a Sentinel `+ping` "
    "and `+sentinel|masters`",
)
def valkey_client(client: "Given[Valkey]") -> AsyncCheck:
    """Return a check of Valkey through a client of valkey.asyncio, or one that a Sentinel's ``master_for()`` has made.

    The retries of the client are left out, so that the reason is told before the deadline. A client that was closed
    connects anew, as it does for every command. Raises ModuleNotFoundError without valkey, TypeError for another kind
    of client.
    """
    return resp.pinged("valkey", "Valkey", client, by="valkey_client")


@described(
    technology="Valkey cluster",
    extra="valkey",
    asked="`CLUSTER INFO` of one node: `cluster_state:ok`. A node that refuses gives way to the next; one that is "
    "silent, at the next run",
    costs="one round trip to one node. While the pool is exhausted, and before the client is used: one connection "
    "more, opened and closed",
    privileges="`+cluster|info`",
)
def valkey_cluster(client: "Given[ValkeyCluster]") -> AsyncCheck:
    """Return a check of a cluster through a client of valkey.asyncio.

    One node is enough, for they know of each other. Raises ModuleNotFoundError without valkey, TypeError for another
    kind of client.
    """
    return resp.cluster_asked("valkey", "ValkeyCluster", client, by="valkey_cluster")
