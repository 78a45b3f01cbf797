"""The notes of a report, for both formats."""

from ..core.lifecycle import Phase
from ..core.report import Report
from ..core.status import Probe


def notes(report: Report, unknown: int) -> list[str]:
    """Return what changed the outcome apart from the checks. Unknown names in a request are counted, not repeated."""
    found: list[str] = []
    if report.phase is not None and report.phase is not Phase.SERVING:
        phase = report.phase.name.lower()
        if report.since is None:
            found.append(f"the app is {phase}")
        else:
            found.append(f"the app has been {phase} for {max(0.0, report.now - report.since):.1f} s")
    if report.stall is not None:
        found.append(f"stalled {report.stall.seconds:.1f} s of {report.stall.limit:g} s")
    if report.stalls.count and report.probe in (Probe.LIVENESS, Probe.HEALTH):
        times = f"{report.stalls.count} time{'' if report.stalls.count == 1 else 's'}"
        found.append(f"the event loop was blocked {times}, for {report.stalls.longest:.1f} s at most")
    if report.excluded:
        found.append(f"left out on request: {', '.join(report.excluded)}")
    if unknown:
        found.append(f"{unknown} of the names to leave out {'is' if unknown == 1 else 'are'} not the name of a check")
    return found
