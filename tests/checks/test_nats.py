"""What is special about NATS: what its user may do."""

from collections.abc import Iterator

import nats
import pytest

from asgi_health import Status
from asgi_health.checks.nats import nats_client
from tests.support.waiting import wait_until_async

from .conftest import GetServer
from .observe import expect, until_message
from .rows.nats import REFUSED, RESET, open_client
from .servers import Server, Target
from .servers.nats import WEAK
from .servers.server import PASSWORD

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("checks nats")]


@pytest.fixture
def server(get_server: GetServer) -> Iterator[Server]:
    server = get_server("nats")
    yield server
    server.restore()


async def test_a_user_who_may_neither_publish_nor_subscribe_is_enough(server: Server) -> None:
    refused: list[str] = []

    async def note(error: Exception) -> None:
        refused.append(str(error))

    client = await nats.connect(f"nats://127.0.0.1:{server.port}", user=WEAK, password=PASSWORD, error_cb=note)
    try:
        await client.publish("news")
        await client.subscribe("news")
        await wait_until_async(lambda: len(refused) == 2, "both are refused")
        assert all("permissions violation" in each for each in refused)
        await expect(nats_client(client), Status.HEALTHY, "^$")
    finally:
        await client.close()


async def test_a_client_that_fails_to_reconnect_reports_why_from_its_first_attempt_on(server: Server) -> None:
    async with server.proxied() as proxy, open_client(Target(proxy.port)) as client:
        check = nats_client(client)
        await expect(check, Status.HEALTHY, "^$")
        proxy.reset()
        await until_message(check, RESET)
    async with open_client(Target(server.port)) as client:
        check = nats_client(client)
        await expect(check, Status.HEALTHY, "^$")
        server.daemon.kill()
        await until_message(check, REFUSED)
