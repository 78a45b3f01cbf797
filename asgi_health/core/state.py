"""How a check stands, and the one function that changes it."""

from dataclasses import dataclass

from .check import Check
from .result import Result
from .status import Status


@dataclass(frozen=True, slots=True)
class CheckState:
    """What is known of a check. All times are monotonic seconds, all durations seconds."""

    status: Status | None = None
    """The status after thresholds; None until the first result."""
    result: Result | None = None
    """The last result, whatever the thresholds made of it."""
    since: float = 0.0
    """When `status` became what it is."""
    time: float | None = None
    """When the last result was recorded."""
    evidence: float | None = None
    """When there was last a reason to believe in `status`: from here on it grows stale."""
    duration: float | None = None
    """How long the last run took."""
    failures: int = 0
    """Failed runs of the streak that is making, or has made, the check unhealthy."""
    passes: int = 0
    """Passes in a row since the last failure."""
    retries: int = 0
    """Failed runs in a row since the check settled as unhealthy: the exponent of the pause."""
    passed: bool = False
    """Whether the check was ever anything but unhealthy: what the startup probe asks, and it latches."""

    @property
    def settled(self) -> bool:
        """Whether the next run is routine, not the confirmation of a change that may be under way."""
        if self.status is None:
            return False
        return self.passes == 0 if self.status is Status.UNHEALTHY else self.failures == 0


UNKNOWN = CheckState()


def advance(check: Check, state: CheckState, result: Result, now: float, duration: float) -> CheckState:
    """Return the state after `result`: every change of a check's status happens here.

    The first result of all counts at once; after that it takes `failure_threshold` failures in a row to turn
    unhealthy and `success_threshold` passes in a row to come back. A degraded result is a pass that worries: it
    ends a streak of failures and shows at once, for it does not fail a probe.
    """
    old = state.status
    if result.status is Status.UNHEALTHY:
        failures, passes = state.failures + 1, 0
        turns = old is None or old is Status.UNHEALTHY or failures >= check.failure_threshold
        new = Status.UNHEALTHY if turns else old
        retries = state.retries + 1 if old is Status.UNHEALTHY and state.passes == 0 else 0
    else:
        passes, retries = state.passes + 1, 0
        recovering = old is Status.UNHEALTHY and passes < check.success_threshold
        new = Status.UNHEALTHY if recovering else result.status
        failures = state.failures if recovering else 0
    # A failure that changes nothing yet is no reason to believe again in a pass that has grown stale.
    stale = state.evidence is not None and now >= state.evidence + check.stale_after
    unproven = stale and result.status is Status.UNHEALTHY and new is not Status.UNHEALTHY
    return CheckState(
        status=new,
        result=result,
        since=state.since if new is old else now,
        time=now,
        evidence=state.evidence if unproven else now,
        duration=duration,
        failures=failures,
        passes=passes,
        retries=retries,
        passed=state.passed or new is not Status.UNHEALTHY,
    )
