"""MQTT through a client that its application enters again after each failure, as aiomqtt requires."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from aiomqtt import Client, MqttError

from asgi_health.checks.mqtt import aiomqtt_client
from tests.support.waiting import wait_until_async

from ..servers import Target
from .row import TIMED_OUT, Row

TASKS: dict[Client, "asyncio.Task[None]"] = {}


@asynccontextmanager
async def open_client(target: Target) -> AsyncGenerator[Client]:
    client = Client(target.host, target.port, username=target.user, password=target.password, timeout=1)
    tried = asyncio.Event()

    async def stay_connected() -> None:
        while True:
            try:
                async with client:
                    tried.set()
                    async for _ in client.messages:
                        pass
            except MqttError:
                tried.set()
            await asyncio.sleep(0.1)

    TASKS[client] = asyncio.create_task(stay_connected())
    with driver_faults_ignored():
        await wait_until_async(tried.is_set, "it has tried to connect")
        try:
            yield client
        finally:
            await close(client)
            del TASKS[client]


@contextmanager
def driver_faults_ignored() -> Generator[None]:
    """Ignore an error of aiomqtt: it connects in a thread, and may register a closed socket with the loop."""
    loop = asyncio.get_running_loop()
    usual = loop.get_exception_handler()

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if isinstance(context.get("exception"), OSError) and "add_writer" in str(context["message"]):
            return
        if usual is not None:
            usual(loop, context)

    loop.set_exception_handler(handle)
    try:
        yield
    finally:
        loop.set_exception_handler(usual)


async def close(client: Client) -> None:
    TASKS[client].cancel()
    with suppress(asyncio.CancelledError, MqttError):
        await TASKS[client]


LOST = "^ClientError: the client is not connected"
REFUSED = (
    rf"{LOST}: ConnectionRefusedError: \[Errno 111\] (Connect call failed \('127\.0\.0\.1', \d+\)|Connection refused)$"
)

ROWS = (
    Row(
        "aiomqtt",
        server="mosquitto",
        check=aiomqtt_client,
        open=open_client,
        drivers=("aiomqtt",),
        extra="mqtt",
        close=close,
        messages={
            "healthy": "^$",
            "refused": REFUSED,
            "killed": REFUSED,
            "frozen": TIMED_OUT,
            "blackholed": TIMED_OUT,
            "reset": f"{LOST}: ConnectionResetError: ",
            "trickled": TIMED_OUT,
            "wrong_password": f"{LOST}: Connection Refused: not authorised.$",
            "closed": f"{LOST}, though the broker accepts another one$",
            "many_runs": "^$",
        },
        without={
            "wrong_database": "MQTT has none",
            "exhausted": "a client has one connection",
            "exhausted_and_frozen": "a client has one connection",
            "exhausted_and_killed": "a client has one connection",
        },
    ),
)
