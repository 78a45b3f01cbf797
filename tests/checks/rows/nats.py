"""NATS through a client that reconnects by itself."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from nats.aio.client import Client

from asgi_health.checks.nats import nats_client
from tests.support.waiting import wait_until_async

from ..servers import Target
from .row import TIMED_OUT, Row


@asynccontextmanager
async def open_client(target: Target) -> AsyncGenerator[Client]:
    async def ignore(error: Exception) -> None: ...

    client = Client()
    options = {"error_cb": ignore, "max_reconnect_attempts": -1, "reconnect_time_wait": 0.1, "connect_timeout": 1}
    where = f"nats://{target.host}:{target.port}"
    connecting = asyncio.ensure_future(
        client.connect(where, user=target.user, password=target.password, **options)  # type: ignore[arg-type]
    )
    await wait_until_async(lambda: client.is_connected or client.last_error is not None, "it has tried to connect")
    try:
        yield client
    finally:
        connecting.cancel()
        await asyncio.wait([connecting])
        with suppress(OSError):  # of a connection that was reset
            await client.close()


async def close(client: Client) -> None:
    await client.close()


LOST = "^ClientError: the client is not connected"
REFUSED = (
    rf"{LOST}: ConnectionRefusedError: \[Errno 111\] (Connect call failed \('127\.0\.0\.1', \d+\)|Connection refused)$"
)
RESET = rf"{LOST}: ConnectionResetError: "

ROWS = (
    Row(
        "nats",
        server="nats",
        check=nats_client,
        open=open_client,
        drivers=("nats",),
        extra="nats",
        close=close,
        messages={
            "healthy": "^$",
            "refused": REFUSED,
            "killed": f"{LOST}$|{REFUSED}",
            "frozen": TIMED_OUT,
            "blackholed": TIMED_OUT,
            "reset": f"{LOST}$|{RESET}",
            "trickled": TIMED_OUT,
            "wrong_password": "^ClientError: the client is closed: .*Authorization Violation",
            "closed": "^ClientError: the client is closed$",
            "many_runs": "^$",
        },
        without={
            "wrong_database": "NATS has none",
            "exhausted": "a client has one connection",
            "exhausted_and_frozen": "a client has one connection",
            "exhausted_and_killed": "a client has one connection",
        },
    ),
)
