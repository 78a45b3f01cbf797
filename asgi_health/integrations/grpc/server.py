"""The gRPC server: its address, its limits, its start and its end."""

from threading import Thread
from typing import Any

import grpc
from grpc_health.v1 import health_pb2_grpc

from ...core.logger import logger
from ...core.transition import ProbeTransition, Transition
from ...listener.config import Listener
from .address import TcpAddress, UnixAddress, address_for
from .call_threads import CallThreads
from .servicer import HealthServicer
from .statuses import ServiceStatuses
from .watchers import Watchers

CALL_THREADS = 2
"""Threads that handle calls. None waits for a client or for the app."""

MAX_CALLS = 1000
"""Calls that wait for these threads, at most; of more, the newest are refused."""

LAST_SECONDS = 0.5
"""Seconds for which the end waits for watchers that do not take the last status. The others take milliseconds."""

OPTIONS = [
    ("grpc.so_reuseport", 1),  # the default on Linux; workers share a port, as they do with a Listener
    ("grpc.max_concurrent_streams", 100),  # on one connection: the least that RFC 9113 recommends
    ("grpc.max_receive_message_length", 4096),  # the name of a service
    # A watcher whose host has vanished leaves its place to another one.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.max_pings_without_data", 0),
]


class HealthServer:
    """Answer gRPC calls from `start` to `stop`. It starts once.

    Everything of gRPC is made in `start`, which follows the fork of a worker: its threads do not survive one.

    Args:
        listener: Where it listens.
        statuses: The statuses that it sends.
        credentials: The credentials of the server, None for no TLS.
    """

    def __init__(
        self, listener: Listener, statuses: ServiceStatuses, credentials: "grpc.ServerCredentials | None"
    ) -> None:
        self._listener = listener
        self._statuses = statuses
        self._credentials = credentials
        self._watchers = Watchers(statuses.of)
        self._server: Any = None
        self._address: TcpAddress | UnixAddress | None = None
        self._threads: CallThreads | None = None

    def start(self) -> None:
        """Listen and answer. Raises CannotListen, or RuntimeError where the system gives no thread."""
        address = self._address = address_for(self._listener)
        threads = self._threads = CallThreads(CALL_THREADS)
        module: Any = grpc  # whose types demand a ThreadPoolExecutor; it calls `submit`
        server = self._server = module.server(threads, options=OPTIONS, maximum_concurrent_rpcs=MAX_CALLS)
        servicer = HealthServicer(self._statuses, self._watchers)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)  # type: ignore[arg-type, unused-ignore]
        try:
            address.bind(self._add_port)
            server.start()
        except BaseException:
            address.release()
            threads.shutdown()
            raise
        logger.info("the gRPC health service answers at %s", address.name)

    def on_transition(self, transition: Transition) -> None:
        """Send watchers what has changed, without waiting; of the last change, return when it is sent."""
        if isinstance(transition, ProbeTransition) and transition.cause == "stopped":
            self._watchers.settle(LAST_SECONDS)
        else:
            self._watchers.look()

    def stop(self) -> None:
        """End without waiting: watchers receive NOT_SERVING, then all calls and connections end."""
        self._statuses.ended = True
        if self._address is not None:
            self._address.release()
        try:
            Thread(target=self._end, name="asgi-health grpc end", daemon=True).start()
        except RuntimeError:  # can't start new thread
            self._end()

    def _add_port(self, target: str) -> None:
        try:
            if self._credentials is None:
                self._server.add_insecure_port(target)
            else:
                self._server.add_secure_port(target, self._credentials)
        except RuntimeError as error:
            raise OSError(str(error)) from None

    def _end(self) -> None:
        # Not `stop` with a grace, for which gRPC makes a thread: the interpreter may be about to end.
        self._watchers.close(LAST_SECONDS)
        self._server.stop(None)
        if self._threads is not None:
            self._threads.shutdown()
