"""How the checks of one probe add up, now and while nothing new arrives."""

from dataclasses import dataclass
from math import inf

from .check import Check
from .schedule import Timers
from .state import CheckState
from .status import Probe, Status


@dataclass(frozen=True, slots=True)
class Outlook:
    """The status of a probe and how it decays by itself: results grow old even when nobody is there to notice.

    Immutable, so that any thread may hold one and ask it at any later moment.
    """

    status: Status
    warn_at: float = inf
    """From this moment on (monotonic seconds) it is at best DEGRADED."""
    fail_at: float = inf
    """From this moment on (monotonic seconds) it is UNHEALTHY."""

    def at(self, now: float) -> Status:
        """Return the status at `now`."""
        if now >= self.fail_at:
            return Status.UNHEALTHY
        if now >= self.warn_at:
            return max(self.status, Status.DEGRADED)
        return self.status

    @property
    def until(self) -> float:
        """The moment of the next decay (monotonic seconds)."""
        return min(self.warn_at, self.fail_at)


def cap(probe: Probe | None, check: Check) -> Status:
    """Return the worst that ignorance about a check (no result yet, or a stale one) may do to a probe.

    Liveness is degraded at most: a restart cures no ignorance, it only adds to it.
    """
    return Status.UNHEALTHY if check.critical and probe is not Probe.LIVENESS else Status.DEGRADED


def weigh(probe: Probe | None, check: Check, state: CheckState) -> Status:
    """Return what a check contributes to a probe (None: to all of them together), its age left aside."""
    if probe is Probe.STARTUP:
        return Status.HEALTHY if state.passed else cap(probe, check)
    if state.status is None:
        return cap(probe, check)
    return state.status if check.critical else min(state.status, Status.DEGRADED)


def stale_at(check: Check, state: CheckState) -> float:
    """Return the moment from which the last result no longer counts, infinity for a check that has nothing to renew."""
    if state.evidence is None or finished(check, state):
        return inf
    return state.evidence + check.stale_after


def finished(check: Check, state: CheckState) -> bool:
    """Tell whether a check has done all it ever has to: one for startup alone, once it is healthy."""
    return state.status is Status.HEALTHY and check.probes == (Probe.STARTUP,)


class Tally:
    """Count the checks of one probe by what they contribute, so that one result costs the same among ten thousand."""

    __slots__ = ("_counts", "_decays", "_levels", "_probe", "_unknown")

    def __init__(self, probe: Probe | None) -> None:
        self._probe = probe
        self._levels: dict[str, Status] = {}
        self._counts = dict.fromkeys(Status, 0)
        self._unknown: set[str] = set()
        self._decays = {Status.DEGRADED: Timers(), Status.UNHEALTHY: Timers()}

    def __len__(self) -> int:
        return len(self._levels)

    def put(self, check: Check, state: CheckState) -> None:
        """Count `check` as it stands in `state`, in place of how it stood before."""
        level = weigh(self._probe, check, state)
        before = self._levels.get(check.name)
        if before is not level:
            if before is not None:
                self._counts[before] -= 1
            self._counts[level] += 1
            self._levels[check.name] = level
        if level is Status.UNHEALTHY and state.time is None:
            self._unknown.add(check.name)
        else:
            self._unknown.discard(check.name)
        if self._probe is not Probe.STARTUP:  # what has once passed cannot grow old
            worse = cap(self._probe, check)
            self._decays[worse].set(check.name, stale_at(check, state) if level < worse else inf)

    def drop(self, name: str) -> None:
        """Count the check no longer."""
        level = self._levels.pop(name, None)
        if level is not None:
            self._counts[level] -= 1
            self._unknown.discard(name)
            for timers in self._decays.values():
                timers.set(name, inf)

    @property
    def failed(self) -> bool:
        """Whether a check makes the probe unhealthy by what is known of it."""
        return self._counts[Status.UNHEALTHY] > len(self._unknown)

    @property
    def unknown(self) -> bool:
        """Whether a check makes the probe unhealthy because it had no result yet."""
        return bool(self._unknown)

    def outlook(self) -> Outlook:
        """Return how the probe stands."""
        counts = self._counts
        if counts[Status.UNHEALTHY]:
            return Outlook(Status.UNHEALTHY)
        status = Status.DEGRADED if counts[Status.DEGRADED] else Status.HEALTHY
        warn_at = self._decays[Status.DEGRADED].next() if status is Status.HEALTHY else inf
        return Outlook(status, warn_at, self._decays[Status.UNHEALTHY].next())
