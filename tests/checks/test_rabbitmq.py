"""What is special about RabbitMQ: what a run costs, by its own counters, and the workers of Celery."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from asgi_health import Status
from asgi_health.checks.celery import celery_broker, celery_workers

from .conftest import GetServer
from .daemon import Daemon
from .observe import expect, observe, threads_ended, until
from .rows import Row
from .rows.amqp import AMQP
from .rows.celery import CELERY, app_of, open_app, rabbitmq
from .servers import Target
from .servers.rabbitmq import RabbitMQ

pytestmark = pytest.mark.anyio

HEARS = 30.0  # seconds in which a busy machine brings a heartbeat that is sent each second


@pytest.fixture
def server(get_server: GetServer) -> Iterator[RabbitMQ]:
    server = get_server("rabbitmq")
    assert isinstance(server, RabbitMQ)
    yield server
    server.mend()


@pytest.mark.parametrize("row", [*AMQP, *CELERY], ids=str)
async def test_a_run_opens_one_channel_and_leaves_none(server: RabbitMQ, row: Row) -> None:
    async with row.open(Target(server.port)) as client:
        check = row.check(client)
        await expect(check, Status.HEALTHY, "")
        before = server.channels_opened()
        connections = server.connections()
        for _ in range(50):
            assert (await observe(check)).result.status is Status.HEALTHY
        await until(lambda: server.channels_opened() == before + 50, "every channel is counted")
        await until(lambda: server.ask("length(rabbit_channel:list())") == "0", "every channel is closed")
        assert server.connections() == connections


@pytest.fixture
def worker(server: RabbitMQ, tmp_path: Path) -> Iterator[Daemon]:
    target = Target(server.port)
    broker = f"amqp://{target.user}:{target.password}@{target.host}:{target.port}/{target.database}"
    root = Path(__file__).parents[2]
    options = ["--pool=solo", "--heartbeat-interval=1", "--without-mingle", "--hostname=one@tests"]
    command = [
        *("env", f"BROKER={broker}", f"PYTHONPATH={root}", "PYTHONWARNINGS=ignore"),
        *(sys.executable, "-m", "celery", "--app=tests.checks.celery_app", "--quiet", "worker", *options),
    ]
    daemon = Daemon("celery", command, tmp_path / "log")
    daemon.start(lambda: server.connections() > 0)
    yield daemon
    daemon.kill()


async def test_a_worker_is_heard_until_it_dies(server: RabbitMQ, worker: Daemon) -> None:
    app = app_of(rabbitmq(Target(server.port)))
    await expect(celery_workers(app, patience=HEARS), Status.HEALTHY, "^$", timeout=HEARS)
    await anyio.to_thread.run_sync(worker.freeze)
    silent = r"^heard 0 of 1 workers within 1\.5 s$"
    await expect(celery_workers(app, patience=1.5), Status.UNHEALTHY, silent, timeout=HEARS)
    await anyio.to_thread.run_sync(worker.thaw)
    await expect(celery_workers(app, patience=HEARS), Status.HEALTHY, "^$", timeout=HEARS)
    await anyio.to_thread.run_sync(worker.kill)
    await expect(celery_workers(app, patience=1.5), Status.UNHEALTHY, silent, timeout=HEARS)


async def test_two_workers_are_more_than_one(server: RabbitMQ, worker: Daemon) -> None:
    check = celery_workers(app_of(rabbitmq(Target(server.port))), at_least=2, patience=3.0)
    await expect(check, Status.UNHEALTHY, r"^heard 1 of 2 workers within 3 s$", timeout=HEARS)


async def test_listening_leaves_nothing_behind(server: RabbitMQ) -> None:
    check = celery_workers(app_of(rabbitmq(Target(server.port))), patience=0.1)
    for _ in range(10):
        await expect(check, Status.UNHEALTHY, "^heard 0 of 1 workers", timeout=5.0)
    await until(lambda: server.connections() == 0, "nobody is connected")
    queues = 'length([Q || Q <- rabbit_amqqueue:list_names(), string:prefix(element(4, Q), "celeryev") =/= nomatch])'
    await until(lambda: server.ask(queues) == "0", "no queue of events is left")


@pytest.mark.parametrize("make", [celery_broker, celery_workers])
async def test_a_silent_broker_holds_no_thread(server: RabbitMQ, make: Any) -> None:
    async with open_app(Target(server.port)) as app:
        await expect(
            celery_broker(app), Status.HEALTHY, "^$"
        )  # what is asked next is asked on a connection that is there
        server.daemon.freeze()
        await expect(make(app, patience=0.5), Status.UNHEALTHY, "timed out")
        await threads_ended()
        server.daemon.thaw()
