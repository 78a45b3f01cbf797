"""What a subscriber is told."""

from dataclasses import dataclass, field

from .result import Result
from .status import Status


@dataclass(frozen=True, slots=True)
class Transition:
    """A check's status changed. All times are monotonic seconds."""

    name: str
    old: Status | None
    """None: there was no result before."""
    new: Status
    result: Result
    """The result that made the change."""
    since: float
    """When the old status began."""
    at: float
    """When the new one began."""
    failures: int
    """Failed runs of the streak that made it unhealthy, or that has just ended."""
    error: BaseException | None = field(default=None, compare=False)
    """The exception behind the result, where there was one. It holds its frames alive: do not keep it."""
