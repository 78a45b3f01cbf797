"""MongoDB, by the async client of PyMongo."""

import asyncio
import time
from typing import TYPE_CHECKING, Any

from ..core.result import Result, healthy
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientOrFactory, client_getter, load
from ._support.pool import Usage

if TYPE_CHECKING:
    from pymongo import AsyncMongoClient
    from pymongo.server_description import ServerDescription

LOOK = 0.02
"""Seconds between two looks at what the client's monitors have found."""

FRESH = 1.0
"""Seconds for which a monitor's finding counts. While somebody waits for a server they look every half second."""

ELECTION = 1.0
"""Seconds that a replica set gets to have a primary again. It is without one while it elects one."""

FAREWELL = 0.5
"""Seconds that a client made for one run may take to part from its server."""


class NoServer(Exception):
    """The monitors of the client find no server that it could ask."""


@catalogued(
    technology="MongoDB",
    extra="mongodb",
    asked="`ping` of the database `admin`, with the client's read preference; while the pool is exhausted, through a "
    "client beside it",
    costs="one round trip. While the pool is exhausted: a client more, opened and closed",
    privileges="to log in",
)
def pymongo_client(client: "ClientOrFactory[AsyncMongoClient[Any]]") -> AsyncCheck:
    """Return a check of MongoDB through an AsyncMongoClient.

    PyMongo itself waits 30 s for a server. This check fails as soon as the client's monitors have found none, with
    their reason. With the read preference that a client has by default it asks the primary, which is what takes writes;
    with another one it does not see that there is none. An exhausted pool is degraded, not a dead database. A
    connection on which a run was cancelled is thrown away. Raises ModuleNotFoundError without PyMongo, TypeError for
    another kind of client.

    Tested against a server of the tests' own that speaks MongoDB's protocol: MongoDB comes in no package that could be
    started there.
    """
    pymongo = load("pymongo", extra="mongodb")
    get = client_getter(client, pymongo.AsyncMongoClient, by="pymongo_client")

    async def ping() -> Result:
        client = get()
        usage = _usage(client)
        duplicate: Any = getattr(client, "_duplicate", None)  # private: without it the run has to wait its turn
        if usage is not None and usage.exhausted and duplicate is not None:
            spare: AsyncMongoClient[Any] = duplicate(maxPoolSize=1, minPoolSize=0)
            try:
                await _ask(spare)
            finally:
                with pymongo.timeout(FAREWELL):
                    await spare.close()
        else:
            await _ask(client)
        return healthy() if usage is None else usage.answered()

    return ping


async def _ask(client: "AsyncMongoClient[Any]") -> None:
    begin = time.monotonic()
    question = asyncio.ensure_future(client.admin.command("ping", read_preference=client.read_preference))
    try:
        while not (await asyncio.wait([question], timeout=LOOK))[0]:
            if reason := _no_server(client, begin):
                raise NoServer(reason)
        question.result()
    finally:
        if not question.done():
            question.cancel()
            await asyncio.wait([question])
            if not question.cancelled():
                question.exception()  # looked at, or asyncio would complain that nobody did


def _no_server(client: "AsyncMongoClient[Any]", begin: float) -> str:
    """Return why there is none to ask, when every server has been looked at lately; or nothing."""
    topology = client.topology_description
    if topology.has_readable_server(client.read_preference):
        return ""
    servers = topology.server_descriptions().values()
    failed = [server for server in servers if server.error]
    others = [server for server in servers if not server.error]
    errors = {str(server.error) for server in failed}
    if any(server.last_update_time < begin - FRESH for server in failed):
        return ""
    if failed and not others:
        return "; ".join(sorted(errors))
    # A server that the monitors have not looked at yet is unknown without an error.
    if any(server.server_type_name == "Unknown" for server in others) or time.monotonic() < begin + ELECTION:
        return ""
    if not servers:
        return f"no member of the replica set {topology.replica_set_name!r} was found"
    found = "; ".join(sorted({f"{_address(server)} is {server.server_type_name}" for server in others} | errors))
    return f"none to ask with the read preference {client.read_preference.name}: {found}"


def _address(server: "ServerDescription") -> str:
    host, port = server.address
    return host if port is None else f"{host}:{port}"


def _usage(client: "AsyncMongoClient[Any]") -> Usage | None:
    """Return how full the pools are of the servers that may be asked; None without a limit, or where nothing tells."""
    limit = client.options.pool_options.max_pool_size
    if not limit:
        return None
    asked = client.topology_description.apply_selector(client.read_preference)
    private: Any = client  # PyMongo tells nobody how many of its connections are in use
    try:
        pools = [server.pool for server in private._topology._servers.values() if server.description in asked]
        in_use = sum(pool.active_sockets for pool in pools)
    except AttributeError:
        return None
    return Usage(in_use, int(limit) * max(len(pools), 1))
