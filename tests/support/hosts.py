"""Engines that know the other workers of their host, without a board."""

from collections.abc import Mapping

from asgi_health import Probe, Status
from asgi_health.core.engine import Engine
from asgi_health.core.lifecycle import Phase
from asgi_health.core.stalls import StallTimes
from asgi_health.core.workers import Host, Worker, WorkerProbe, combine

OWN_PID = 4241
"""Number of the process of the engine itself; those of the others follow."""

FAILS = WorkerProbe(Status.UNHEALTHY, "check", ("database",), 60.0)
"""Why a worker is not healthy: a check fails since 60 s."""


def worker(
    number: int,
    *,
    readiness: WorkerProbe | None = None,
    liveness: WorkerProbe | None = None,
    health: WorkerProbe | None = None,
    phase: Phase = Phase.SERVING,
    startup_passed: bool = True,
    beat: float | None = None,
    updated: float = 0.0,
) -> Worker:
    """Return another worker, healthy by default; `health` is as `readiness` where it is not given."""
    well = WorkerProbe(Status.HEALTHY, since=50.0)
    probes: Mapping[Probe, WorkerProbe] = {
        Probe.LIVENESS: liveness or well,
        Probe.READINESS: readiness or well,
        Probe.STARTUP: well if startup_passed else WorkerProbe(Status.UNHEALTHY, "starting", (), 50.0),
        Probe.HEALTH: health or readiness or well,
    }
    return Worker(f"w{number}", OWN_PID + number, 0.0, updated, beat, phase, startup_passed, None, StallTimes(), probes)


def host_of(engine: Engine, now: float, *others: Worker, leader: str | None = "own") -> Host:
    """Return the host of these workers and of the engine's own one, whose key is ``own``."""
    own = engine.own_worker("own", OWN_PID, now, started=0.0, beat=now, stall_times=StallTimes(), leads=leader == "own")
    return combine(own, others, now, leader=leader)


def join(engine: Engine, now: float, *others: Worker, leader: str | None = "own") -> None:
    """Pass the workers of its host on to the engine, as a turn at the board does."""
    engine.set_host(host_of(engine, now, *others, leader=leader), now, leads_until=now + 1000.0)
