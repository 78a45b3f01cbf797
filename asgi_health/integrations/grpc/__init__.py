"""The health over gRPC: the standard service ``grpc.health.v1.Health``, on a port or a unix socket of its own.

HealthMiddleware(app, checks, integrations=[Grpc("0.0.0.0:50051")])
"""

from typing import TYPE_CHECKING

from .. import not_installed

try:
    import grpc

    from .server import HealthServer
    from .statuses import ServiceStatuses
except ModuleNotFoundError as _error:
    _package = "grpc_health" if (_error.name or "").startswith("grpc_health") else "grpc"
    raise not_installed(_error, _package, extra="grpc-health") from None

from ...core.validate import require_type
from ...health import Health, engine_of
from ...listener.config import DEFAULT_MODE, Listener
from ...runtime.scheduler.runner import runner_of

if TYPE_CHECKING:
    from ...runtime.publisher.subscription import Subscription

__all__ = ["Grpc"]


class Grpc:
    """Answer ``grpc.health.v1.Health`` from threads of its own, also while the app's event loop is blocked.

    Its services are ``""`` and ``"readiness"``, ``"liveness"`` and ``"startup"``. A probe that passes or warns is
    SERVING. `Check` and `List` compute the status at the moment of the call. They run no check, and no watcher delays
    them. `Watch` sends the present status, and then each change. The server listens from before the app's startup until
    its end.

    The workers of one host share a port, as they do with a Listener, and each connection reaches one of them.

    Args:
        address: ``0.0.0.0:50051``, ``[::1]:50051``, or the path of a unix socket, which contains a slash.
        stall_ready: Seconds for which the loop has been blocked when readiness becomes NOT_SERVING.
        stall_live: Seconds for which the loop has been blocked when liveness becomes NOT_SERVING.
        mode: Mode (octal) of a unix socket's file, as in Listener.
        credentials: The credentials of the server, such as ``grpc.ssl_server_credentials(...)``; None: no TLS.
        checks: Whether each check is a service too, by its name. Every client may then read it.

    Raises:
        TypeError, ValueError: for a configuration that could not work.
    """

    def __init__(
        self,
        address: str,
        *,
        stall_ready: float = 5.0,
        stall_live: float = 30.0,
        mode: int = DEFAULT_MODE,
        credentials: "grpc.ServerCredentials | None" = None,
        checks: bool = False,
    ) -> None:
        try:
            self._listener = Listener(address, stall_ready, stall_live, mode)
        except (TypeError, ValueError) as error:  # the same rules, and the same words after the subject
            raise type(error)(str(error).replace("listener:", "grpc:", 1)) from None
        if credentials is not None:
            require_type("grpc: credentials", credentials, grpc.ServerCredentials)
        require_type("grpc: checks", checks, bool)
        self._credentials = credentials
        self._checks = checks
        self._server: HealthServer | None = None
        self._subscription: Subscription | None = None

    def start(self, health: Health, /) -> None:
        """Listen and answer from now on, for `health`.

        Raises:
            CannotListen: for an address that cannot be bound.
        """
        self.stop()
        engine = engine_of(health)
        statuses = ServiceStatuses(engine, self._listener.stall_times, runner_of(engine).figures, checks=self._checks)
        server = HealthServer(self._listener, statuses, self._credentials)
        server.start()
        self._server = server
        # One may wait: each call looks at the present statuses, so it needs no transition but the last.
        self._subscription = health.subscribe(server.on_transition, queue=1)

    def stop(self) -> None:
        """Stop without waiting: watchers receive NOT_SERVING, then the calls and the connections end."""
        if self._subscription is not None:
            self._subscription.cancel()
        if self._server is not None:
            self._server.stop()
        self._subscription = self._server = None
