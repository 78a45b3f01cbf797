"""The details as text, in the form of Kubernetes' own components for ``?verbose``."""

from ..core.report import CheckReport, Report
from ..core.status import Probe, Status
from .answer import CODES, PLAIN_TEXT, Answer, answer
from .notes import notes
from .redact import redact

_TITLES = {Probe.LIVENESS: "livez", Probe.READINESS: "readyz", Probe.STARTUP: "startupz", Probe.HEALTH: "healthz"}


def text(report: Report, *, unknown: int = 0) -> Answer:
    """Return the answer with a line per check and the outcome last, as ``kubectl get --raw /readyz?verbose`` does."""
    lines = [_line(check) for check in report.checks]
    lines += [f"[+]{name} excluded: ok" for name in report.excluded]
    lines += [f"note: {note}" for note in notes(report, unknown)]
    outcome = "failed" if report.status is Status.UNHEALTHY else "passed"
    lines.append(f"{_TITLES[report.probe]} check {outcome}")
    return answer(CODES[report.status], PLAIN_TEXT, "".join(f"{line}\n" for line in lines).encode())


def _line(check: CheckReport) -> str:
    reason = f": {redact(check.output)}" if check.output else ""
    if check.status is Status.HEALTHY:
        return f"[+]{check.name} ok"
    if check.status is Status.DEGRADED:
        return f"[!]{check.name} degraded{reason}"
    return f"[-]{check.name} failed{'' if check.critical else ' (not critical)'}{reason}"
