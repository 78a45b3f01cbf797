"""What a report has to add in words, for both formats."""

from ..core.lifecycle import Phase
from ..core.report import Report


def notes(report: Report, unknown: int) -> list[str]:
    """Return what changed the outcome besides the checks; a name out of a request is counted, never repeated."""
    told: list[str] = []
    if report.phase is not None and report.phase is not Phase.SERVING:
        told.append(f"the app is {report.phase.name.lower()}")
    if report.excluded:
        told.append(f"left out on request: {', '.join(report.excluded)}")
    if unknown:
        told.append(f"{unknown} of the names to leave out {'is' if unknown == 1 else 'are'} not the name of a check")
    return told
