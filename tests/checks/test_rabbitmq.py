"""What is special about RabbitMQ: what a run costs, by its own counters."""

from collections.abc import Iterator
from dataclasses import replace

import aio_pika
import pytest

from asgi_health import Status
from asgi_health.checks.amqp import aio_pika_connection

from .conftest import GetServer
from .observe import expect, observe, until
from .rows import Row
from .rows.amqp import AMQP, url_of
from .rows.celery import CELERY
from .servers import Target
from .servers.mark import DATABASE, PASSWORD
from .servers.rabbitmq import RabbitMQ

pytestmark = pytest.mark.anyio


@pytest.fixture
def server(get_server: GetServer) -> Iterator[RabbitMQ]:
    server = get_server("rabbitmq")
    assert isinstance(server, RabbitMQ)
    yield server
    server.mend()


ROWS = [*AMQP, *(row for row in CELERY if row.name == "celery-rabbitmq")]


@pytest.mark.parametrize("row", ROWS, ids=str)
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


async def test_a_plain_connection_that_was_lost_stays_red_until_the_application_has_another(server: RabbitMQ) -> None:
    url = url_of(Target(server.port))
    connections = [await aio_pika.connect(url)]
    fixed, current = aio_pika_connection(connections[0]), aio_pika_connection(lambda: connections[-1])
    await expect(fixed, Status.HEALTHY, "^$")
    server.daemon.kill()
    await expect(fixed, Status.UNHEALTHY, "^AMQPConnectionError: ")
    server.start()
    lost = "^the connection is lost and not made again yet, though the server accepts another one$"
    for check in [fixed, current] * 5:
        await expect(check, Status.UNHEALTHY, lost)
    await until(lambda: server.connections() == 0, "what was opened beside it is closed")
    connections.append(await aio_pika.connect(url))
    await expect(current, Status.HEALTHY, "^$")
    await expect(fixed, Status.UNHEALTHY, lost)
    for connection in connections:
        await connection.close()


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_a_user_who_may_enter_the_virtual_host_and_nothing_else_is_enough(server: RabbitMQ, row: Row) -> None:
    weak, password, actor = (f'<<"{word}">>' for word in ("weak", PASSWORD, "tests"))
    server.ask(f"rabbit_auth_backend_internal:add_user({weak}, {password}, {actor})")
    nothing = ", ".join(['<<"^$">>'] * 3)  # to configure, to write, to read
    try:
        async with row.open(replace(Target(server.port), user="weak")) as client:
            await expect(row.check(client), Status.UNHEALTHY, "")
        host = f'<<"{DATABASE}">>'
        server.ask(f"rabbit_auth_backend_internal:set_permissions({weak}, {host}, {nothing}, {actor})")
        async with row.open(replace(Target(server.port), user="weak")) as client:
            await expect(row.check(client), Status.HEALTHY, "^$")
    finally:
        server.ask(f"rabbit_auth_backend_internal:delete_user({weak}, {actor})")
