"""RabbitMQ through the connections of a Celery app, in a thread."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio.to_thread
from celery import Celery
from kombu import pools

from asgi_health.checks.celery import celery_broker

from ..observe import threads_ended
from ..servers import Target
from .mark import TIMED_OUT, Row

SIZE = 2


def app_of(target: Target) -> Any:
    url = f"amqp://{target.user}:{target.password}@{target.host}:{target.port}/{target.database}"
    return Celery("tests", broker=url, broker_pool_limit=SIZE, set_as_current=False)


@asynccontextmanager
async def open_app(target: Target) -> AsyncGenerator[Any]:
    try:
        yield app_of(target)
    finally:
        await threads_ended()
        reset: Callable[[], None] = pools.reset  # of all apps, by their addresses
        reset()


@asynccontextmanager
async def occupy(app: Any) -> AsyncGenerator[None]:
    async with AsyncExitStack() as stack:
        for _ in range(SIZE):
            connection = app.pool.acquire()
            stack.callback(connection.release)
            await anyio.to_thread.run_sync(connection.connect)
        yield


CELERY = (
    Row(
        "celery",
        server="rabbitmq",
        check=celery_broker,
        open=open_app,
        drivers=("celery",),
        extra="celery",
        occupy=occupy,
        says={
            "healthy": "^$",
            "refused": r"^OperationalError: .*Connection refused",
            "killed": r"^(OperationalError|ConnectionRefusedError): .*Connection refused",
            "frozen": TIMED_OUT,
            "blackholed": TIMED_OUT,
            "reset": "^(OperationalError|ConnectionResetError|OSError): ",
            "trickled": TIMED_OUT,
            "wrong_password": "ACCESS_REFUSED - Login was refused",
            "wrong_database": "NOT_ALLOWED - vhost nowhere not found",
            "exhausted": r"^pool exhausted: 2 of 2 in use$",
            "exhausted_and_frozen": TIMED_OUT,
            "exhausted_and_killed": r"^OperationalError: .*Connection refused",
            "two_hundred_runs": "^$",
        },
        without={"closed": "an app that was closed makes itself a new pool"},
    ),
)
