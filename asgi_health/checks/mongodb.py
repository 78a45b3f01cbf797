"""MongoDB, by the async client of PyMongo."""

import asyncio
import time
from typing import TYPE_CHECKING, Any

from ..core.result import Result, healthy
from .client import AsyncCheck, Given, client_getter
from .driver import load
from .pool import Usage
from .table import described

if TYPE_CHECKING:
    from pymongo import AsyncMongoClient

LOOK = 0.02
"""Seconds between two looks at what the client's monitors have found."""

FRESH = 1.0
"""Seconds for which a monitor's finding counts. While somebody waits for a server they look every half second."""

FAREWELL = 0.5
"""Seconds that a client made for one run may take to part from its server."""


class NoServer(Exception):
    """The monitors of the client find no server that it could ask."""


@described(
    technology="MongoDB",
    extra="mongodb",
    asked="`ping` of the database `admin`, with the client's read preference; while the pool is exhausted, through a "
    "client beside it",
    costs="one round trip. While the pool is exhausted: a client more, opened and closed",
    privileges="to log in",
)
def pymongo_client(client: "Given[AsyncMongoClient[Any]]") -> AsyncCheck:
    """Return a check of MongoDB through an AsyncMongoClient.

    PyMongo itself waits 30 s for a server. This check fails as soon as the client's monitors have found none, with
    their reason. An exhausted pool is degraded, not a dead database. A connection on which a run was cancelled is
    thrown away. Raises ModuleNotFoundError without PyMongo, TypeError for another kind of client.

    Tested against a server of the tests' own that speaks MongoDB's protocol: MongoDB comes in no package that could be
    started there.
    """
    pymongo = load("pymongo", extra="mongodb")
    get = client_getter(client, pymongo.AsyncMongoClient, by="pymongo_client")

    async def ping() -> Result:
        client = get()
        usage = _usage(client)
        if usage is not None and usage.exhausted:
            spare: AsyncMongoClient[Any] = _private(client)._duplicate(maxPoolSize=1, minPoolSize=0)
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
            if reason := _no_server(client, begin - FRESH):
                raise NoServer(reason)
        question.result()
    finally:
        if not question.done():
            question.cancel()
            await asyncio.wait([question])
            if not question.cancelled():
                question.exception()  # looked at, or asyncio would complain that nobody did


def _no_server(client: "AsyncMongoClient[Any]", since: float) -> str:
    """Return why there is none to ask, when every server has been looked at since then; or nothing."""
    topology = client.topology_description
    if topology.has_readable_server(client.read_preference):
        return ""
    servers = topology.server_descriptions().values()
    if any(server.last_update_time < since or server.error is None for server in servers):
        return ""
    return "; ".join(sorted({str(server.error) for server in servers}))


def _usage(client: "AsyncMongoClient[Any]") -> Usage | None:
    """Return how full the pools are of the servers that may be asked; None where they have no limit."""
    limit = client.options.pool_options.max_pool_size
    if not limit:
        return None
    asked = client.topology_description.apply_selector(client.read_preference)
    # Private: PyMongo tells nobody how many of its connections are in use.
    pools = [server.pool for server in _private(client)._topology._servers.values() if server.description in asked]
    return Usage(sum(pool.active_sockets for pool in pools), int(limit) * max(len(pools), 1))


def _private(client: "AsyncMongoClient[Any]") -> Any:
    return client
