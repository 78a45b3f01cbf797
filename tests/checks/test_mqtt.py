"""What is special about MQTT: the request is UNSUBSCRIBE, which must change nothing."""

import asyncio
import ssl
from collections.abc import Iterator

import pytest
import trustme
from aiomqtt import Client, MqttError, ProtocolVersion

from asgi_health import Status
from asgi_health.checks._support import mqtt_login
from asgi_health.checks.mqtt import aiomqtt_client
from tests.support.waiting import wait_until_async

from .conftest import GetServer
from .observe import TIMED_OUT, expect
from .servers import Server
from .servers.mosquitto import WEAK
from .servers.server import PASSWORD, USER, WRONG_PASSWORD

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("checks mosquitto")]


@pytest.fixture
def server(get_server: GetServer) -> Iterator[Server]:
    server = get_server("mosquitto")
    yield server
    server.restore()


@pytest.mark.parametrize("version", ProtocolVersion)
async def test_a_run_removes_no_subscription(server: Server, version: ProtocolVersion) -> None:
    async with Client("127.0.0.1", server.port, username=USER, password=PASSWORD, protocol=version) as client:
        await client.subscribe("#")
        for _ in range(5):
            await expect(aiomqtt_client(client), Status.HEALTHY, "^$")
        await client.publish("asgi-health/news", "yes")
        async with asyncio.timeout(10):
            message = await anext(client.messages)
        assert (message.topic.value, message.payload) == ("asgi-health/news", b"yes")


async def test_a_user_who_may_use_no_topic_is_enough(server: Server) -> None:
    async with (
        Client("127.0.0.1", server.port, username=USER, password=PASSWORD) as listener,
        Client("127.0.0.1", server.port, username=WEAK, password=PASSWORD) as client,
    ):
        await listener.subscribe("#")
        await client.publish("asgi-health/news", "of the weak", qos=1)
        await listener.publish("asgi-health/news", "of another", qos=1)
        async with asyncio.timeout(10):
            assert (
                await anext(listener.messages)
            ).payload == b"of another"  # the message of the weak user was not delivered
        await expect(aiomqtt_client(client), Status.HEALTHY, "^$")


async def test_an_unanswered_request_takes_none_of_the_application_s_calls(server: Server) -> None:
    client = Client(
        "127.0.0.1", server.port, username=USER, password=PASSWORD, timeout=10, max_concurrent_outgoing_calls=1
    )
    async with client:
        server.daemon.freeze()
        await expect(aiomqtt_client(client), Status.UNHEALTHY, TIMED_OUT)
        async with asyncio.timeout(10):
            await client.publish("asgi-health/news", "yes")  # with QoS 0, which needs no confirmation
        server.daemon.thaw()


@pytest.mark.parametrize("version", ProtocolVersion)
async def test_a_broker_that_refuses_is_reported_in_every_version(server: Server, version: ProtocolVersion) -> None:
    client = Client("127.0.0.1", server.port, username=USER, password=WRONG_PASSWORD, protocol=version)
    with pytest.raises(MqttError):
        await client.__aenter__()
    message = r"^ClientError: the client is not connected: Connection Refused: [Nn]ot authori[sz]ed\.?$"
    await expect(aiomqtt_client(client), Status.UNHEALTHY, message)


async def test_a_client_that_was_exited_fails_and_its_extra_connections_are_closed(server: Server) -> None:
    client = Client("127.0.0.1", server.port, username=USER, password=PASSWORD)
    check = aiomqtt_client(client)
    await expect(check, Status.UNHEALTHY, "^ClientError: the client is not connected: it was not entered yet$")
    async with client:
        await expect(check, Status.HEALTHY, "^$")
    left = "^ClientError: the client is not connected, though the broker accepts another one$"
    for _ in range(5):
        await expect(check, Status.UNHEALTHY, left)
    await wait_until_async(lambda: server.connections() == 0, "what was opened for the reason is closed")
    server.daemon.freeze()
    for _ in range(5):
        await expect(check, Status.UNHEALTHY, "^timed out", timeout=0.05)
    server.daemon.thaw()
    await wait_until_async(lambda: server.connections() == 0, "what the deadline cut off is closed")


async def test_the_extra_login_uses_tls_where_the_client_does() -> None:
    authority = trustme.CA()
    ours, theirs = ssl.create_default_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.configure_trust(ours)
    authority.issue_cert("127.0.0.1").configure_cert(theirs)

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert (await reader.readexactly(1))[0] == mqtt_login.CONNECT
        writer.write(bytes([mqtt_login.CONNACK, 2, 0, 4]))
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0, ssl=theirs) as broker:
        client = Client("127.0.0.1", broker.sockets[0].getsockname()[1], tls_context=ours)
        with pytest.raises(MqttError):
            await client.__aenter__()
        message = "^ClientError: the client is not connected: Connection Refused: bad user name or password.$"
        await expect(aiomqtt_client(client), Status.UNHEALTHY, message)


@pytest.mark.parametrize(
    ("length", "field"), [(127, b"\x7f"), (128, b"\x80\x01"), (16_383, b"\xff\x7f"), (16_384, b"\x80\x80\x01")]
)
def test_a_login_of_any_length_is_written_with_that_length(length: int, field: bytes) -> None:
    # Table 1-1 of MQTT 5: the limits of one and two bytes.
    other_fields = len(mqtt_login.connect_packet(4, b"", None)) - 2
    packet = mqtt_login.connect_packet(4, b"u" * (length - other_fields), None)
    assert packet[1:].startswith(field)
    assert len(packet) == 1 + len(field) + length
