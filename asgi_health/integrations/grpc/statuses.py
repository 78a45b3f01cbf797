"""The status of each service at the present moment."""

from math import inf
from time import monotonic

from grpc_health.v1 import health_pb2

from ...core.engine import Engine
from ...core.logger import logger
from ...core.stalls import StallTimes
from ...core.status import Probe, Status
from ...runtime.loop_figures import LoopFigures

PROBES = {
    "": Probe.READINESS,
    "readiness": Probe.READINESS,
    "liveness": Probe.LIVENESS,
    "startup": Probe.STARTUP,
}
"""The services that are probes. Most clients ask for ``""``, "the server as a whole", to decide where calls go."""

SERVING: int = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING: int = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN: int = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class ServiceStatuses:
    """Compute the status of a service from the engine and the lateness of the event loop, in any thread.

    Computed for each call, and not stored when something changes: a status also decays with time, and a stored one
    would stay as it is when the thread that stores it hangs.

    Args:
        engine: The engine.
        times: How long the loop may be blocked.
        figures: Where the lateness of the loop is found.
        checks: Whether the checks are services too.
    """

    def __init__(self, engine: Engine, times: StallTimes, figures: LoopFigures, *, checks: bool) -> None:
        self._engine = engine
        self._times = times
        self._figures = figures
        self._checks = checks
        self._logged_failure = False
        self.ended = False
        """Whether the server ends: from then on no service is SERVING."""

    def services(self) -> tuple[str, ...]:
        """Return the names of all services."""
        names = [check.name for check in self._engine.checks] if self._checks else []
        return tuple(dict.fromkeys([*PROBES, *names]))

    def of(self, service: str) -> int | None:
        """Return the status of `service` as a number of the protocol; None for an unknown service."""
        try:
            healthy = self._is_healthy(service)
        except Exception:
            # gRPC would send the text of the exception to the client.
            if not self._logged_failure:
                self._logged_failure = True
                logger.exception("the gRPC service %.100r could not be answered, and counts as NOT_SERVING", service)
            return NOT_SERVING
        if healthy is None:
            return None
        return SERVING if healthy and not self.ended else NOT_SERVING

    def _is_healthy(self, service: str) -> bool | None:
        engine = self._engine
        probe = PROBES.get(service)
        if probe is not None:
            stall = self._times.stall(probe, self._lateness())
            if stall is not None and stall.too_long:
                return False
            return engine.probe_status(probe).at(engine.clock()) is not Status.UNHEALTHY
        if not self._checks:
            return None
        try:
            report = engine.report_check(service, Probe.HEALTH, engine.clock())
        except KeyError:
            return None
        return report.checks[0].status is not Status.UNHEALTHY

    def _lateness(self) -> float:
        """Return by how many seconds the event loop is late; infinity when there is none any more."""
        lag = self._figures.loop_lag(monotonic())
        return inf if lag is None else lag
