"""What the runs of one check add up to: counters that only grow, for metrics."""

from bisect import bisect_left
from math import inf

from .failure_category import CATEGORIES, Category

DURATION_BOUNDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 60.0)
"""Upper bounds of the buckets of durations (seconds); one more has no bound.

Two per decade: a quantile computed from them is wrong by a factor of three at most, which tells a connection inside of
one host from one across a network, and that from a retransmission. Each further bound costs a series per check. From a
ping of a local server to the longest timeout that needs no longer interval; the default timeout is 2 s.
"""


class RunCounts:
    """Count the runs of one check since it was added to its Health. A new lifespan does not reset it.

    One thread at a time writes, and any thread may read. A reader in the middle of a write may miss its second half.
    Failures are written after `runs`, so that a reader of the failures and then of the runs never finds more of them.
    """

    __slots__ = ("buckets", "failures", "runs", "seconds", "transitions")

    def __init__(self) -> None:
        self.runs = 0
        """Results: of runs that have ended or passed their deadline, and of overruns."""
        self.failures: dict[Category, int] = dict.fromkeys(CATEGORIES, 0)
        """Failed ones among them, before thresholds."""
        self.transitions = 0
        """Changes of the check's status, its first result included."""
        self.seconds = 0.0
        """Sum of the durations. Without overruns, of which each would count the same run again."""
        self.buckets = [0] * (len(DURATION_BOUNDS) + 1)
        """Number of the durations between two bounds: above the previous bound, up to its own."""

    def record(self, duration: float, failure: Category | None, *, changed: bool) -> None:
        """Count one result.

        Args:
            duration: Duration of the run (seconds).
            failure: Why it failed; None for a pass.
            changed: Whether the status of the check changed.
        """
        self.runs += 1
        if failure is not None:
            self.failures[failure] += 1
        if failure != "overrun":
            self.seconds += duration
            self.buckets[bisect_left(DURATION_BOUNDS, duration)] += 1
        if changed:
            self.transitions += 1


BUCKET_BOUNDS = (*DURATION_BOUNDS, inf)
"""The bound of each bucket, the last one included."""
