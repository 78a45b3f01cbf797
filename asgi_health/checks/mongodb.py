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

POLL_INTERVAL = 0.02
"""Seconds between two looks at what the monitors of the client have found."""

MAX_FINDING_AGE = 1.0
"""Seconds. A failure that a monitor found longer before the run does not count. With a request waiting, it looks again
every 0.5 s."""

ELECTION_TIMEOUT = 1.0
"""Seconds that a replica set has to elect a primary."""

CLOSE_TIMEOUT = 0.5
"""Seconds that an extra client has to end its sessions at the server."""


class NoServer(Exception):
    """The monitors of the client find no server that can be asked."""


@catalogued(
    technology="MongoDB",
    extra="mongodb",
    asked="`ping` of the database `admin`, with the client's read preference; while the pool is exhausted, through an "
    "extra client",
    costs="one round trip. While the pool is exhausted: one client more, opened and closed",
    privileges="to log in",
)
def pymongo_client(client: "ClientOrFactory[AsyncMongoClient[Any]]") -> AsyncCheck:
    """Return a check of MongoDB through an AsyncMongoClient.

    PyMongo itself waits 30 s for a server. This check fails as soon as the client's monitors have found none, with
    their reason. With the default read preference it asks the primary, which takes the writes. With another read
    preference it does not see that there is no primary. An exhausted pool is degraded. A connection on which a run was
    cancelled is closed.

    Tested against a server of the tests' own that speaks MongoDB's protocol: MongoDB comes in no package that a test
    could start.

    Args:
        client: The client, or a function that returns it.

    Raises:
        ModuleNotFoundError: PyMongo is not installed.
        TypeError: `client` is another kind of client.
    """
    pymongo = load("pymongo", extra="mongodb")
    get = client_getter(client, pymongo.AsyncMongoClient, by="pymongo_client")

    async def check() -> Result:
        client = get()
        usage = _usage(client)
        duplicate: Any = getattr(client, "_duplicate", None)  # private; without it the run waits for a connection
        if usage is not None and usage.exhausted and duplicate is not None:
            extra: AsyncMongoClient[Any] = duplicate(maxPoolSize=1, minPoolSize=0)
            try:
                await _ask(extra)
            finally:
                with pymongo.timeout(CLOSE_TIMEOUT):
                    await extra.close()
        else:
            await _ask(client)
        return healthy() if usage is None else usage.answered()

    return check


async def _ask(client: "AsyncMongoClient[Any]") -> None:
    begin = time.monotonic()
    request = asyncio.ensure_future(client.admin.command("ping", read_preference=client.read_preference))
    try:
        while not (await asyncio.wait([request], timeout=POLL_INTERVAL))[0]:
            if reason := _no_server(client, begin):
                raise NoServer(reason)
        request.result()
    finally:
        if not request.done():
            request.cancel()
            await asyncio.wait([request])
            if not request.cancelled():
                request.exception()  # retrieved, or asyncio logs that it never was


def _no_server(client: "AsyncMongoClient[Any]", begin: float) -> str:
    """Return why no server can be asked, once the monitors have looked at every server; empty before, or where one can.

    `begin` is when the run began, in monotonic seconds.
    """
    topology = client.topology_description
    if topology.has_readable_server(client.read_preference):
        return ""
    servers = topology.server_descriptions().values()
    failed = [server for server in servers if server.error]
    others = [server for server in servers if not server.error]
    errors = {str(server.error) for server in failed}
    if any(server.last_update_time < begin - MAX_FINDING_AGE for server in failed):
        return ""
    if failed and not others:
        return "; ".join(sorted(errors))
    # A server that the monitors have not looked at yet is unknown, without an error.
    if any(server.server_type_name == "Unknown" for server in others) or time.monotonic() < begin + ELECTION_TIMEOUT:
        return ""
    if not servers:
        return f"no member of the replica set {topology.replica_set_name!r} was found"
    found = "; ".join(sorted({f"{_address(server)} is {server.server_type_name}" for server in others} | errors))
    return f"none to ask with the read preference {client.read_preference.name}: {found}"


def _address(server: "ServerDescription") -> str:
    host, port = server.address
    return host if port is None else f"{host}:{port}"


def _usage(client: "AsyncMongoClient[Any]") -> Usage | None:
    """Return the usage of the pools of the servers that may be asked; None without a limit, or where it is unknown."""
    limit = client.options.pool_options.max_pool_size
    if not limit:
        return None
    asked = client.topology_description.apply_selector(client.read_preference)
    private: Any = client  # PyMongo does not expose how many of its connections are in use
    try:
        pools = [server.pool for server in private._topology._servers.values() if server.description in asked]
        in_use = sum(pool.active_sockets for pool in pools)
    except AttributeError:
        return None
    return Usage(in_use, int(limit) * max(len(pools), 1))
