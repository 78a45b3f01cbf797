"""A client of ``grpc.health.v1``, on grpcio's generated code, and one that takes no message."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import h2.config
import h2.connection
import h2.settings
from grpc_health.v1 import health_pb2, health_pb2_grpc

from .waiting import wait_until

SERVING, NOT_SERVING, SERVICE_UNKNOWN = "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"
SECONDS = 10.0
"""Deadline of each call, long enough for a busy machine."""


class Client:
    """One connection to a health service."""

    def __init__(self, channel: Any) -> None:
        self.stub: Any = health_pb2_grpc.HealthStub(channel)

    def check(self, service: str = "") -> str:
        """Return the status of the service, or the code of the error."""
        try:
            answer = self.stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=SECONDS)
        except grpc.RpcError as error:
            return str(error.code().name)
        return name_of(answer.status)

    def all(self) -> dict[str, str]:
        """Return the status of every service, by `List`."""
        protocol: Any = health_pb2
        answer = self.stub.List(protocol.HealthListRequest(), timeout=SECONDS)
        return {service: name_of(each.status) for service, each in answer.statuses.items()}


class Watching:
    """A call of `Watch`, read by a thread."""

    def __init__(self, client: Client, service: str = "") -> None:
        self.seen: list[str] = []
        self.code: str | None = None
        """The code with which the call has ended, None while it lasts."""
        self._call = client.stub.Watch(health_pb2.HealthCheckRequest(service=service))
        threading.Thread(target=self._read, daemon=True).start()

    def wait_for(self, *statuses: str) -> None:
        """Wait until these statuses, and no others, have come."""
        wait_until(lambda: self.seen == list(statuses), lambda: f"{statuses} come, not {self.seen}")

    def cancel(self) -> None:
        self._call.cancel()

    def _read(self) -> None:
        try:
            for each in self._call:
                self.seen.append(name_of(each.status))
            self.code = "OK"
        except grpc.RpcError as error:
            self.code = error.code().name


@contextmanager
def connected(target: str, credentials: Any = None) -> Iterator[Client]:
    """Connect to `target`: ``host:port``, or the path of a unix socket."""
    target = f"unix:{target}" if "/" in target else target
    # A connection of its own, which is tried again soon after it has failed.
    times = ("initial_reconnect_backoff_ms", "min_reconnect_backoff_ms", "max_reconnect_backoff_ms")
    options = [("grpc.use_local_subchannel_pool", 1), *((f"grpc.{name}", 100) for name in times)]
    channel = (
        grpc.insecure_channel(target, options)
        if credentials is None
        else grpc.secure_channel(target, credentials, options)
    )
    try:
        yield Client(channel)
    finally:
        channel.close()


def name_of(status: int) -> str:
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(status))


@contextmanager
def watching_without_reading(port: int, service: str = "", *, calls: int = 1) -> Iterator[None]:
    """Call `Watch` with a flow-control window of 0: the server can send no message."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
    window = {h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0}
    connection.local_settings = h2.settings.Settings(client=True, initial_values=window)
    connection.initiate_connection()
    name = service.encode()
    request = b"\x0a" + bytes([len(name)]) + name if name else b""
    for _ in range(calls):
        stream = connection.get_next_available_stream_id()
        headers = [
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", b"/grpc.health.v1.Health/Watch"),
            (b":authority", b"127.0.0.1"),
            (b"content-type", b"application/grpc"),
            (b"te", b"trailers"),
        ]
        connection.send_headers(stream, headers)
        connection.send_data(stream, b"\0" + len(request).to_bytes(4, "big") + request, end_stream=True)
    with socket.create_connection(("127.0.0.1", port), SECONDS) as client:
        client.sendall(connection.data_to_send())
        yield


@contextmanager
def held_port() -> Iterator[int]:
    """Yield a port that servers with SO_REUSEPORT may bind, and which no other process gets."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
