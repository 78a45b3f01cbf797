"""A server of gRPC through a channel of grpc.aio, and through the client of Temporal."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from temporalio.client import Client

from asgi_health.checks.grpc import grpc_peer
from asgi_health.checks.temporal import temporal_client

from ..servers import Target
from .row import TIMED_OUT, Row

IMPATIENT = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 2000),  # milliseconds that one attempt may take
    ("grpc.max_reconnect_backoff_ms", 200),
]


@asynccontextmanager
async def open_channel(target: Target) -> AsyncGenerator[Any]:
    channel = grpc.aio.insecure_channel(f"{target.host}:{target.port}", options=IMPATIENT)
    try:
        yield channel
    finally:
        await channel.close(None)


async def close_channel(channel: Any) -> None:
    await channel.close()


@asynccontextmanager
async def open_temporal(target: Target) -> AsyncGenerator[Any]:
    yield await Client.connect(f"{target.host}:{target.port}", lazy=True)


WITHOUT = {
    "wrong_password": "the health service asks for none",
    "wrong_database": "the health service has none",
    "exhausted": "all calls share one connection",
    "exhausted_and_frozen": "all calls share one connection",
    "exhausted_and_killed": "all calls share one connection",
}

ROWS = (
    Row(
        "grpc",
        server="grpc",
        check=grpc_peer,
        open=open_channel,
        drivers=("grpc",),
        extra="grpc",
        close=close_channel,
        messages={
            "healthy": "^$",
            "refused": r"^UNAVAILABLE: .*Connection refused",
            "killed": "^UNAVAILABLE: .*(Connection refused|[Cc]losed|reset|removed)",
            "frozen": TIMED_OUT,
            "blackholed": TIMED_OUT,
            "reset": "^UNAVAILABLE: .*([Cc]losed|reset|removed)",
            "trickled": TIMED_OUT,
            "closed": r"^UsageError: Channel is closed",
            "many_runs": "^$",
        },
        without=WITHOUT,
    ),
    Row(
        "temporal",
        server="grpc",
        check=temporal_client,
        open=open_temporal,
        drivers=("temporalio",),
        extra="temporal",
        messages={
            "healthy": "^$",
            "refused": r"^RuntimeError: Failed client connect: .*refused",
            "killed": "^RPCError: .*(connect|closed|broken|reset|transport error|operation was canceled)",
            "frozen": TIMED_OUT,
            "blackholed": TIMED_OUT,
            "reset": "^RPCError: .*(connect|closed|broken|reset|transport error|operation was canceled)",
            "trickled": TIMED_OUT,
            "many_runs": "^$",
        },
        without={**WITHOUT, "closed": "the client cannot be closed"},
    ),
)
