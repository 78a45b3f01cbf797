"""Kafka through a producer. What stands in for the server is told in servers/kafka.py."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

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
    with suppress(KafkaError):  # as an application that goes on without it
        await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def close(producer: AIOKafkaProducer) -> None:
    await producer.stop()


NOBODY = r"^ConnectionError: no broker can be reached: 127\.0\.0\.1:\d+: "
REFUSED = rf"{NOBODY}ConnectionRefusedError: \[Errno 111\] Connect call failed"

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
            "two_hundred_runs": "^$",
        },
        without={
            "wrong_database": "Kafka has none",
            "exhausted": "a client has one connection to each broker",
            "exhausted_and_frozen": "a client has one connection to each broker",
            "exhausted_and_killed": "a client has one connection to each broker",
        },
    ),
)
