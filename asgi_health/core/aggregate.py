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
    """The status of a probe, and when it decays because results grow stale or a maintenance ends.

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

    __slots__ = ("_contributions", "_counts", "_decays", "_maintained", "_probe", "_spared", "_without_result")

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._contributions: dict[str, Status] = {}
        self._counts = dict.fromkeys(Status, 0)
        self._without_result: dict[Status, set[str]] = {Status.DEGRADED: set(), Status.UNHEALTHY: set()}
        self._decays = {Status.DEGRADED: Timers(), Status.UNHEALTHY: Timers()}
        self._maintained: set[str] = set()
        """Names of the checks in maintenance."""
        self._spared: dict[str, None] = {}
        """Names of those of them that would make the probe unhealthy otherwise."""

    def __len__(self) -> int:
        return len(self._contributions)

    def update(self, check: Check, state: CheckState, stale: float, maintained_until: float = -inf) -> None:
        """Count `check` with `state`, in place of its previous state.

        Args:
            check: The check.
            state: Its state.
            stale: When its result grows stale (monotonic seconds).
            maintained_until: Until when its failures count as degraded (monotonic seconds).
        """
        new = contribution(self._probe, check, state)
        maintained = maintained_until > -inf
        if self._maintained:
            self._end_maintenance(check.name)
        if maintained:
            self._maintained.add(check.name)
            if new is Status.UNHEALTHY:
                new = Status.DEGRADED
                self._spared[check.name] = None
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
            if not maintained:
                self._decays[worse].set(check.name, stale if new < worse else inf)
            else:
                # Degraded at once when it grows stale, and what else a stale or failed result means at the end.
                failed = -inf if check.name in self._spared else stale
                at_end = max(failed, maintained_until) if worse is Status.UNHEALTHY or failed < stale else inf
                self._decays[Status.UNHEALTHY].set(check.name, at_end)
                self._decays[Status.DEGRADED].set(check.name, stale if new is Status.HEALTHY else inf)

    def discard(self, name: str) -> None:
        """Stop counting the check of that name."""
        old = self._contributions.pop(name, None)
        if old is not None:
            self._counts[old] -= 1
            for names in self._without_result.values():
                names.discard(name)
            self._end_maintenance(name)
            for timers in self._decays.values():
                timers.set(name, inf)

    def _end_maintenance(self, name: str) -> None:
        if name in self._maintained:
            self._maintained.remove(name)
            self._spared.pop(name, None)
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
        """Return why the probe has `status`: a result; or nothing but a maintenance, or results that have not come."""
        if status is Status.DEGRADED and 0 < self._counts[status] == len(self._spared):
            return "maintenance"
        return "check" if self._counts[status] > len(self._without_result[status]) else "starting"

    def names(self, status: Status, reason: Reason, now: float) -> tuple[str, ...]:
        """Return the names of the checks that give the probe `status` for `reason` at `now` (monotonic seconds)."""
        if reason == "stale":
            return self._decays[status].passed(now)
        if reason == "maintenance":
            return tuple(self._spared)
        without = self._without_result[status]
        return tuple(
            name
            for name, contributed in tuple(self._contributions.items())  # a thread may add a check meanwhile
            if contributed is status and (name in without) is (reason == "starting")
        )
