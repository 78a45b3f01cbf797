"""Valkey, by the asyncio clients of valkey-py: plain, of a Sentinel, of a cluster."""

from typing import TYPE_CHECKING

from ._support import resp
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientOrFactory

if TYPE_CHECKING:
    from valkey.asyncio import Valkey, ValkeyCluster


@catalogued(technology="Valkey", extra="valkey", **resp.CLIENT)
def valkey_client(client: "ClientOrFactory[Valkey]", *, writable: bool = False) -> AsyncCheck:
    """Return a check of Valkey through a client of valkey.asyncio. All else is as with `redis.redis_client`.

    Args:
        client: The client, or a function that returns it. A Sentinel's ``master_for()`` makes one too.
        writable: Fail also where the server takes no writes.

    Raises:
        ModuleNotFoundError: valkey is not installed.
        TypeError: `client` is another kind of client.
    """
    return resp.client_check("valkey", "Valkey", client, writable=writable, by="valkey_client")


@catalogued(technology="Valkey cluster", extra="valkey", **resp.CLUSTER)
def valkey_cluster(client: "ClientOrFactory[ValkeyCluster]", *, writable: bool = False) -> AsyncCheck:
    """Return a check of a cluster through a client of valkey.asyncio. All else is as with `redis.redis_cluster`.

    Args:
        client: The client, or a function that returns it.
        writable: Fail also where a primary takes no writes.

    Raises:
        ModuleNotFoundError: valkey is not installed.
        TypeError: `client` is another kind of client.
    """
    return resp.cluster_check("valkey", "ValkeyCluster", client, writable=writable, by="valkey_cluster")
