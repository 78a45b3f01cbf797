"""memcached, by aiomcache."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiomcache

from asgi_health.checks.memcached import aiomcache_client

from ..servers import Target
from .row import TIMED_OUT, Row

SIZE = 2
GONE = "^Connection(Refused|Reset|Aborted)Error: "


@asynccontextmanager
async def open_aiomcache(target: Target) -> AsyncGenerator[Any]:
    client = aiomcache.Client(target.host, target.port, pool_size=SIZE)
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def occupy_aiomcache(client: Any) -> AsyncGenerator[None]:
    # Private: aiomcache has no public way to keep a connection.
    taken = [await client._pool.acquire() for _ in range(SIZE)]
    try:
        yield
    finally:
        for connection in taken:
            client._pool.release(connection)


ROWS = (
    Row(
        "aiomcache",
        server="memcached",
        check=aiomcache_client,
        open=open_aiomcache,
        drivers=("aiomcache",),
        extra="memcached",
        occupy=occupy_aiomcache,
        messages={
            "healthy": "^$",
            "refused": "^ConnectionRefusedError: ",
            "killed": GONE,
            "frozen": TIMED_OUT,
            "blackholed": TIMED_OUT,
            "reset": GONE,
            "trickled": TIMED_OUT,
            "exhausted": "^pool exhausted: 2 of 2 in use$",
            "exhausted_and_frozen": TIMED_OUT,
            "exhausted_and_killed": "^ConnectionRefusedError: ",
            "many_runs": "^$",
        },
        without={
            "wrong_password": "aiomcache cannot log in",
            "wrong_database": "memcached has none",
            "closed": "a client that was closed connects anew",
        },
    ),
)
