"""Details that say why the status is what it is: what decides it, since when, what comes next, and the past."""

from collections.abc import Iterator
from dataclasses import replace
from math import inf
from typing import Any

from ..core.past import CheckFlip, ProbeFlip, Uptime
from ..core.report import CheckReport, Report
from .answer import WORDS, Answer
from .health_json import check_entries, document, health_answer, timestamp
from .service import ServiceInfo

MAX_FLIPS = 5
"""Changes of status shown for the probe and for each check. `Health.report(history=True)` has all that are kept."""


def explain(report: Report, service: ServiceInfo | None, *, wall: float) -> Answer:
    """Return the answer with all details of `report`, and the member `explain` for it and for each check.

    Args:
        report: The report, with its history.
        service: What the details say about the app itself; None for nothing.
        wall: The moment of the report (seconds since the epoch). It dates what happened and decides nothing.
    """
    *_, answer = explain_in_parts(report, service, wall=wall)
    assert answer is not None
    return answer


def explain_in_parts(report: Report, service: ServiceInfo | None, *, wall: float) -> Iterator[Answer | None]:
    """Yield None after each check, and the answer of `explain` in the end: the caller may do other work in between."""
    found = document(replace(report, checks=()), service, wall=wall)
    checks = found.pop("checks")
    epoch = wall - report.now
    for check in report.checks:
        entries = check_entries(check, epoch)
        entries[check.name]["explain"] = _check(check, report.now, epoch)
        checks |= {key: [entry] for key, entry in entries.items()}
        yield None
    yield health_answer(report.status, {**found, "explain": _report(report, epoch), "checks": checks})


def _report(report: Report, epoch: float) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "cause": report.reason,
        "checks": report.culprits,
        **_moment("since", _since(report), report.now, epoch),
    }
    if report.host is not None:
        behind = () if report.reason is None else report.host.behind(report.probe, report.status)
        fields["workers"] = [worker.pid for worker, _ in behind]
    if report.phase is not None:
        fields["phase"] = report.phase.name.lower()
        fields |= _moment("phaseSince", report.since, report.now, epoch)
    if report.history is not None:
        fields["flips"] = [
            {**_flip(flip, epoch), "cause": flip.cause, "checks": flip.checks, "moreChecks": flip.more}
            for flip in reversed(report.history.flips[-MAX_FLIPS:])
        ]
        fields["uptime"] = _uptime(report.history.hour, report.history.day)
    return fields


def _since(report: Report) -> float | None:
    """Return when the probe got its status; None when that is not known."""
    if report.phase is None:
        return next((check.since for check in report.checks), None)
    history = report.history
    if (
        report.excluded
        or report.groups
        or report.reason == "stalled"
        or history is None
        or history.status is not report.status
    ):
        return None
    return history.since


def _check(check: CheckReport, now: float, epoch: float) -> dict[str, Any]:
    config, state = check.check, check.state
    fields: dict[str, Any] = {
        **_moment("since", check.since, now, epoch),
        "contribution": WORDS[check.contribution],
        "critical": check.critical,
        "probes": [probe.value for probe in config.probes],
        "failures": state.failures,
        "passes": state.passes,
        "failureThreshold": config.failure_threshold,
        "successThreshold": config.success_threshold,
        "interval": config.interval,
        "retryInterval": config.retry_interval,
        "timeout": config.timeout,
        "maxAge": config.stale_after,
        "ageSeconds": _seconds(now, state.time),
        "staleInSeconds": _seconds(check.stale_at if check.stale_at < inf else None, now),
        "runningSeconds": _seconds(now, check.run_started),
        "nextRunSeconds": _seconds(check.next_start, now),
    }
    if check.history is not None:
        fields["flips"] = [_flip(flip, epoch) for flip in reversed(check.history.last_flips(MAX_FLIPS))]
        fields["uptime"] = _uptime(check.history.hour, check.history.day)
    return fields


def _moment(name: str, moment: float | None, now: float, epoch: float) -> dict[str, Any]:
    shown = None if moment is None else timestamp(moment + epoch)
    return {name: shown, f"{name}Seconds": _seconds(now, moment)}


def _seconds(end: float | None, begin: float | None) -> float | None:
    """Return the seconds between two moments, to the millisecond; 0.0 when the end has passed."""
    return None if end is None or begin is None else round(max(0.0, end - begin), 3)


def _flip(flip: CheckFlip | ProbeFlip, epoch: float) -> dict[str, Any]:
    old = None if flip.old is None else WORDS[flip.old]
    return {"time": timestamp(flip.at + epoch), "from": old, "to": WORDS[flip.new]}


def _uptime(hour: Uptime, day: Uptime) -> dict[str, float | None]:
    return {"hour": hour.percent, "day": day.percent}
