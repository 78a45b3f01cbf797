"""What an engine keeps of one check."""

from math import inf

from .check import Check
from .history import CheckHistory
from .maintenance import Maintenance
from .result import Result
from .run_counts import RunCounts
from .schedule import Run
from .state import UNKNOWN, CheckState


class CheckSlot:
    """A check, its state, its present run, its history, its maintenance, and the counts of its runs."""

    __slots__ = ("check", "counts", "delegated", "forced", "history", "maintenance", "run", "state")

    def __init__(self, check: Check) -> None:
        self.check = check
        self.counts = RunCounts()
        self.state: CheckState = UNKNOWN
        self.history = CheckHistory()
        self.run: Run | None = None
        self.maintenance: Maintenance | None = None
        self.delegated = False
        """Whether another worker of the host runs it."""
        self.forced: Result | None = None

    @property
    def maintained_until(self) -> float:
        """Until when its failures count as degraded (monotonic seconds), minus infinity where they do not."""
        return -inf if self.maintenance is None else self.maintenance.until
