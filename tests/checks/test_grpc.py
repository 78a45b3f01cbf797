"""What is special about gRPC's health service: it answers for each service."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from asgi_health import Status
from asgi_health.checks.grpc import grpc_peer

from .conftest import GetServer
from .observe import expect
from .rows.grpc import open_channel
from .servers import Server, Target

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("checks grpc")]


@pytest.fixture
def server(get_server: GetServer) -> Iterator[Server]:
    server = get_server("grpc")
    yield server
    server.restore()


@pytest.mark.parametrize(
    ("service", "status", "message"),
    [
        ("orders", Status.HEALTHY, "^$"),
        ("long" * 50, Status.HEALTHY, "^$"),
        ("broken", Status.UNHEALTHY, "^broken is NOT_SERVING, expected SERVING$"),
        ("odd", Status.UNHEALTHY, "^odd is UNKNOWN, expected SERVING$"),
        ("nowhere", Status.UNHEALTHY, "^NOT_FOUND: "),
    ],
)
async def test_the_named_service_decides(server: Server, service: str, status: Status, message: str) -> None:
    async with open_channel(Target(server.port)) as channel:
        await expect(grpc_peer(channel, service), status, message)


async def test_a_server_without_the_health_service_fails_with_the_reason() -> None:
    bare = grpc.aio.server()
    port = bare.add_insecure_port("127.0.0.1:0")
    await bare.start()
    try:
        async with open_channel(Target(port)) as channel:
            await expect(grpc_peer(channel), Status.UNHEALTHY, "^UNIMPLEMENTED: ")
    finally:
        await bare.stop(None)


async def test_a_plain_channel_is_refused() -> None:
    wrong: Any = grpc.insecure_channel("127.0.0.1:1")
    with wrong, pytest.raises(TypeError, match=r"^grpc_peer: expected grpc\.aio\..+, not one of grpc\._channel"):
        grpc_peer(wrong)


def test_a_service_that_is_no_string_is_refused() -> None:
    wrong: Any = None
    with pytest.raises(TypeError, match="service must be of type str"):
        grpc_peer(lambda: None, wrong)
