"""RabbitMQ and Redis as the brokers of a Celery app, in a thread, and a worker whose heartbeats arrive there."""

import sys
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread
from celery import Celery
from kombu import pools

from asgi_health.checks.celery import celery_broker, celery_workers

from ..daemon import Daemon
from ..observe import threads_ended
from ..servers import Target
from .row import TIMED_OUT, Row

SIZE = 2
ROOT = Path(__file__).parents[3]
DATABASES = {"health": 0, "nowhere": 99}


def rabbitmq(target: Target) -> str:
    return f"amqp://{target.user}:{target.password}@{target.host}:{target.port}/{target.database}"


def redis(target: Target) -> str:
    return f"redis://{target.user}:{target.password}@{target.host}:{target.port}/{DATABASES[target.database]}"


BROKERS = {"rabbitmq": rabbitmq, "redis": redis}


def app_of(broker: str) -> Any:
    return Celery("tests", broker=broker, broker_pool_limit=SIZE, set_as_current=False)


@asynccontextmanager
async def open_app(broker: Callable[[Target], str], target: Target) -> AsyncGenerator[Any]:
    try:
        yield app_of(broker(target))
    finally:
        await threads_ended()
        close_pools()


def close_pools() -> None:
    """Close the pools of all apps: apps of one address share a pool."""
    reset: Callable[[], None] = pools.reset
    reset()


@asynccontextmanager
async def open_with_worker(broker: Callable[[Target], str], target: Target) -> AsyncGenerator[Any]:
    """The worker connects as the app does, so that a faulty network affects both."""
    async with open_app(broker, target) as app:
        with tempfile.TemporaryDirectory() as folder:
            async with working(broker(target), Path(folder)):
                yield app


@asynccontextmanager
async def working(broker: str, folder: Path, interval: float = 0.2) -> AsyncGenerator[Daemon]:
    """Start a worker that sends a heartbeat each `interval`, and wait until one is sent, or no broker was found."""
    log = folder / "worker.log"
    command = ["env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "tests.checks.celery_worker", broker, str(interval)]
    worker = Daemon("worker", command, log)
    try:
        await anyio.to_thread.run_sync(worker.start, lambda: log.read_text().endswith("\n"))
        yield worker
    finally:
        worker.kill()


@asynccontextmanager
async def occupy(app: Any) -> AsyncGenerator[None]:
    async with AsyncExitStack() as stack:
        for _ in range(SIZE):
            connection = app.pool.acquire()
            stack.callback(connection.release)
            await anyio.to_thread.run_sync(connection.connect)
        yield


REFUSED = {
    "rabbitmq": r"^OperationalError: \[Errno 111\] Connection refused$",
    "redis": r"^OperationalError: Error 111 connecting to .*Connection refused\.$",
}
RESET = "^OperationalError: .*(Connection reset by peer|Broken pipe)"
WRONG_PASSWORD = {
    "rabbitmq": r"^AccessRefused: .*\(403\) ACCESS_REFUSED - Login was refused",
    "redis": "^OperationalError: .*invalid username-password pair",
}
WRONG_DATABASE = {
    "rabbitmq": r"^NotAllowed: .*\(530\) NOT_ALLOWED - vhost nowhere not found$",
    "redis": r"^OperationalError: .*DB index is out of range$",
}


def messages(server: str) -> dict[str, str]:
    return {
        "healthy": "^$",
        "refused": REFUSED[server],
        "killed": REFUSED[server],
        "frozen": TIMED_OUT,
        "blackholed": TIMED_OUT,
        "reset": RESET,
        "trickled": TIMED_OUT,
        "wrong_password": WRONG_PASSWORD[server],
        "wrong_database": WRONG_DATABASE[server],
        "many_runs": "^$",
    }


def says_of_a_pool(server: str) -> dict[str, str]:
    return {
        "exhausted": r"^pool exhausted: 2 of 2 in use$",
        "exhausted_and_frozen": TIMED_OUT,
        "exhausted_and_killed": REFUSED[server],
    }


CLOSED = {"closed": "an app that was closed makes itself a new pool"}

ROWS = tuple(
    row
    for server, broker in BROKERS.items()
    for row in (
        Row(
            f"celery-{server}",
            server=server,
            check=celery_broker,
            open=partial(open_app, broker),
            drivers=("celery",),
            extra="celery",
            occupy=occupy,
            messages=messages(server) | says_of_a_pool(server),
            without=CLOSED,
        ),
        Row(
            f"celery-workers-{server}",
            server=server,
            check=celery_workers,
            open=partial(open_with_worker, broker),
            drivers=("celery",),
            extra="celery",
            messages=messages(server),
            without=CLOSED | dict.fromkeys(says_of_a_pool(server), "it takes nothing from the pool of the app"),
        ),
    )
)
