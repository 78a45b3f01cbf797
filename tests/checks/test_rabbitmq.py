"""What is special about RabbitMQ: what a run costs, by its own counters."""

import gc
import re
from collections.abc import Iterator
from dataclasses import replace

import aio_pika
import anyio
import pytest

from asgi_health import Status
from asgi_health.checks.amqp import aio_pika_connection

from .conftest import GetServer
from .observe import CheckFunction, expect, observe, until
from .rows import Row
from .rows.amqp import AMQP, open_plain, open_robust, url_of
from .rows.celery import CELERY
from .rows.mark import Open
from .servers import Target
from .servers.mark import DATABASE, PASSWORD
from .servers.rabbitmq import RabbitMQ

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("checks rabbitmq")]


@pytest.fixture
def server(get_server: GetServer) -> Iterator[RabbitMQ]:
    server = get_server("rabbitmq")
    assert isinstance(server, RabbitMQ)
    yield server
    server.mend()


ROWS = [*AMQP, *(row for row in CELERY if row.name == "celery-rabbitmq")]


def channels(server: RabbitMQ) -> int:
    """How many are open, of which the garbage collector knows nothing."""
    gc.collect()
    return int(server.ask("length(rabbit_channel:list())"))


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_a_run_opens_one_channel_and_leaves_none(server: RabbitMQ, row: Row) -> None:
    async with row.open(Target(server.port)) as client:
        check = row.check(client)
        await expect(check, Status.HEALTHY, "")
        before = server.channels_opened()
        connections = server.connections()
        for _ in range(20):
            assert (await observe(check)).result.status is Status.HEALTHY
        await until(lambda: server.channels_opened() == before + 20, "every channel is counted")
        await until(lambda: channels(server) == 0, "every channel is closed")
        assert server.connections() == connections


@pytest.mark.parametrize("opened", [open_robust, open_plain])
async def test_a_run_that_is_cut_off_between_two_answers_costs_the_application_nothing(
    server: RabbitMQ, opened: Open
) -> None:
    lost: list[object] = []
    async with server.proxied() as proxy, opened(Target(proxy.port)) as connection:
        connection.close_callbacks.add(lambda *reason: lost.append(reason))
        check = aio_pika_connection(connection)
        await expect(check, Status.HEALTHY, "^$")
        proxy.delay(0.3)
        for timeout in (0.5, 0.1, 0.5):
            await expect(check, Status.UNHEALTHY, "^timed out", timeout=timeout)
        proxy.delay(0.0)
        await expect(check, Status.HEALTHY, "^$")
        await until(lambda: channels(server) == 0, "every channel is closed")
        assert lost == []


@pytest.mark.parametrize("opened", [open_robust, open_plain])
async def test_a_connection_that_the_server_blocks_is_told_until_it_is_free_again(
    server: RabbitMQ, opened: Open
) -> None:
    async with opened(Target(server.port)) as connection:
        check = aio_pika_connection(connection)
        channel = await connection.channel(publisher_confirms=False)
        watermark = server.ask("vm_memory_monitor:get_vm_memory_high_watermark()")
        server.ask("vm_memory_monitor:set_vm_memory_high_watermark(0.0000001)")
        try:
            await until(lambda: server.ask("rabbit_alarm:get_alarms()") != "[]", "the alarm is raised")
            await expect(check, Status.HEALTHY, "^$")  # it has not published
            await channel.default_exchange.publish(aio_pika.Message(b"news"), "nowhere", mandatory=False)
            await says(check, "^the server blocks the connection: it is short of memory or disk$")
        finally:
            server.ask(f"vm_memory_monitor:set_vm_memory_high_watermark({watermark})")
        await says(check, "^$")


async def says(check: CheckFunction, message: str) -> None:
    """Run it again and again until it says that."""
    end = anyio.current_time() + 30
    while not re.search(message, (result := (await observe(check, 1.0)).result).message):
        assert anyio.current_time() < end, f"not within 30 s: {message}, but {result}"
        await anyio.sleep(0.05)


async def test_a_plain_connection_that_was_lost_stays_red_until_the_application_has_another(server: RabbitMQ) -> None:
    async with server.proxied() as proxy:
        url = url_of(Target(proxy.port))
        connections = [await aio_pika.connect(url)]
        fixed, current = aio_pika_connection(connections[0]), aio_pika_connection(lambda: connections[-1])
        await expect(fixed, Status.HEALTHY, "^$")
        proxy.die()
        await expect(fixed, Status.UNHEALTHY, "^AMQPConnectionError: ")
        await proxy.rise()
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
