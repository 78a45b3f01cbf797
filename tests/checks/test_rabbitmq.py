"""What is special about RabbitMQ: what a run costs, by its own counters."""

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aio_pika
import aio_pika.abc
import pytest

from asgi_health import Status
from asgi_health.checks.amqp import aio_pika_connection, rabbitmq_queue
from tests.support.waiting import wait_until_async

from .conftest import GetServer
from .observe import expect, observe, until_message
from .rows import Row
from .rows.amqp import ROWS as AMQP_ROWS
from .rows.amqp import open_plain, open_robust, url_of
from .rows.celery import ROWS as CELERY_ROWS
from .rows.row import Open
from .servers import Target
from .servers.rabbitmq import QUEUE, RabbitMQ
from .servers.server import DATABASE, PASSWORD

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("checks rabbitmq")]


@pytest.fixture
def server(get_server: GetServer) -> Iterator[RabbitMQ]:
    server = get_server("rabbitmq")
    assert isinstance(server, RabbitMQ)
    yield server
    server.restore()


ROWS = [*AMQP_ROWS, *(row for row in CELERY_ROWS if row.name == "celery-rabbitmq")]


def channels(server: RabbitMQ) -> int:
    """How many are open, after a garbage collection."""
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
        await wait_until_async(lambda: server.channels_opened() == before + 20, "every channel is counted")
        await wait_until_async(lambda: channels(server) == 0, "every channel is closed")
        assert server.connections() == connections


@pytest.mark.parametrize("opened", [open_robust, open_plain])
async def test_a_run_cancelled_between_two_answers_does_not_affect_the_application(
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
        await wait_until_async(lambda: channels(server) == 0, "every channel is closed")
        assert lost == []


@pytest.mark.parametrize("opened", [open_robust, open_plain])
async def test_a_connection_that_the_server_blocks_fails_until_it_is_unblocked(server: RabbitMQ, opened: Open) -> None:
    async with opened(Target(server.port)) as connection:
        check = aio_pika_connection(connection)
        channel = await connection.channel(publisher_confirms=False)
        watermark = server.ask("vm_memory_monitor:get_vm_memory_high_watermark()")
        server.ask("vm_memory_monitor:set_vm_memory_high_watermark(0.0000001)")
        try:
            await wait_until_async(lambda: server.ask("rabbit_alarm:get_alarms()") != "[]", "the alarm is raised")
            await expect(check, Status.HEALTHY, "^$")  # it has not published
            await channel.default_exchange.publish(aio_pika.Message(b"news"), "nowhere", mandatory=False)
            await until_message(check, "^the server blocks the connection: it is short of memory or disk$", 1.0)
        finally:
            server.ask(f"vm_memory_monitor:set_vm_memory_high_watermark({watermark})")
        await until_message(check, "^$", 1.0)


async def test_a_plain_connection_that_was_lost_fails_until_the_application_has_another(server: RabbitMQ) -> None:
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
        await wait_until_async(lambda: server.connections() == 0, "the extra connection is closed")
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


@asynccontextmanager
async def consuming(connection: Any, queue: str = QUEUE) -> AsyncIterator[list[bytes]]:
    """A consumer that acknowledges each message."""
    taken: list[bytes] = []

    async def take(message: aio_pika.abc.AbstractIncomingMessage) -> None:
        taken.append(message.body)
        await message.ack()

    channel = await connection.channel()
    consumed = await channel.get_queue(queue, ensure=False)
    tag = await consumed.consume(take)
    try:
        yield taken
    finally:
        await consumed.cancel(tag)
        await channel.close()


async def publish(connection: Any, count: int, queue: str = QUEUE) -> None:
    channel = await connection.channel()  # with confirms
    for _ in range(count):
        await channel.default_exchange.publish(aio_pika.Message(b"news"), queue)
    await channel.close()


@pytest.fixture
def queue(server: RabbitMQ) -> Iterator[str]:
    name = "work"
    server.declare(name)
    yield name
    server.delete(name)


@pytest.mark.parametrize("opened", [open_robust, open_plain])
async def test_a_queue_without_a_consumer_fails_until_it_has_one(server: RabbitMQ, queue: str, opened: Open) -> None:
    async with opened(Target(server.port)) as connection:
        check = rabbitmq_queue(connection, queue)
        await expect(check, Status.UNHEALTHY, "^queue 'work' has 0 consumers, expected at least 1$")
        two = rabbitmq_queue(connection, queue, min_consumers=2)
        async with consuming(connection, queue):
            result = await expect(check, Status.HEALTHY, "^$")
            assert result.data == {"consumers": (1, ""), "messages": (0, "")}
            await expect(two, Status.UNHEALTHY, "^queue 'work' has 1 consumers, expected at least 2$")
            async with consuming(connection, queue):
                await expect(two, Status.HEALTHY, "^$")
        await expect(check, Status.UNHEALTHY, "^queue 'work' has 0 consumers, expected at least 1$")


async def test_a_consumer_that_the_server_has_cancelled_fails_though_its_connection_is_healthy(
    server: RabbitMQ, queue: str
) -> None:
    async with open_plain(Target(server.port)) as connection, consuming(connection, queue) as taken:
        of_connection, of_queue = aio_pika_connection(connection), rabbitmq_queue(connection, queue)
        await publish(connection, 1, queue)
        await wait_until_async(lambda: taken == [b"news"], "it is at work")
        await expect(of_queue, Status.HEALTHY, "^$")
        server.delete(queue)
        await expect(
            of_queue, Status.UNHEALTHY, "^ChannelNotFoundEntity: NOT_FOUND - no queue 'work' in vhost 'health'$"
        )
        server.declare(queue)
        await publish(connection, 3, queue)
        await expect(of_connection, Status.HEALTHY, "^$")
        result = await expect(of_queue, Status.UNHEALTHY, "^queue 'work' has 0 consumers, expected at least 1$")
        assert result.data == {"consumers": (0, ""), "messages": (3, "")}
        assert taken == [b"news"]


async def test_messages_that_pile_up_fail_the_check_with_max_messages(server: RabbitMQ, queue: str) -> None:
    async with open_robust(Target(server.port)) as connection:
        check = rabbitmq_queue(connection, queue, min_consumers=0, max_messages=2)
        await publish(connection, 2, queue)
        await expect(check, Status.HEALTHY, "^$")
        await publish(connection, 1, queue)
        await expect(check, Status.UNHEALTHY, "^queue 'work' has 3 messages, expected at most 2$")
        async with consuming(connection, queue):
            await wait_until_async(lambda: server.messages(queue) == 0, "it has taken them")
        await expect(check, Status.HEALTHY, "^$")


@pytest.mark.parametrize("opened", [open_robust, open_plain])
async def test_the_channel_of_the_application_survives_a_missing_queue(server: RabbitMQ, opened: Open) -> None:
    async with opened(Target(server.port)) as connection:
        channel = await connection.channel()
        for given in (channel, lambda: channel):
            await expect(
                rabbitmq_queue(given, "nowhere"), Status.UNHEALTHY, "^ChannelNotFoundEntity: NOT_FOUND - no queue"
            )
            await expect(rabbitmq_queue(given, QUEUE, min_consumers=0), Status.HEALTHY, "^$")
        assert not channel.is_closed
        await channel.declare_queue("mine", exclusive=True)
        await channel.close()
        await wait_until_async(lambda: channels(server) == 0, "every channel is closed")


async def test_a_queue_that_is_exclusive_to_another_connection_fails(server: RabbitMQ) -> None:
    async with open_robust(Target(server.port)) as connection, open_plain(Target(server.port)) as other:
        channel = await other.channel()
        await channel.declare_queue("mine", exclusive=True)
        await expect(rabbitmq_queue(connection, "mine"), Status.UNHEALTHY, "^ChannelLockedResource: RESOURCE_LOCKED")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"queue": ""}, ValueError, "queue must be the name of a queue, not an empty one"),
        ({"queue": None}, TypeError, "queue must be of type str"),
        ({"queue": b"jobs"}, TypeError, "queue must be of type str"),
        ({"min_consumers": -1}, ValueError, "min_consumers must be from 0 to 2147483647, not -1"),
        ({"min_consumers": 1.0}, TypeError, "min_consumers must be a whole number, not one of float"),
        ({"min_consumers": True}, TypeError, "min_consumers must be a whole number, not one of bool"),
        ({"max_messages": -1}, ValueError, "max_messages must be from 0 to 2147483647, not -1"),
        ({"max_messages": "9"}, TypeError, "max_messages must be a whole number, not one of str"),
    ],
)
def test_wrong_arguments_of_a_queue_are_refused(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^rabbitmq_queue: {message}"):
        rabbitmq_queue(lambda: None, **{"queue": "jobs", **arguments})
