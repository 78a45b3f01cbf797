"""The thresholds of a check, written a second time: what its results make of it, by looking back over them.

The engine carries counters along. This looks at the last results anew each time, and uses no code of the engine.
"""

from collections import deque
from dataclasses import dataclass, field
from math import inf

from asgi_health import Check, Probe, Status

MAX_THRESHOLD = 8
"""Results that are kept: no threshold of a test is larger."""


@dataclass
class ExpectedCheck:
    """What the results of one check make of it.

    The first result counts at once. After that a failure makes the check unhealthy when it is unhealthy already, or
    when the last `failure_threshold` results are failures. Any other result shows at once, but an unhealthy check needs
    `success_threshold` of them in a row.
    """

    check: Check
    status: Status | None = None
    latest: float | None = None
    """When the last result was recorded (monotonic seconds)."""
    evidence: float = -inf
    """When a result last supported the status (monotonic seconds). A failure below the threshold supports nothing."""
    has_passed: bool = False
    """Whether the status has ever been other than unhealthy."""
    may_have_failed: bool = False
    """Whether a failure has been recorded, or may have been."""
    has_unseen_failures: bool = False
    """Whether failures of a run past its deadline may have been recorded since the last full streak of passes."""
    _recent: deque[bool] = field(default_factory=lambda: deque(maxlen=MAX_THRESHOLD))
    """Whether each of the last results was a failure."""

    def record(self, status: Status, now: float) -> None:
        """Take one result into account."""
        failed = status is Status.UNHEALTHY
        self._recent.append(failed)
        threshold = self.check.failure_threshold if failed else self.check.success_threshold
        streak = list(self._recent)[-threshold:]
        is_full = len(streak) == threshold and all(each is failed for each in streak)
        stale = self.is_stale(now)
        if failed:
            self.may_have_failed = True
            if self.status in (None, Status.UNHEALTHY) or is_full:
                self.status = Status.UNHEALTHY
        else:
            self.has_unseen_failures &= not is_full
            if self.status is not Status.UNHEALTHY or is_full:
                self.status = status
        # A failure below its threshold keeps a fresh pass fresh, but does not make a stale one count again.
        if not failed or not stale or self.status is Status.UNHEALTHY:
            self.evidence = now
        self.latest = now
        self.has_passed |= self.status is not Status.UNHEALTHY

    def record_unseen_failures(self, now: float) -> None:
        """Take into account that a run past its deadline may have been counted as failures, up to `now`."""
        self.may_have_failed = self.has_unseen_failures = True
        self.evidence = now

    @property
    def is_finished(self) -> bool:
        """Whether the check needs no further run: it counts for startup alone and has become healthy."""
        return self.check.probes == (Probe.STARTUP,) and self.status is Status.HEALTHY

    def is_stale(self, now: float) -> bool:
        """Return whether no result has supported the status for too long."""
        return now >= self.evidence + self.check.stale_after

    def must_not_pass(self, now: float) -> bool:
        """Return whether no probe that this check counts for as critical may be healthy."""
        return self.status in (None, Status.UNHEALTHY) or (self.is_stale(now) and not self.is_finished)
