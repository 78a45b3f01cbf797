"""The details as text, in the form of Kubernetes' own components for ``?verbose``."""

from ..core.report import CheckReport, Report
from ..core.status import Probe, Status
from .answer import CODES, PLAIN_TEXT, Answer, answer
from .notes import notes
from .redact import redact

_TITLES = {Probe.LIVENESS: "livez", Probe.READINESS: "readyz", Probe.STARTUP: "startupz", Probe.HEALTH: "healthz"}

_OUTCOMES = {Status.HEALTHY: ("+", "ok"), Status.DEGRADED: ("!", "degraded"), Status.UNHEALTHY: ("-", "failed")}


def text(report: Report) -> Answer:
    """Return the answer with a line per check and the outcome last, as ``kubectl get --raw /readyz?verbose`` does."""
    lines = [_line(check) for check in report.checks]
    lines += [f"[+]{name} excluded: ok" for name in report.excluded]
    lines += [f"note: {note}" for note in notes(report)]
    outcome = "failed" if report.status is Status.UNHEALTHY else "passed"
    lines.append(f"{_TITLES[report.probe]} check {outcome}")
    return answer(CODES[report.status], PLAIN_TEXT, "".join(f"{line}\n" for line in lines).encode())


def _line(check: CheckReport) -> str:
    reason = f": {redact(check.output)}" if check.output else ""
    group = check.check.group
    remarks = [group] if group is not None else []
    if check.status is Status.UNHEALTHY and not check.critical:
        remarks.append("not critical")
    shown = f" ({', '.join(remarks)})" if remarks else ""
    sign, outcome = _OUTCOMES[check.status]
    return f"[{sign}]{check.name} {outcome}{shown}{reason}"
