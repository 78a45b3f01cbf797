"""Finds the changes of the probes' statuses, also those by age and by a blocked event loop, and keeps their order."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from math import inf
from typing import cast

from .aggregate import ProbeStatus
from .probe_statuses import Statuses
from .status import Probe, Status
from .transition import Cause, ProbeTransition, Reason

BY_PHASE: tuple[Reason, ...] = ("starting", "draining", "maintenance", "stopped")
"""Reasons for an unhealthy probe that a blocked loop does not replace: they remain when it runs again."""

NamesOf = Callable[[Probe, Status, Reason, float], tuple[str, ...]]
"""Returns the names of the checks that give a probe this status for this reason at this moment."""


@dataclass(frozen=True, slots=True)
class Known:
    """What was last known of a probe.

    Attributes:
        status: Its status.
        reason: Why it is not healthy; None when it is.
        since: When this began (monotonic seconds).
    """

    status: Status
    reason: Reason | None
    since: float


class ProbeTransitions:
    """The last known status of each probe. `changes` returns what has changed since the last call."""

    __slots__ = ("_seen", "counts", "known", "next_decay")

    def __init__(self, statuses: Statuses) -> None:
        self._seen: tuple[Statuses, Collection[Probe]] = (statuses, ())
        self.known = {probe: Known(status.status, status.reason, 0.0) for probe, status in statuses.items()}
        self.counts = dict.fromkeys(statuses, 0)
        """Number of the changes of each probe so far."""
        self.next_decay = min(status.valid_until for status in statuses.values())
        """When the next status gets worse because a result grows stale (monotonic seconds), infinity for never."""

    def restart(self, now: float) -> None:
        """Let the known statuses begin at `now` at the latest: a lifespan begins, perhaps on a clock of its loop.

        What was so before the first one begins with it.
        """
        for probe, known in self.known.items():
            self.known[probe] = replace(known, since=min(known.since or now, now))

    def are_known(self, statuses: Statuses, stalled: Collection[Probe], now: float) -> bool:
        """Return whether `changes` with the same arguments would certainly return nothing."""
        return self._seen[0] is statuses and self._seen[1] is stalled and now < self.next_decay

    def changes(
        self, statuses: Statuses, stalled: Collection[Probe], now: float, names_of: NamesOf
    ) -> list[ProbeTransition]:
        """Return the changes from the last call to `now`, and remember the new statuses.

        Args:
            statuses: The present statuses.
            stalled: The probes that are unhealthy because the event loop is blocked.
            now: The present moment (monotonic seconds).
            names_of: Names the checks behind a status.
        """
        found: list[ProbeTransition] = []
        next_decay = inf
        for probe, present in statuses.items():
            known = self.known[probe]
            status, reason, began = effective_status(present, probe in stalled, now)
            if status is not known.status or reason != known.reason:
                # A decay may be found late. What gets better does so now, even where something else has decayed before.
                at = min(began, now) if began is not None and status > known.status else now
                at = max(at, known.since)  # another thread may have been faster with a moment that it took later
                # A maintenance that makes a failure count as degraded is no end of the failure.
                begins = status >= known.status or reason == "maintenance"
                cause = reason if reason is not None and begins else _ended(known.reason)
                checks = () if reason is None else names_of(probe, status, reason, now)
                found.append(ProbeTransition(probe, known.status, status, cause, checks, known.since, at))
                self.known[probe] = Known(status, reason, at)
                self.counts[probe] += 1
            next_decay = min(
                [next_decay, *(each for each in (present.degraded_at, present.unhealthy_at) if each > now)]
            )
        self.next_decay = next_decay
        self._seen = (statuses, stalled)
        return found


def effective_status(present: ProbeStatus, stalled: bool, now: float) -> tuple[Status, Reason | None, float | None]:
    """Return the status of a probe at `now`, the reason for it, and when it began if that was in the past."""
    if stalled and not (present.status is Status.UNHEALTHY and present.reason in BY_PHASE):
        return Status.UNHEALTHY, "stalled", None
    status = present.at(now)
    if status is present.status:
        return status, present.reason, None
    return status, "stale", present.unhealthy_at if status is Status.UNHEALTHY else present.degraded_at


def _ended(reason: Reason | None) -> Cause:
    return "started" if reason == "starting" else cast("Cause", reason)
