"""The parts of a status page that change, each as one HTML element with an id of its own."""

from typing import Protocol

from ..core.report import CheckReport, Report


def element_id(name: str) -> str:
    """Return the id of the element of the check `name`; see Check for the characters of a name."""
    return f"check-{name}"


class Fragments(Protocol):
    """Renders the parts of a page that change."""

    def head(self, report: Report) -> str:
        """Return the elements that describe the whole app, each with an id.

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
