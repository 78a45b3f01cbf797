"""The change of a check's status, as subscribers receive it."""

from dataclasses import dataclass, field

from .result import Result
from .status import Status


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of a check's status. All times are monotonic seconds.

    Attributes:
        name: Name of the check.
        old: Status before the change; None when there was no result before.
        new: Status after the change.
        result: Result of the run that made the change.
        since: When the old status began (monotonic seconds); 0.0 when there was none.
        at: When the new status began (monotonic seconds).
        failures: Number of failed runs in the streak that made the check unhealthy, or that has just ended.
        error: Exception that made the run fail, None where there was none. It keeps its stack frames alive: do not
            store it.
    """

    name: str
    old: Status | None
    new: Status
    result: Result
    since: float
    at: float
    failures: int
    error: BaseException | None = field(default=None, compare=False)
