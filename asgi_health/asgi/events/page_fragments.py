"""The fragments of the status page, for the events."""

import time
from math import inf

from ...core.engine import Engine
from ...core.report import CheckReport, Report
from ...formats.page import check_fragment, head_fragment
from ..app_facts import app_facts

MAX_DRIFT = 0.25
"""Seconds by which the wall clock and that of the checks drift apart before the moments of fragments follow. Without it
each moment would differ by a millisecond from one fragment to the next, and each would count as a change."""


class PageFragments:
    """Render the parts of the page of `engine`; see `Fragments`."""

    __slots__ = ("_engine", "_epoch")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._epoch = inf

    def head(self, report: Report) -> str:
        """See `Fragments.head`."""
        return head_fragment(report, app_facts(self._engine, report.now), wall=self._wall(report.now))

    def check(self, check: CheckReport, now: float) -> str:
        """See `Fragments.check`."""
        return check_fragment(check, now=now, wall=self._wall(now))

    def _wall(self, now: float) -> float:
        epoch = time.time() - self._engine.clock()
        if abs(epoch - self._epoch) > MAX_DRIFT:
            self._epoch = epoch
        return self._epoch + now
