"""A gRPC server, by its standard health service."""

from typing import TYPE_CHECKING, Any

from ..core.result import Result, healthy, unhealthy
from ._support.arguments import require_type
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientOrFactory, client_getter, load

if TYPE_CHECKING:
    from grpc.aio import Channel

METHOD = "/grpc.health.v1.Health/Check"

SERVING = 1
STATUSES = {0: "UNKNOWN", SERVING: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


@catalogued(
    technology="gRPC",
    extra="grpc",
    asked="`Check` of `grpc.health.v1.Health`, for one service or for the whole server",
    costs="one call, on the connection that all calls share",
    privileges="none, where the server does not ask for any",
)
def grpc_peer(channel: "ClientOrFactory[Channel]", service: str = "") -> AsyncCheck:
    """Return a check that the server of a channel of grpc.aio is SERVING.

    While gRPC waits before it reconnects, first 1 s and later up to 2 min, all calls fail at once, and so does the
    check.

    Args:
        channel: The channel, or a function that returns it.
        service: The name of the service. Empty: the server as a whole.

    Raises:
        ModuleNotFoundError: grpcio is not installed.
        TypeError: `channel` is another kind of channel, or `service` is not a string.
    """
    grpc = load("grpc", extra="grpc")
    get = client_getter(channel, load("grpc.aio", extra="grpc").Channel, by="grpc_peer")
    require_type("grpc_peer: service", service, str)
    request = _request(service)

    async def check() -> Result:
        channel: Any = get()
        try:
            answer: bytes = await channel.unary_unary(METHOD)(request)
        except grpc.aio.AioRpcError as error:
            # The text of the error has six lines, and no more information.
            return unhealthy(f"{error.code().name}: {error.details()}")
        status = _status(answer)
        if status == SERVING:
            return healthy()
        return unhealthy(f"{service or 'the server'} is {STATUSES.get(status, status)}, expected SERVING")

    return check


# The two messages have one field each. Generated code would tie an application to its release of protobuf.


def _request(service: str) -> bytes:
    """Return ``HealthCheckRequest { string service = 1; }``."""
    name = service.encode()
    return b"\x0a" + _varint(len(name)) + name if name else b""


def _varint(number: int) -> bytes:
    low, high = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(high) if high else bytes([low])


def _status(answer: bytes) -> int:
    """Return the status of ``HealthCheckResponse { ServingStatus status = 1; }``, 0 where the field is missing."""
    return answer[1] if len(answer) == 2 and answer[0] == 0x08 else 0
