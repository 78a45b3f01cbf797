"""The notes of a report, for both formats."""

from ..core.lifecycle import Phase
from ..core.maintenance import Maintenance
from ..core.report import Report
from ..core.status import Probe
from .redact import redact
from .workers import workers_behind


def notes(report: Report) -> list[str]:
    """Return what changed the outcome apart from the checks."""
    found: list[str] = []
    if report.phase is not None and report.phase is not Phase.SERVING:
        phase = report.phase.name.lower()
        if report.since is None:
            found.append(f"the app is {phase}")
        else:
            found.append(f"the app has been {phase} for {max(0.0, report.now - report.since):.1f} s")
    if report.maintenance is not None:
        found.append(_maintained("the app", report.maintenance))
    if report.host is not None and (workers := workers_behind(report.host, report.probe, report.status)):
        found.append(workers)
    found += (_maintained(f"check {each.name}", each.maintenance) for each in report.checks if each.maintenance)
    if report.stall is not None:
        found.append(f"stalled {report.stall.seconds:.1f} s of {report.stall.limit:g} s")
    if report.stalls.count and report.probe in (Probe.LIVENESS, Probe.HEALTH):
        times = f"{report.stalls.count} time{'' if report.stalls.count == 1 else 's'}"
        found.append(f"the event loop was blocked {times}, for {report.stalls.longest:.1f} s at most")
    if report.excluded:
        found.append(f"left out on request: {', '.join(report.excluded)}")
    if report.groups:
        found.append(f"only checks of the group{'s' if len(report.groups) > 1 else ''} {', '.join(report.groups)}")
    return found


def _maintained(subject: str, maintenance: Maintenance) -> str:
    reason = redact(maintenance.reason)
    return f"{subject} is in maintenance{': ' if reason else ''}{reason}"
