"""The fragments of the status page, for the events."""

import time

from ...core.engine import Engine
from ...core.report import CheckReport, Report
from ...formats.page import check_fragment, head_fragment
from ..app_facts import app_facts


class PageFragments:
    """Render the parts of the page of `engine`; see `Fragments`."""

    __slots__ = ("_engine",)

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def head(self, report: Report) -> str:
        """See `Fragments.head`."""
        return head_fragment(report, app_facts(self._engine, report.now), wall=time.time())

    def check(self, check: CheckReport, now: float) -> str:
        """See `Fragments.check`."""
        return check_fragment(check, now=now, wall=time.time())
