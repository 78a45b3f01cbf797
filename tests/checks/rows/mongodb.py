"""MongoDB through the async client of PyMongo."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pymongo
from pymongo import AsyncMongoClient

from asgi_health.checks import mongodb

from ..servers import Target
from .row import TIMED_OUT, Row

SIZE = 2
CLOSED = "[Cc]onnection (is )?(already )?closed"  # the longer forms are those of uvloop


@asynccontextmanager
async def open_pymongo(target: Target) -> AsyncGenerator[Any]:
    client: AsyncMongoClient[Any] = AsyncMongoClient(
        target.host,
        target.port,
        username=target.user,
        password=target.password,
        authSource=target.database,
        maxPoolSize=SIZE,
    )
    try:
        yield client
    finally:
        with pymongo.timeout(0.2):
            await client.close()


@asynccontextmanager
async def occupy_pymongo(client: Any) -> AsyncGenerator[None]:
    """Check out connections, as cursors do that keep theirs."""
    await client.admin.command("ping")
    # Private: a cursor that keeps its connection needs more rows than the test has.
    (server,) = client._topology._servers.values()
    async with AsyncExitStack() as stack:
        for _ in range(SIZE):
            await stack.enter_async_context(server.pool.checkout())
        yield


async def close_pymongo(client: Any) -> None:
    await client.close()


ROWS = (
    Row(
        "pymongo",
        server="mongodb",
        check=mongodb.pymongo_client,
        open=open_pymongo,
        drivers=("pymongo",),
        extra="mongodb",
        close=close_pymongo,
        occupy=occupy_pymongo,
        messages={
            "healthy": "^$",
            "refused": r"^NoServer: 127\.0\.0\.1:\d+: .*(Connect call failed|Connection refused)",
            "killed": f"^(AutoReconnect|NoServer): .*(Connect call failed|Connection refused|{CLOSED}|reset)",
            "frozen": TIMED_OUT,
            "blackholed": TIMED_OUT,
            "reset": "^(AutoReconnect|NoServer): .*(reset|closed)",
            "trickled": TIMED_OUT,
            "wrong_password": r"^OperationFailure: Authentication failed\.",
            "wrong_database": r"^OperationFailure: Authentication failed\.",
            "exhausted": r"^pool exhausted: 2 of 2 in use$",
            "exhausted_and_frozen": TIMED_OUT,
            "exhausted_and_killed": "^NoServer: .*(Connect call failed|Connection refused)",
            "closed": "^InvalidOperation: Cannot use AsyncMongoClient after close$",
            "many_runs": "^$",
        },
    ),
)
