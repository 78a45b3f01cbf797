"""The workers of a host: what each publishes about itself, and what they add up to.

The workers are processes that serve the same app from one socket, as `uvicorn --workers 4` starts them: a probe reaches
one of them by chance, so each has to answer for all. All times are seconds of `time.monotonic`, which the processes of
one boot share.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

from .lifecycle import Phase
from .stalls import StallTimes
from .state import CheckState
from .status import Probe, Status
from .transition import Reason

NAMES_OF_CHECKS = 10
"""Names of checks that a worker publishes for each probe, at most."""


@dataclass(frozen=True, slots=True)
class WorkerProbe:
    """The status of one probe of one worker, without the other workers.

    Attributes:
        status: Its status.
        reason: Why it is not healthy; None when it is.
        checks: Names of the checks that make it so, the first ten; empty where no check does.
        since: When it got this status (monotonic seconds); 0.0 where that is not known.
    """

    status: Status
    reason: Reason | None = None
    checks: tuple[str, ...] = ()
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Worker:
    """What one worker publishes about itself. All times are seconds of `time.monotonic`.

    Attributes:
        key: Unique for each lifespan of each process.
        pid: Number of its process.
        started: When its lifespan began (monotonic seconds).
        updated: When it published this (monotonic seconds).
        beat: When its event loop last ran (monotonic seconds); None where nothing measures that.
        phase: Its phase.
        startup_passed: Whether its startup has passed.
        drain_ordered_at: When it was ordered to drain (monotonic seconds), by its drain path or by `Health.drain`; None
            for never. A drain that a signal began is no order: the signal may be meant for this worker alone.
        stall_times: How long its event loop may be blocked.
        probes: The status of each of its probes.
        results: The state of each check that runs once per host, where this worker runs them; None where it does not.
    """

    key: str
    pid: int
    started: float
    updated: float
    beat: float | None
    phase: Phase
    startup_passed: bool
    drain_ordered_at: float | None
    stall_times: StallTimes
    probes: Mapping[Probe, WorkerProbe]
    results: Mapping[str, CheckState] | None = None

    def probe_at(self, probe: Probe, now: float) -> WorkerProbe:
        """Return the status of `probe` at `now`: unhealthy too where the event loop has not run for too long.

        A process that is stopped (SIGSTOP), or whose event loop holds the GIL, publishes nothing about that itself.
        """
        own = self.probes[probe]
        failed = own.status is Status.UNHEALTHY and own.reason != "starting"
        if self.beat is None or failed or self.phase not in (Phase.SERVING, Phase.DRAINING):
            return own
        stall = self.stall_times.stall(probe, now - self.beat)
        return WorkerProbe(Status.UNHEALTHY, "stalled", (), self.beat) if stall is not None and stall.too_long else own

    def without(self, names: frozenset[str], probe: Probe) -> "Worker":
        """Return this worker as if its checks of these names did not count for `probe`.

        A status that other checks may have made too stays.
        """
        own = self.probes[probe]
        complete = 0 < len(own.checks) < NAMES_OF_CHECKS
        if own.reason not in ("check", "stale") or not complete or not names.issuperset(own.checks):
            return self
        return replace(self, probes={**self.probes, probe: WorkerProbe(Status.HEALTHY)})

    def counts_for(self, probe: Probe, now: float) -> bool:
        """Return whether the status of this worker at `now` counts for the other workers.

        A worker takes no requests before its startup, nor after a drain by a signal: the server replaces it, and the
        others serve on. Nor does it count while its checks have had no result: another worker may have taken its place.
        """
        if probe is Probe.LIVENESS:
            return self.phase is not Phase.STOPPED and self.probe_at(probe, now).reason != "starting"
        if self.phase is Phase.DRAINING:
            return self.drain_ordered_at is not None
        return self.phase is Phase.SERVING and self.probe_at(probe, now).reason != "starting"


@dataclass(frozen=True, slots=True)
class OtherWorkers:
    """What the other workers make of one probe.

    Attributes:
        status: The status that they add to the worker's own one; the worse of the two counts.
        reason: Why it is not healthy: "worker", or "starting" while they start; None when it is.
        pids: Numbers of the processes that make it so.
    """

    status: Status
    reason: Reason | None = None
    pids: tuple[int, ...] = ()


NO_OTHERS = OtherWorkers(Status.HEALTHY)

UNKNOWN_OTHERS: Mapping[Probe, OtherWorkers] = {
    Probe.LIVENESS: NO_OTHERS,
    **dict.fromkeys((Probe.READINESS, Probe.STARTUP, Probe.HEALTH), OtherWorkers(Status.UNHEALTHY, "starting")),
}
"""What counts before a worker has read of the others: it may be the first of several that start."""


@dataclass(frozen=True, slots=True)
class Host:
    """The living workers of a host at one moment, as one of them sees them.

    Attributes:
        own: The key of the worker that looks.
        workers: All living workers, this one too.
        probes: What the others make of each probe.
        leader: Key of the worker that runs the checks of the host and sends its alerts; None for none at the moment.
        quorum: How many workers must be ready, as a number or a share; None for all.
        at: The moment for which the workers were judged (monotonic seconds).
    """

    own: str
    workers: tuple[Worker, ...]
    probes: Mapping[Probe, OtherWorkers]
    leader: str | None = None
    quorum: int | float | None = None
    at: float = 0.0

    def without(self, names: frozenset[str], probe: Probe) -> "Host":
        """Return this host as if the checks of these names did not count for `probe`; only that probe is changed."""
        if not names or probe is Probe.STARTUP:
            return self
        own, *others = (each.without(names, probe) for each in self.workers)
        found = combine(own, others, self.at, quorum=self.quorum, leader=self.leader)
        return replace(found, probes={**self.probes, probe: found.probes[probe]})

    def behind(self, probe: Probe, status: Status) -> tuple[tuple[Worker, WorkerProbe], ...]:
        """Return the workers that make `probe` at least as bad as `status`, which is not HEALTHY, and why they do."""
        return tuple(
            (each, found)
            for each in self.workers
            if self.counts(each, probe) and (found := each.probe_at(probe, self.at)).status >= status
        )

    def blocked(self, seconds: float) -> frozenset[int]:
        """Return the numbers of the other workers that serve and whose event loop has been blocked for `seconds`."""
        return frozenset(
            each.pid
            for each in self.workers
            if each.key != self.own
            and each.phase is Phase.SERVING
            and each.startup_passed
            and each.beat is not None
            and self.at - each.beat >= seconds
        )

    def counts(self, worker: Worker, probe: Probe) -> bool:
        """Return whether the status of `worker` counts for `probe` of the host."""
        if probe is Probe.STARTUP:
            return worker.phase is not Phase.STOPPED
        return worker.key == self.own or worker.counts_for(probe, self.at)

    @property
    def leading_worker(self) -> Worker | None:
        """The worker that runs the checks of the host."""
        return next((each for each in self.workers if each.key == self.leader), None)

    @property
    def shown(self) -> object:
        """What reports show of it: all but the moments at which the workers last published."""
        return self.leader, [(each.key, each.phase, each.probes) for each in self.workers], self.probes


def combine(
    own: Worker,
    others: Iterable[Worker],
    now: float,
    *,
    quorum: int | float | None = None,
    expected: int | None = None,
    leader: str | None = None,
) -> Host:
    """Return what the living workers add up to, as `own` sees them.

    Args:
        own: The worker that looks.
        others: The other living workers.
        now: The moment (monotonic seconds).
        quorum: How many workers must be ready, as a number, or as a share of those that count; None for all.
        expected: How many workers must have started before the startup probe passes; None for all that have begun.
        leader: Key of the worker that runs the checks of the host.
    """
    others = tuple(others)
    probes = {
        Probe.LIVENESS: _worst(others, Probe.LIVENESS, now),
        Probe.STARTUP: _startup((own, *others), expected),
    }
    for probe in (Probe.READINESS, Probe.HEALTH):
        probes[probe] = _worst(others, probe, now) if quorum is None else _quorum(own, others, probe, now, quorum)
    return Host(own.key, (own, *others), probes, leader, quorum, now)


def _worst(others: Sequence[Worker], probe: Probe, now: float) -> OtherWorkers:
    found = [(each.probe_at(probe, now).status, each.pid) for each in others if each.counts_for(probe, now)]
    status = max((each for each, _ in found), default=Status.HEALTHY)
    if status is Status.HEALTHY:
        return NO_OTHERS
    return OtherWorkers(status, "worker", tuple(pid for each, pid in found if each is status))


def _quorum(own: Worker, others: Sequence[Worker], probe: Probe, now: float, quorum: int | float) -> OtherWorkers:
    counted = [each for each in (own, *others) if each is own or each.counts_for(probe, now)]
    bad = [each for each in counted if each.probe_at(probe, now).status is Status.UNHEALTHY]
    # By identity: the workers of two containers may have one number.
    pids = tuple(each.pid for each in bad if each is not own)
    required = quorum if isinstance(quorum, int) else ceil(quorum * len(counted))
    if len(counted) - len(bad) < required:
        return OtherWorkers(Status.UNHEALTHY, "worker", pids)
    if pids:
        return OtherWorkers(Status.DEGRADED, "worker", pids)
    return _worst(others, probe, now)


def _startup(workers: Sequence[Worker], expected: int | None) -> OtherWorkers:
    present = [each for each in workers if each.phase is not Phase.STOPPED]
    passed = sum(each.startup_passed for each in present)
    if passed >= (len(present) if expected is None else expected):
        return NO_OTHERS
    return OtherWorkers(Status.UNHEALTHY, "starting", tuple(each.pid for each in present if not each.startup_passed))
