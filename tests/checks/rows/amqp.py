"""RabbitMQ through a connection that reconnects by itself."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from aio_pika.connection import make_url
from aio_pika.robust_connection import RobustConnection

from asgi_health.checks.amqp import aio_pika_connection

from ..observe import until
from ..servers import Target
from .mark import TIMED_OUT, Row


@asynccontextmanager
async def open_robust(target: Target) -> AsyncGenerator[RobustConnection]:
    url = make_url(
        host=target.host,
        port=target.port,
        login=target.user,
        password=target.password,
        virtualhost=target.database,
        reconnect_interval=0.1,
        fail_fast=0,
    )
    tried = asyncio.Event()

    def failed(*_: Any) -> None:
        tried.set()

    connection = RobustConnection(url)
    connection.close_callbacks.add(failed)
    connecting = asyncio.create_task(connection.connect())
    await until(lambda: tried.is_set() or connecting.done(), "it has tried to connect")
    try:
        yield connection
    finally:
        connecting.cancel()
        await asyncio.wait([connecting])
        await connection.close()


async def close(connection: RobustConnection) -> None:
    await connection.close()


AMQP = (
    Row(
        "aio-pika",
        server="rabbitmq",
        check=aio_pika_connection,
        open=open_robust,
        drivers=("aio_pika",),
        extra="amqp",
        close=close,
        says={
            "healthy": "^$",
            "refused": "^AMQPConnectionError: .*(Connect call failed|Connection refused)",
            "killed": "AMQPConnectionError|Connection(Closed|Reset)|ChannelInvalidState|lost",
            "frozen": TIMED_OUT,
            "blackholed": TIMED_OUT,
            "reset": "AMQPConnectionError|Connection(Closed|Reset)|ChannelInvalidState|lost",
            "trickled": TIMED_OUT,
            "wrong_password": "^ProbableAuthenticationError: ACCESS_REFUSED",
            "wrong_database": "^ClientError: the server refused the virtual host 'nowhere'$",
            "closed": "^ClientError: the connection is closed$",
            "two_hundred_runs": "^$",
        },
        without={
            "exhausted": "it is one connection, of more channels than a check could use up",
            "exhausted_and_frozen": "it is one connection",
            "exhausted_and_killed": "it is one connection",
        },
    ),
)
