"""RabbitMQ through a connection that reconnects by itself, and through a plain one."""

import asyncio
import functools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

from aio_pika import Connection
from aio_pika.connection import make_url
from aio_pika.robust_connection import RobustConnection
from yarl import URL

from asgi_health.checks.amqp import aio_pika_connection, rabbitmq_queue
from tests.support.waiting import wait_until_async

from ..servers import Target
from ..servers.rabbitmq import QUEUE
from .row import TIMED_OUT, Open, Row

CURRENT: dict[Connection, Connection] = {}
"""By the first connection of an application: the one that replaced it."""


def url_of(target: Target, **options: Any) -> URL:
    login: dict[str, Any] = {"login": target.user, "password": target.password, "virtualhost": target.database}
    return make_url(host=target.host, port=target.port, **login, **options)


@asynccontextmanager
async def open_robust(target: Target) -> AsyncGenerator[RobustConnection]:
    tried = asyncio.Event()

    def failed(*_: Any) -> None:
        tried.set()

    connection = RobustConnection(url_of(target, reconnect_interval=0.1, fail_fast=0))
    connection.close_callbacks.add(failed)
    connecting = asyncio.create_task(connection.connect())
    await wait_until_async(lambda: tried.is_set() or connecting.done(), "it has tried to connect")
    try:
        yield connection
    finally:
        connecting.cancel()
        await asyncio.wait([connecting])
        await connection.close()


@asynccontextmanager
async def open_plain(target: Target) -> AsyncGenerator[Connection]:
    """An application that makes another connection when it has lost the one it had."""
    first = Connection(url_of(target))
    with suppress(Exception):
        await first.connect()
    CURRENT[first] = first

    async def stay_connected() -> None:
        while True:
            await asyncio.sleep(0.05)
            current = CURRENT[first]
            if not (current.connected.is_set() or current.is_closed):
                fresh = Connection(url_of(target))
                with suppress(Exception):
                    await fresh.connect()
                    CURRENT[first] = fresh

    application = asyncio.create_task(stay_connected())
    try:
        yield first
    finally:
        application.cancel()
        await asyncio.wait([application])
        await CURRENT.pop(first).close()
        await first.close()


@functools.wraps(aio_pika_connection)
def plain_connection(given: Any) -> Any:
    return aio_pika_connection((lambda: CURRENT[given]) if isinstance(given, Connection) else given)


@functools.wraps(rabbitmq_queue)
def queue_of(given: Any) -> Any:
    return rabbitmq_queue(given, QUEUE, min_consumers=0)


@functools.wraps(rabbitmq_queue)
def queue_of_plain(given: Any) -> Any:
    return rabbitmq_queue((lambda: CURRENT[given]) if isinstance(given, Connection) else given, QUEUE, min_consumers=0)


async def close(connection: Connection) -> None:
    await CURRENT.get(connection, connection).close()


REFUSED = r"^AMQPConnectionError: \[Errno 111\] (Connect call failed \('127\.0\.0\.1', \d+\)|Connection refused)$"
RESET = r"^(AMQPConnectionError: Server connection (reset|unexpectedly closed|error)|ConnectionResetError: )"


def row(name: str, check: Any, opened: Open) -> Row:
    return Row(
        name,
        server="rabbitmq",
        check=check,
        open=opened,
        drivers=("aio_pika",),
        extra="amqp",
        close=close,
        messages={
            "healthy": "^$",
            "refused": REFUSED,
            "killed": f"{REFUSED}|{RESET}",
            "frozen": TIMED_OUT,
            "blackholed": TIMED_OUT,
            "reset": RESET,
            "trickled": TIMED_OUT,
            "wrong_password": "^ProbableAuthenticationError: ACCESS_REFUSED",
            "wrong_database": "^ClientError: the server refused the virtual host 'nowhere'$",
            "closed": "^ClientError: the connection is closed$",
            "many_runs": "^$",
        },
        without={
            "exhausted": "it is one connection, of more channels than a check could use up",
            "exhausted_and_frozen": "it is one connection",
            "exhausted_and_killed": "it is one connection",
        },
    )


ROWS = (
    row("aio-pika", aio_pika_connection, open_robust),
    row("aio-pika-plain", plain_connection, open_plain),
    row("rabbitmq-queue", queue_of, open_robust),
    row("rabbitmq-queue-plain", queue_of_plain, open_plain),
)
