"""What is special about Kafka: several kinds of client, and several brokers. servers/kafka.py describes its server."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import anyio
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from asgi_health import Status
from asgi_health.checks.kafka import aiokafka_client, aiokafka_consumer
from tests.support.waiting import wait_until_async

from .conftest import GetServer
from .observe import TIMED_OUT, expect, observe, recovers
from .servers import Server
from .servers.server import PASSWORD, USER

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("checks kafka")]


@pytest.fixture
def server(get_server: GetServer) -> Iterator[Server]:
    server = get_server("kafka")
    yield server
    server.restore()


def settings(server: Server, *advertised: int) -> dict[str, Any]:
    return {
        "bootstrap_servers": f"127.0.0.1:{server.port}",
        "client_id": "-".join(map(str, ("tests", *advertised))),
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_plain_username": USER,
        "sasl_plain_password": PASSWORD,
        "request_timeout_ms": 2000,
    }


async def test_a_consumer_is_a_client_too(server: Server) -> None:
    consumer = AIOKafkaConsumer(**settings(server, server.port))
    await consumer.start()
    try:
        result = await expect(aiokafka_client(consumer), Status.HEALTHY, "^$")
    finally:
        await consumer.stop()
    assert result.data == {"brokers": (1, "")}
    await expect(aiokafka_client(consumer), Status.UNHEALTHY, "^ClientError: the client is closed$")


async def test_an_admin_client_is_a_client_too(server: Server) -> None:
    admin = AIOKafkaAdminClient(**settings(server, server.port))
    await admin.start()
    try:
        await expect(aiokafka_client(admin), Status.HEALTHY, "^$")
    finally:
        await admin.close()
    await expect(aiokafka_client(admin), Status.UNHEALTHY, "^ClientError: the client is closed$")


async def test_after_a_broker_that_cannot_be_reached_the_next_is_asked(server: Server, free_port: int) -> None:
    producer = AIOKafkaProducer(**settings(server, free_port, server.port))
    await producer.start()
    try:
        for _ in range(5):
            result = await expect(aiokafka_client(producer), Status.HEALTHY, "^$")
            assert result.data == {"brokers": (2, "")}
    finally:
        await producer.stop()


async def test_a_silent_broker_costs_one_run_at_most(server: Server) -> None:
    async with server.proxied() as proxy, server.proxied() as silent:
        silent.swallow()
        known = settings(server, silent.port, proxy.port, server.port)
        producer = AIOKafkaProducer(**{**known, "request_timeout_ms": 60_000})
        await producer.start()
        try:
            check = aiokafka_client(producer)
            await expect(check, Status.UNHEALTHY, TIMED_OUT)
            for _ in range(20):
                await expect(check, Status.HEALTHY, "^$")
        finally:
            await producer.stop()


async def test_a_client_that_was_not_started_has_another_message_than_a_missing_server(server: Server) -> None:
    producer = AIOKafkaProducer(**settings(server, server.port))
    message = rf"^ClientError: the client was not started, though 127\.0\.0\.1:{server.port} accepts it$"
    for _ in range(5):
        await expect(aiokafka_client(producer), Status.UNHEALTHY, message)
    await wait_until_async(lambda: server.connections() == 0, "what was opened for the reason is closed")
    server.daemon.freeze()
    for _ in range(5):
        await expect(aiokafka_client(producer), Status.UNHEALTHY, "^timed out", timeout=0.05)
    server.daemon.thaw()
    await wait_until_async(lambda: server.connections() == 0, "what the deadline cut off is closed")
    await producer.stop()


@asynccontextmanager
async def consumer_of(server: Server, group: str | None, *topics: str, **options: Any) -> AsyncGenerator[Any]:
    known = settings(server, server.port)
    consumer = AIOKafkaConsumer(*topics, group_id=group, enable_auto_commit=False, **{**known, **options})
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def test_a_consumer_of_a_group_has_partitions(server: Server) -> None:
    async with consumer_of(server, "all", "jobs-5-3") as consumer:
        check = aiokafka_consumer(consumer)
        await recovers(check)
        result = await expect(check, Status.HEALTHY, "^$")
        assert result.data == {"brokers": (1, ""), "partitions": (2, "")}
        await expect(aiokafka_consumer(consumer, min_partitions=2), Status.HEALTHY, "^$")
        message = "^the consumer has 2 partitions, expected at least 3$"
        await expect(aiokafka_consumer(consumer, min_partitions=3), Status.UNHEALTHY, message)


async def test_a_consumer_without_a_partition_of_its_group_fails(server: Server) -> None:
    async with consumer_of(server, "idle", "jobs-5-3") as consumer:
        await expect(aiokafka_client(consumer), Status.HEALTHY, "^$")
        message = "^the consumer has 0 partitions, expected at least 1$"
        await expect(aiokafka_consumer(consumer), Status.UNHEALTHY, message)
        result = await expect(aiokafka_consumer(consumer, min_partitions=0, max_lag=0), Status.HEALTHY, "^$")
        assert result.data == {"brokers": (1, ""), "partitions": (0, ""), "lag": (0, "")}


async def test_a_consumer_that_its_group_removed_fails_though_it_keeps_its_partitions(
    server: Server,
) -> None:
    async with consumer_of(server, f"lost-{uuid4()}", "jobs-5-3", heartbeat_interval_ms=100) as consumer:
        check = aiokafka_consumer(consumer)
        end = anyio.current_time() + 30
        while (result := (await observe(check)).result).status is Status.HEALTHY:
            assert anyio.current_time() < end
            await anyio.sleep(0.05)
        assert result.message == "the consumer is not a member of its group"
        assert len(consumer.assignment()) == 2
        await expect(aiokafka_client(consumer), Status.HEALTHY, "^$")


async def test_a_consumer_is_behind_until_the_application_has_taken_the_messages(server: Server) -> None:
    async with consumer_of(server, "all", "jobs-5-3") as consumer:
        await recovers(aiokafka_consumer(consumer))
        check = aiokafka_consumer(consumer, max_lag=7)
        await expect(check, Status.UNHEALTHY, "^the consumer is 8 messages behind, expected at most 7$")
        await expect(aiokafka_consumer(consumer, max_lag=8), Status.HEALTHY, "^$")
        consumer.seek(TopicPartition("jobs-5-3", 1), 2)
        result = await expect(check, Status.HEALTHY, "^$")
        assert result.data["lag"] == (6, "")


async def test_a_consumer_with_partitions_of_its_own_choice_needs_no_group(server: Server) -> None:
    async with consumer_of(server, None, auto_offset_reset="earliest") as consumer:
        check = aiokafka_consumer(consumer, max_lag=0)
        await expect(check, Status.UNHEALTHY, "^the consumer has 0 partitions, expected at least 1$")
        consumer.assign([TopicPartition("jobs-5-3", 0)])
        result = await expect(check, Status.HEALTHY, "^$")
        assert result.data["partitions"] == (1, "")


async def test_a_consumer_without_a_group_has_the_partitions_of_its_topics(server: Server) -> None:
    async with consumer_of(server, None, "jobs-5-3") as consumer:
        await expect(aiokafka_consumer(consumer), Status.HEALTHY, "^$")


async def test_a_producer_is_no_consumer(server: Server) -> None:
    producer: Any = AIOKafkaProducer(**settings(server, server.port))
    with pytest.raises(
        TypeError, match=r"^aiokafka_consumer: expected aiokafka\.AIOKafkaConsumer, or a plain function"
    ):
        aiokafka_consumer(producer)
    await producer.stop()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"min_partitions": -1}, ValueError),
        ({"min_partitions": None}, TypeError),
        ({"max_lag": -1}, ValueError),
        ({"max_lag": 1.5}, TypeError),
        ({"max_lag": True}, TypeError),
    ],
)
def test_wrong_limits_of_a_consumer_are_refused(arguments: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"^aiokafka_consumer: {next(iter(arguments))} must be "):
        aiokafka_consumer(lambda: None, **arguments)
