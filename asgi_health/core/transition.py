"""What subscribers receive: the change of a check's status, and the change of a probe's."""

from dataclasses import dataclass, field
from typing import Literal

from .result import Result
from .status import Probe, Status

Reason = Literal["starting", "check", "stale", "stalled", "draining", "maintenance", "stopped", "worker"]
"""Why a probe is not healthy: the app starts or a check has had no result yet, a check's result, a result that grew
stale, the blocked event loop, a drain, a maintenance of the app or of the checks that fail, the end of the checks,
another worker of the host."""

Cause = Literal["starting", "started", "check", "stale", "stalled", "draining", "maintenance", "stopped", "worker"]
"""Why a probe has changed: the reason that began or, where the status got better, the one that ended. The end of
"starting" is "started"."""


@dataclass(frozen=True, slots=True)
class CheckTransition:
    """A change of a check's status. All times are monotonic seconds.

    Attributes:
        name: Name of the check.
        old: Status before the change; None when there was no result before.
        new: Status after the change; None when the check has been removed, or starts again with a new lifespan.
        result: Result of the run that made the change; None where `new` is None.
        since: When the old status began (monotonic seconds); 0.0 when there was none.
        at: When the new status began (monotonic seconds).
        failures: Number of failed runs in the streak that made the check unhealthy, or that has just ended.
        error: Exception that made the run fail, None where there was none. It keeps its stack frames alive: do not
            store it.
    """

    name: str
    old: Status | None
    new: Status | None
    result: Result | None
    since: float
    at: float
    failures: int
    error: BaseException | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ProbeTransition:
    """A change of a probe's status, or of the reason for it. All times are monotonic seconds.

    `old` and `new` are equal where only the reason has changed: an app that a check has made unready begins to drain.

    Attributes:
        probe: The probe.
        old: Status before the change.
        new: Status after the change.
        cause: What began or, where the status got better, what ended: ``starting``, ``started``, ``check``, ``stale``,
            ``stalled``, ``draining``, ``maintenance``, ``stopped`` or ``worker``: another worker of the host. Where a
            maintenance makes a failure count as degraded, it is ``maintenance``.
        checks: Names of the checks that make the new status; empty where no check does.
        since: When the old status began (monotonic seconds).
        at: When the new status began (monotonic seconds).
    """

    probe: Probe
    old: Status
    new: Status
    cause: Cause
    checks: tuple[str, ...]
    since: float
    at: float


Transition = CheckTransition | ProbeTransition
"""What a subscriber receives."""
