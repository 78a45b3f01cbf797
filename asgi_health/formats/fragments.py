"""The parts of a status page that change, each as one HTML element with an id of its own."""

from html import escape
from typing import Protocol

from ..core.report import CheckReport, Report
from ..core.status import Status
from .answer import WORDS
from .redact import redact


def element_id(name: str) -> str:
    """Return the id of the element of the check `name`; see Check for the characters of a name."""
    return f"check-{name}"


class Fragments(Protocol):
    """Renders the parts of a page that change."""

    def head(self, report: Report) -> str:
        """Return the element that describes the whole app.

        Args:
            report: The report of all checks, with the past of the probe and without that of the checks.
        """
        ...

    def check(self, check: CheckReport, now: float) -> str:
        """Return the element that describes one check. Its id is `element_id` of the name.

        Args:
            check: The report of the check, with its past.
            now: The moment of the report (monotonic seconds).
        """
        ...


class PlainFragments:
    """Elements with the words of the report alone."""

    def head(self, report: Report) -> str:
        """See `Fragments.head`."""
        counts = dict.fromkeys(Status, 0)
        for check in report.checks:
            counts[check.status] += 1
        summary = ", ".join(f"{counts[status]} {WORDS[status]}" for status in Status)
        phase = "" if report.phase is None else f", {report.phase.name.lower()}"
        stall = "" if report.stall is None else f", event loop blocked for {report.stall.seconds:.0f} s"
        return f'<p id="head">{WORDS[report.status]}{phase}{stall} ({summary})</p>'

    def check(self, check: CheckReport, now: float) -> str:
        """See `Fragments.check`."""
        reason = f": {escape(redact(check.output))}" if check.output else ""
        text = f"<b>{check.name}</b> {WORDS[check.status]}{reason}"
        return f'<p id="{element_id(check.name)}">{text}</p>'
