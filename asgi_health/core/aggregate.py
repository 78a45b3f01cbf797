"""How the checks of one probe add up to its status, and how that status gets worse while no new result arrives."""

from dataclasses import dataclass
from math import inf

from .check import Check
from .schedule import Timers
from .state import CheckState
from .status import Probe, Status
from .transition import Reason


@dataclass(frozen=True, slots=True)
class ProbeStatus:
    """The status of a probe, and when it decays because results grow stale.

    Immutable, so that any thread may keep one and evaluate it at any later moment.

    Attributes:
        status: Status at the moment of its computation.
        degraded_at: From this moment on (monotonic seconds) the probe is at best DEGRADED.
        unhealthy_at: From this moment on (monotonic seconds) the probe is UNHEALTHY.
        reason: Why `status` is not HEALTHY; None when it is. A status that has decayed is stale.
    """

    status: Status
    degraded_at: float = inf
    unhealthy_at: float = inf
    reason: Reason | None = None

    def at(self, now: float) -> Status:
        """Return the status at `now` (monotonic seconds)."""
        if now >= self.unhealthy_at:
            return Status.UNHEALTHY
        if now >= self.degraded_at:
            return max(self.status, Status.DEGRADED)
        return self.status

    def reason_at(self, now: float) -> Reason | None:
        """Return why the status at `now` (monotonic seconds) is not HEALTHY; None when it is."""
        return self.reason if self.at(now) is self.status else "stale"

    @property
    def valid_until(self) -> float:
        """The moment of the next decay (monotonic seconds), infinity when there is none."""
        return min(self.degraded_at, self.unhealthy_at)


def worst_when_unknown(probe: Probe, check: Check) -> Status:
    """Return the status that a check without a fresh result contributes to `probe`.

    Liveness is degraded at most: a restart does not produce the missing result.
    """
    return Status.UNHEALTHY if check.critical and probe is not Probe.LIVENESS else Status.DEGRADED


def contribution(probe: Probe, check: Check, state: CheckState) -> Status:
    """Return what a check contributes to the status of `probe`, without regard to the age of its result."""
    if probe is Probe.STARTUP:
        return Status.HEALTHY if state.passed else worst_when_unknown(probe, check)
    if state.status is None:
        return worst_when_unknown(probe, check)
    return state.status if check.critical else min(state.status, Status.DEGRADED)


def stale_at(check: Check, state: CheckState) -> float:
    """Return the moment from which the last result no longer counts; infinity for a check that needs no new result."""
    if state.evidence is None or is_finished(check, state):
        return inf
    return state.evidence + check.stale_after


def is_finished(check: Check, state: CheckState) -> bool:
    """Return whether a check needs no further run: it counts for startup alone and has become healthy."""
    return state.status is Status.HEALTHY and check.probes == (Probe.STARTUP,)


class Aggregate:
    """Count the checks of one probe by their contribution.

    Updating one check costs the same among ten checks and among ten thousand.
    """

    __slots__ = ("_contributions", "_counts", "_decays", "_probe", "_without_result")

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._contributions: dict[str, Status] = {}
        self._counts = dict.fromkeys(Status, 0)
        self._without_result: dict[Status, set[str]] = {Status.DEGRADED: set(), Status.UNHEALTHY: set()}
        self._decays = {Status.DEGRADED: Timers(), Status.UNHEALTHY: Timers()}

    def __len__(self) -> int:
        return len(self._contributions)

    def update(self, check: Check, state: CheckState, stale: float) -> None:
        """Count `check` with `state`, whose result grows stale at `stale`, in place of its previous state."""
        new = contribution(self._probe, check, state)
        old = self._contributions.get(check.name)
        if old is not new:
            if old is not None:
                self._counts[old] -= 1
            self._counts[new] += 1
            self._contributions[check.name] = new
        for names in self._without_result.values():
            names.discard(check.name)
        if state.time is None and new is not Status.HEALTHY:
            self._without_result[new].add(check.name)
        if self._probe is not Probe.STARTUP:  # a pass of a startup check never grows stale
            worse = worst_when_unknown(self._probe, check)
            self._decays[worse].set(check.name, stale if new < worse else inf)

    def discard(self, name: str) -> None:
        """Stop counting the check of that name."""
        old = self._contributions.pop(name, None)
        if old is not None:
            self._counts[old] -= 1
            for names in self._without_result.values():
                names.discard(name)
            for timers in self._decays.values():
                timers.set(name, inf)

    @property
    def has_failed(self) -> bool:
        """Whether a check makes the probe unhealthy by a result that it had."""
        return self._counts[Status.UNHEALTHY] > len(self._without_result[Status.UNHEALTHY])

    @property
    def awaits_first_result(self) -> bool:
        """Whether a check makes the probe unhealthy because it has had no result yet."""
        return bool(self._without_result[Status.UNHEALTHY])

    def status(self) -> ProbeStatus:
        """Return the status of the probe."""
        counts = self._counts
        if counts[Status.UNHEALTHY]:
            return ProbeStatus(Status.UNHEALTHY, reason=self.reason(Status.UNHEALTHY))
        unhealthy_at = self._decays[Status.UNHEALTHY].next()
        if counts[Status.DEGRADED]:
            return ProbeStatus(Status.DEGRADED, unhealthy_at=unhealthy_at, reason=self.reason(Status.DEGRADED))
        return ProbeStatus(Status.HEALTHY, self._decays[Status.DEGRADED].next(), unhealthy_at)

    def reason(self, status: Status) -> Reason:
        """Return why the probe has `status`: a result, or results that have not come yet and nothing else."""
        return "check" if self._counts[status] > len(self._without_result[status]) else "starting"

    def names(self, status: Status, reason: Reason, now: float) -> tuple[str, ...]:
        """Return the names of the checks that give the probe `status` for `reason` at `now` (monotonic seconds)."""
        if reason == "stale":
            return self._decays[status].passed(now)
        without = self._without_result[status]
        return tuple(
            name
            for name, contributed in tuple(self._contributions.items())  # a thread may add a check meanwhile
            if contributed is status and (name in without) is (reason == "starting")
        )
