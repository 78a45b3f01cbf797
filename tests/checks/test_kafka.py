"""What is special about Kafka: several kinds of client, and several brokers. Its server is told in servers/kafka.py."""

from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from asgi_health import Status
from asgi_health.checks.kafka import aiokafka_client

from .conftest import GetServer
from .observe import TIMED_OUT, expect, until
from .servers import Server
from .servers.mark import PASSWORD, USER

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("checks kafka")]


@pytest.fixture
def server(get_server: GetServer) -> Iterator[Server]:
    server = get_server("kafka")
    yield server
    server.mend()


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


async def test_a_broker_that_cannot_be_reached_gives_way_to_the_next(server: Server, nobody: int) -> None:
    producer = AIOKafkaProducer(**settings(server, nobody, server.port))
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


async def test_a_client_that_was_not_started_is_told_apart_from_a_server_that_is_away(server: Server) -> None:
    producer = AIOKafkaProducer(**settings(server, server.port))
    told = rf"^ClientError: the client was not started, though 127\.0\.0\.1:{server.port} accepts it$"
    for _ in range(5):
        await expect(aiokafka_client(producer), Status.UNHEALTHY, told)
    await until(lambda: server.connections() == 0, "what was opened for the reason is closed")
    server.daemon.freeze()
    for _ in range(5):
        await expect(aiokafka_client(producer), Status.UNHEALTHY, "^timed out", timeout=0.05)
    server.daemon.thaw()
    await until(lambda: server.connections() == 0, "what the deadline cut off is closed")
    await producer.stop()
