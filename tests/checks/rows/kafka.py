"""Kafka through a producer, and through a consumer. servers/kafka.py describes the stand-in for the server."""

import asyncio
import functools
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from asgi_health.checks.kafka import aiokafka_client, aiokafka_consumer

from ..servers import Target
from .row import TIMED_OUT, Open, Row

TOPIC = "jobs-5-3"


def settings(target: Target) -> dict[str, Any]:
    return {
        "bootstrap_servers": f"{target.host}:{target.port}",
        "client_id": f"tests-{target.port}",
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_plain_username": target.user,
        "sasl_plain_password": target.password,
        "request_timeout_ms": 2000,
    }


def opener(make: Callable[[Target], Any]) -> Open:
    @asynccontextmanager
    async def open_client(target: Target) -> AsyncGenerator[Any]:
        client = make(target)
        tried = asyncio.Event()

        async def start() -> None:
            """As an application does that continues without the client, and retries."""
            while True:
                try:
                    await client.start()
                    return
                except KafkaError:
                    await asyncio.sleep(0.1)
                finally:
                    tried.set()

        starting = asyncio.create_task(start())
        await tried.wait()
        try:
            yield client
        finally:
            starting.cancel()
            await asyncio.wait([starting])
            await close(client)

    return open_client


def producer(target: Target) -> Any:
    return AIOKafkaProducer(**settings(target))


def consumer(target: Target) -> Any:
    return AIOKafkaConsumer(TOPIC, group_id="workers", enable_auto_commit=False, **settings(target))


@functools.wraps(aiokafka_consumer)
def not_far_behind(given: Any) -> Any:
    return aiokafka_consumer(given, max_lag=8)


async def close(client: Any) -> None:
    stopping = asyncio.ensure_future(client.stop())
    await asyncio.wait([stopping])
    if stopping.cancelled():  # by itself: a consumer of aiokafka whose fetch has just failed stops so
        await client._client.close()  # private: stop() cannot be called a second time
    else:
        stopping.result()


UNREACHABLE = r"^ConnectionError: no broker can be reached: 127\.0\.0\.1:\d+: "
REFUSED = rf"{UNREACHABLE}ConnectionRefusedError: \[Errno 111\] (Connect call failed|Connection refused)"


def row(name: str, check: Any, make: Callable[[Target], Any]) -> Row:
    return Row(
        name,
        server="kafka",
        check=check,
        open=opener(make),
        drivers=("aiokafka",),
        extra="kafka",
        close=close,
        messages={
            "healthy": "^$",
            "refused": REFUSED,
            "killed": REFUSED,
            "frozen": TIMED_OUT,
            "blackholed": TIMED_OUT,
            "reset": rf"{UNREACHABLE}(KafkaConnectionError: Connection at .* closed|ConnectionResetError)",
            "trickled": TIMED_OUT,
            "wrong_password": rf"{UNREACHABLE}.*Authentication failed: Invalid username or password",
            "closed": "^ClientError: the client is closed$",
            "many_runs": "^$",
        },
        without={
            "wrong_database": "Kafka has none",
            "exhausted": "a client has one connection to each broker",
            "exhausted_and_frozen": "a client has one connection to each broker",
            "exhausted_and_killed": "a client has one connection to each broker",
        },
    )


ROWS = (
    row("aiokafka", aiokafka_client, producer),
    row("aiokafka-consumer", not_far_behind, consumer),
)
