"""The methods of ``grpc.health.v1.Health``.

Not the servicer of grpcio-health-checking. That one sends to its watchers with a lock held, and gRPC's send returns
when the client takes the message: one watcher with a flow-control window of 0 keeps it from answering any `Check`. It
also answers with the status that it was given last, which stays SERVING when the results behind it grow stale.

Nor grpc.aio, which wakes every event loop of the process that uses it, the app's too, for each call, and with grpcio
1.60 logs errors there (grpc/grpc 25364; 1.85 logs none).
"""

from collections.abc import Callable
from typing import Any, TypeVar

import grpc
from grpc_health.v1 import health_pb2

from .statuses import NOT_SERVING, SERVICE_UNKNOWN, ServiceStatuses
from .watchers import Watcher, Watchers

F = TypeVar("F", bound=Callable[..., Any])


def _without_a_thread(method: F) -> F:
    """Have gRPC pass a function that sends, and not keep a thread for each call.

    grpcio calls the attribute experimental. It has been there since 1.26, and grpcio-health-checking sets it too.
    """
    method.__dict__["experimental_non_blocking"] = True
    return method


class HealthServicer:
    """Answer the calls of the service, for `add_HealthServicer_to_server`."""

    def __init__(self, statuses: ServiceStatuses, watchers: Watchers) -> None:
        self._statuses = statuses
        self._watchers = watchers

    def Check(self, request: Any, context: "grpc.ServicerContext") -> Any:
        """Return the present status of a service."""
        status = self._statuses.of(request.service)
        if status is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return _response(status)

    def List(self, _: Any, __: "grpc.ServicerContext") -> Any:
        """Return the present status of all services. grpcio-health-checking has this method since 1.72."""
        statuses = {service: self._statuses.of(service) for service in self._statuses.services()}
        protocol: Any = health_pb2
        response = protocol.HealthListResponse()
        for service, status in statuses.items():
            # None: the check has been removed meanwhile.
            response.statuses[service].status = NOT_SERVING if status is None else status
        return response

    @_without_a_thread
    def Watch(
        self, request: Any, context: "grpc.ServicerContext", send_response_callback: Callable[[Any], None]
    ) -> None:
        """Send the status of a service, and then each new one, until the client or the server ends."""

        def send(status: int | None) -> None:
            send_response_callback(_response(SERVICE_UNKNOWN if status is None else status))

        def end() -> None:
            context.set_code(grpc.StatusCode.UNAVAILABLE)
            send_response_callback(None)

        watcher = Watcher(request.service, context.peer(), send=send, end=end, cancel=context.cancel)
        if not self._watchers.add(watcher):
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many watchers")
        if not context.add_callback(lambda: self._watchers.discard(watcher)):  # the call has ended already
            self._watchers.discard(watcher)


def _response(status: int | None) -> Any:
    protocol: Any = health_pb2
    return protocol.HealthCheckResponse(status=status)
