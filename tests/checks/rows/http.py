"""HTTP, by httpx."""

import functools
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx

from asgi_health.checks.http import httpx_url

from ..servers import Target
from .row import TIMED_OUT, Row

SIZE = 2
REFUSED = r"^ConnectionRefusedError: \[Errno 111\] (Connect call failed|Connection refused)"
RESET = r"^(ConnectionResetError: \[Errno 104\]|RemoteProtocolError: Server disconnected)"


@functools.wraps(httpx_url)
def httpx_health(client: Any) -> Any:
    return httpx_url(client, "/health")


@asynccontextmanager
async def open_httpx(target: Target) -> AsyncGenerator[Any]:
    client = httpx.AsyncClient(
        base_url=f"http://{target.host}:{target.port}",
        auth=(target.user, target.password),
        limits=httpx.Limits(max_connections=SIZE),
        trust_env=False,
    )
    async with client:
        yield client


@asynccontextmanager
async def occupy_httpx(client: Any) -> AsyncGenerator[None]:
    async with AsyncExitStack() as stack:
        for _ in range(SIZE):
            await stack.enter_async_context(client.stream("GET", "/large"))
        yield


async def close_httpx(client: Any) -> None:
    await client.aclose()


ROWS = (
    Row(
        "httpx",
        server="http",
        check=httpx_health,
        open=open_httpx,
        drivers=("httpx",),
        extra="http",
        any_loop=True,
        close=close_httpx,
        occupy=occupy_httpx,
        messages={
            "healthy": "^$",
            "refused": REFUSED,
            "killed": f"{REFUSED}|{RESET}",
            "frozen": TIMED_OUT,
            "blackholed": TIMED_OUT,
            "reset": RESET,
            "trickled": TIMED_OUT,
            "wrong_password": "^HEAD was answered by 401, expected 200 or 204$",
            "exhausted": "^pool exhausted: 2 of 2 in use$",
            "exhausted_and_frozen": TIMED_OUT,
            "exhausted_and_killed": REFUSED,
            "closed": "^ClientError: the client is closed$",
            "many_runs": "^$",
        },
        without={"wrong_database": "HTTP has none"},
    ),
)
