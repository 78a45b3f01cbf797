"""The state of a check, and the one function that changes it."""

from dataclasses import dataclass

from .check import Check
from .result import Result
from .status import Status


@dataclass(frozen=True, slots=True)
class CheckState:
    """What is known about a check. All times are monotonic seconds.

    Attributes:
        status: Status after thresholds; None until the first result.
        result: Last result, before thresholds.
        since: When `status` last changed (monotonic seconds).
        time: When the last result was recorded (monotonic seconds).
        evidence: When a result last supported `status` (monotonic seconds); the status grows stale from then on. A
            failure below the threshold supports a status that is fresh, and not one that is stale.
        duration: Duration of the last run (seconds).
        failures: Failed runs in the streak that is making, or has made, the check unhealthy.
        passes: Passes in a row since the last failure.
        retries: Failed runs in a row since the check settled as unhealthy: the exponent of the pause.
        passed: Whether the check was ever anything but unhealthy. The startup probe asks for this; it stays true.
    """

    status: Status | None = None
    result: Result | None = None
    since: float = 0.0
    time: float | None = None
    evidence: float | None = None
    duration: float | None = None
    failures: int = 0
    passes: int = 0
    retries: int = 0
    passed: bool = False

    @property
    def settled(self) -> bool:
        """Whether no streak is in progress that may change the status."""
        if self.status is None:
            return False
        return self.passes == 0 if self.status is Status.UNHEALTHY else self.failures == 0


UNKNOWN = CheckState()


def advance(check: Check, state: CheckState, result: Result, now: float, duration: float) -> CheckState:
    """Return the state after `result`: every change of a check's status happens here.

    The first result counts at once. After that, `failure_threshold` failures in a row make the check unhealthy and
    `success_threshold` passes in a row make it healthy again. A degraded result is a pass: it ends a streak of failures
    and shows at once, except while the check recovers, because it does not fail a probe.
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
    # A failure below the threshold must not make a stale pass count as fresh again.
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
