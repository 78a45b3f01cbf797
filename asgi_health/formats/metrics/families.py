"""The metrics of one engine.

Names, labels and types are an interface: alert rules and dashboards depend on them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ...core.aggregate import stale_at
from ...core.check_slot import CheckSlot
from ...core.engine import Engine
from ...core.failure_category import CATEGORIES, Category
from ...core.lifecycle import Phase
from ...core.run_counts import BUCKET_BOUNDS
from ...core.stalls import NO_STALLS, PastStalls, Stall
from ...core.status import Probe, Status
from ...core.workers import Host
from .model import Distribution, Family, Metric, Point

STATUSES = {status: status.name.lower() for status in Status}
PHASES = {phase: phase.name.lower() for phase in Phase}

CHECK, PROBE = ("check", "group"), ("probe",)
"""A check without a group has no label `group`: its value is empty."""

CHECK_STATE = Metric(
    "asgi_health_check_state",
    "stateset",
    "Status of a check; unknown without a result, and when the last one is stale.",
    CHECK,
    states=(*STATUSES.values(), "unknown"),
)
CHECK_UP = Metric(
    "asgi_health_check_up",
    "gauge",
    "1 while a check is healthy or degraded, 0 while it is unhealthy or unknown.",
    CHECK,
)
CHECK_LAST_RESULT = Metric(
    "asgi_health_check_last_result_timestamp_seconds",
    "gauge",
    "When a check had its last result in the present lifespan.",
    CHECK,
    "seconds",
)
CHECK_DURATION = Metric(
    "asgi_health_check_duration_seconds",
    "histogram",
    "Durations of the runs of a check, cut off at its timeout.",
    CHECK,
    "seconds",
    bounds=BUCKET_BOUNDS,
)
CHECK_RUNS = Metric(
    "asgi_health_check_runs",
    "counter",
    "Results of a check: runs that have ended or timed out, and runs that were due while the previous one went on.",
    CHECK,
)
CHECK_FAILURES = Metric(
    "asgi_health_check_failures", "counter", "Failed results of a check, before thresholds.", (*CHECK, "category")
)
CHECK_TRANSITIONS = Metric(
    "asgi_health_check_transitions", "counter", "Changes of the status of a check, its first result included.", CHECK
)
CHECK_POOL_IN_USE = Metric(
    "asgi_health_check_pool_in_use", "gauge", "Connections in use in the pool that a check looks at.", CHECK
)
CHECK_POOL_SIZE = Metric(
    "asgi_health_check_pool_size", "gauge", "Most connections of the pool that a check looks at.", CHECK
)
PROBE_STATE = Metric(
    "asgi_health_probe_state", "stateset", "Status of a probe.", PROBE, states=tuple(STATUSES.values())
)
PROBE_UP = Metric("asgi_health_probe_up", "gauge", "1 while a probe answers 200, 0 while it answers 503.", PROBE)
PROBE_TRANSITIONS = Metric(
    "asgi_health_probe_transitions",
    "counter",
    "Changes of the status of a probe, or of the reason for it.",
    PROBE,
)
PHASE = Metric("asgi_health_phase", "stateset", "Phase of the app.", states=tuple(PHASES.values()))
DRAINING = Metric("asgi_health_draining", "gauge", "1 while the app drains, 0 before and afterwards.")
MAINTENANCE = Metric(
    "asgi_health_maintenance_remaining_seconds",
    "gauge",
    "Time until the end of each present maintenance: of a check, or of the app without the label.",
    ("check",),
    "seconds",
)
LOOP_LAG = Metric(
    "asgi_health_loop_lag_seconds", "gauge", "Lateness of the app's event loop at this moment.", unit="seconds"
)
LOOP_STALLS = Metric("asgi_health_loop_stalls", "counter", "Stalls of the app's event loop that are over.")
LOOP_STALLED = Metric(
    "asgi_health_loop_stalled_seconds", "counter", "Sum of the durations of these stalls.", unit="seconds"
)
DROPPED = Metric(
    "asgi_health_transitions_dropped",
    "counter",
    "Transitions that subscribers missed, because their queues were full of newer ones.",
)
LISTENER_EVICTED = Metric(
    "asgi_health_listener_evicted_connections",
    "counter",
    "Connections that the listener closed to make room for others.",
)
LISTENER_REFUSED = Metric(
    "asgi_health_listener_refused_connections",
    "counter",
    "Connections that the listener closed at once, because it could make no room.",
)

WORKERS = Metric(
    "asgi_health_workers",
    "gauge",
    "Living workers of the host, by state; only with a board.",
    ("state",),
)


@dataclass(frozen=True, slots=True)
class CheckFigures:
    """One check at one moment.

    Attributes:
        labels: Its name and its group, as values of labels; the group is empty for none.
        status: Its status; None without a result, and when the last one is stale.
        last_result: When it had its last result (seconds since the epoch); None for never.
        runs: Number of its results.
        failures: Failed ones among them, by category.
        transitions: Changes of its status.
        durations: Durations of its runs.
        pool_in_use: Connections in use in the pool that it looks at; None where it gives no number.
        pool_size: Most connections of that pool; None where it gives no number.
    """

    labels: tuple[str, str]
    status: Status | None
    last_result: float | None
    runs: int
    failures: Mapping[Category, int]
    transitions: int
    durations: Distribution
    pool_in_use: float | None = None
    pool_size: float | None = None

    @property
    def up(self) -> int:
        """1 while it is healthy or degraded, else 0."""
        return int(self.status is not None and self.status is not Status.UNHEALTHY)


@dataclass(frozen=True, slots=True)
class AppFigures:
    """Everything but the checks at one moment.

    Attributes:
        phase: Phase of the app.
        probes: Status of each probe.
        transitions: Number of the changes of each probe.
        dropped: Transitions that subscribers missed; None where nothing can subscribe.
        stalls: The stalls of the app's event loop, in all lifespans.
        loop_lag: Lateness of the event loop (seconds); None while nothing measures it.
        evicted: Connections that the listener closed to make room; None where there is no listener.
        refused: Connections that the listener closed at once; None where there is no listener.
        maintenances: The present maintenances: name of the check, empty for the app, and seconds until the end.
        workers: Number of living workers of the host in each state; None without a board.
    """

    phase: Phase
    probes: Mapping[Probe, Status] = field(default_factory=dict[Probe, Status])
    transitions: Mapping[Probe, int] = field(default_factory=dict[Probe, int])
    dropped: int | None = None
    stalls: PastStalls = NO_STALLS
    loop_lag: float | None = None
    evicted: int | None = None
    refused: int | None = None
    maintenances: tuple[tuple[str, float], ...] = ()
    workers: Mapping[str, int] | None = None


def check_figures(slot: CheckSlot, now: float, wall: float) -> CheckFigures:
    """Return the figures of a check at `now`. Takes no lock: any thread may call it.

    Args:
        slot: The check.
        now: The present moment (monotonic seconds): a result may be stale.
        wall: The same moment (seconds since the epoch).
    """
    state, counts = slot.state, slot.counts
    in_use = size = None
    if state.result is not None and state.result.data:
        in_use, size = (_number(state.result.data.get(name)) for name in ("pool_in_use", "pool_size"))
    return CheckFigures(
        labels=(slot.check.name, slot.check.group or ""),
        status=None if now >= stale_at(slot.check, state) else state.status,
        last_result=None if state.time is None else round(wall - now + state.time, 3),
        failures=counts.failures.copy(),  # before `runs`: see RunCounts
        runs=counts.runs,
        transitions=counts.transitions,
        durations=Distribution(tuple(counts.buckets), counts.seconds),
        pool_in_use=in_use,
        pool_size=size,
    )


def app_figures(
    engine: Engine,
    now: float,
    *,
    stall_of: Callable[[Probe], Stall | None] | None = None,
    loop_lag: float | None = None,
    dropped: int | None = None,
    connections: tuple[int, int] | None = None,
) -> AppFigures:
    """Return the figures of an app at `now`. Takes no lock: any thread may call it.

    Args:
        engine: The engine.
        now: The present moment (monotonic seconds).
        stall_of: Returns the present stall of the app's event loop, as a probe sees it; None where it is not known.
        loop_lag: Lateness of the event loop (seconds).
        dropped: How many transitions the subscribers have missed.
        connections: How many connections the listener has closed to make room, and how many at once.
    """
    probes = {probe: engine.probe_status(probe).at(now) for probe in Probe}
    if stall_of is not None:
        stalls = ((probe, stall_of(probe)) for probe in Probe)
        probes |= {probe: Status.UNHEALTHY for probe, stall in stalls if stall is not None and stall.too_long}
    evicted, refused = connections or (None, None)
    transitions = {probe: engine.transition_count(probe) for probe in Probe}
    host = engine.host
    maintenances = tuple((each.check or "", each.until - now) for each in engine.maintenances(now))
    return AppFigures(
        engine.phase,
        probes,
        transitions,
        dropped,
        engine.stalls,
        loop_lag,
        evicted,
        refused,
        maintenances,
        None if host is None else _workers(host),
    )


def _workers(host: Host) -> dict[str, int]:
    counts: dict[str, int] = dict.fromkeys(("starting", "ready", "not_ready", "draining"), 0)
    for worker in host.workers:
        if worker.phase in (Phase.DRAINING, Phase.STOPPED):
            counts["draining"] += 1
        elif not worker.startup_passed:
            counts["starting"] += 1
        else:
            ready = worker.probe_at(Probe.READINESS, host.at).status is not Status.UNHEALTHY
            counts["ready" if ready else "not_ready"] += 1
    return counts


def families(app: AppFigures, checks: Iterable[CheckFigures]) -> Iterator[Family]:
    """Yield every family. Those without points are among them, because a registry asks for all names."""
    yield from _of_app(app)
    yield from _of_checks(tuple(checks))


def _of_app(app: AppFigures) -> Iterator[Family]:
    probes = [((probe.value,), status) for probe, status in app.probes.items()]
    yield Family(PROBE_STATE, [(labels, STATUSES[status]) for labels, status in probes])
    yield Family(PROBE_UP, [(labels, int(status is not Status.UNHEALTHY)) for labels, status in probes])
    yield Family(PROBE_TRANSITIONS, [((probe.value,), count) for probe, count in app.transitions.items()])
    yield Family(PHASE, [((), PHASES[app.phase])])
    yield Family(DRAINING, [((), int(app.phase is Phase.DRAINING))])
    yield Family(MAINTENANCE, [((name,), seconds) for name, seconds in app.maintenances])
    yield Family(LOOP_STALLS, [((), app.stalls.count)])
    yield Family(LOOP_STALLED, [((), app.stalls.total)])
    for metric, value in (
        (LOOP_LAG, app.loop_lag),
        (DROPPED, app.dropped),
        (LISTENER_EVICTED, app.evicted),
        (LISTENER_REFUSED, app.refused),
    ):
        yield Family(metric, [] if value is None else [((), value)])
    workers: Mapping[str, int] = app.workers or {}
    yield Family(WORKERS, [((state,), count) for state, count in workers.items()])


def _of_checks(checks: tuple[CheckFigures, ...]) -> Iterator[Family]:
    unknown = {None: "unknown"}
    states = STATUSES | unknown
    yield Family(CHECK_STATE, ((each.labels, states[each.status]) for each in checks))
    yield Family(CHECK_UP, ((each.labels, each.up) for each in checks))
    yield Family(CHECK_LAST_RESULT, _known((each.labels, each.last_result) for each in checks))
    yield Family(CHECK_DURATION, ((each.labels, each.durations) for each in checks))
    yield Family(CHECK_RUNS, ((each.labels, each.runs) for each in checks))
    # Zeros too: rate() does not see the first failure of a series that did not exist before.
    yield Family(
        CHECK_FAILURES,
        (((*each.labels, category), each.failures.get(category, 0)) for each in checks for category in CATEGORIES),
    )
    yield Family(CHECK_TRANSITIONS, ((each.labels, each.transitions) for each in checks))
    yield Family(CHECK_POOL_IN_USE, _known((each.labels, each.pool_in_use) for each in checks))
    yield Family(CHECK_POOL_SIZE, _known((each.labels, each.pool_size) for each in checks))


def _known(points: Iterable[tuple[tuple[str, ...], float | None]]) -> Iterator[Point]:
    return ((labels, value) for labels, value in points if value is not None)


def _number(observed: tuple[object, str] | None) -> float | None:
    """Return an observed number, None for anything else: a check of the app may call a text by these names."""
    value = None if observed is None else observed[0]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < 2**53 else None  # also not infinity, NaN, or an integer that Python does not print
