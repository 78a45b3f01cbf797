"""Kafka through a producer. What stands in for the server is told in servers/kafka.py."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from asgi_health.checks.kafka import aiokafka_client

from ..servers import Target
from .mark import TIMED_OUT, Row


@asynccontextmanager
async def open_producer(target: Target) -> AsyncGenerator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        bootstrap_servers=f"{target.host}:{target.port}",
        client_id=f"tests-{target.port}",
        security_protocol="SASL_PLAINTEXT",
        sasl_plain_username=target.user,
        sasl_plain_password=target.password,
        request_timeout_ms=2000,
    )
    tried = asyncio.Event()

    async def start() -> None:
        """As an application that goes on without it, and tries again."""
        while True:
            try:
                await producer.start()
                return
            except KafkaError:
                await asyncio.sleep(0.1)
            finally:
                tried.set()

    starting = asyncio.create_task(start())
    await tried.wait()
    try:
        yield producer
    finally:
        starting.cancel()
        await asyncio.wait([starting])
        await producer.stop()


async def close(producer: AIOKafkaProducer) -> None:
    await producer.stop()


NOBODY = r"^ConnectionError: no broker can be reached: 127\.0\.0\.1:\d+: "
REFUSED = rf"{NOBODY}ConnectionRefusedError: \[Errno 111\] (Connect call failed|Connection refused)"

KAFKA = (
    Row(
        "aiokafka",
        server="kafka",
        check=aiokafka_client,
        open=open_producer,
        drivers=("aiokafka",),
        extra="kafka",
        close=close,
        says={
            "healthy": "^$",
            "refused": REFUSED,
            "killed": REFUSED,
            "frozen": TIMED_OUT,
            "blackholed": TIMED_OUT,
            "reset": rf"{NOBODY}(KafkaConnectionError: Connection at .* closed|ConnectionResetError)",
            "trickled": TIMED_OUT,
            "wrong_password": rf"{NOBODY}.*Authentication failed: Invalid username or password",
            "closed": "^ClientError: the client is closed$",
            "many_runs": "^$",
        },
        without={
            "wrong_database": "Kafka has none",
            "exhausted": "a client has one connection to each broker",
            "exhausted_and_frozen": "a client has one connection to each broker",
            "exhausted_and_killed": "a client has one connection to each broker",
        },
    ),
)
