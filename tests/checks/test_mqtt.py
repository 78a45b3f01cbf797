"""What is special about MQTT: the question is one that could change something, and does not."""

import asyncio
from collections.abc import Iterator

import pytest
from aiomqtt import Client, ProtocolVersion

from asgi_health import Status
from asgi_health.checks.mqtt import aiomqtt_client

from .conftest import GetServer
from .observe import expect
from .servers import Server
from .servers.mark import PASSWORD, USER

pytestmark = pytest.mark.anyio


@pytest.fixture
def server(get_server: GetServer) -> Iterator[Server]:
    server = get_server("mosquitto")
    yield server
    server.mend()


@pytest.mark.parametrize("version", ProtocolVersion)
async def test_a_run_takes_no_subscription_away(server: Server, version: ProtocolVersion) -> None:
    async with Client("127.0.0.1", server.port, username=USER, password=PASSWORD, protocol=version) as client:
        await client.subscribe("#")
        for _ in range(5):
            await expect(aiomqtt_client(client), Status.HEALTHY, "^$")
        await client.publish("asgi-health/news", "yes")
        async with asyncio.timeout(10):
            message = await anext(client.messages)
        assert (message.topic.value, message.payload) == ("asgi-health/news", b"yes")
