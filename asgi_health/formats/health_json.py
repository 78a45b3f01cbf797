"""The details as health+json (draft-inadarei-api-health-check-06)."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson

from ..core.maintenance import Maintenance
from ..core.report import CheckReport, Report
from ..core.result import NAME_LIMIT, unique_name
from ..core.status import Status
from .answer import CODES, HEALTH_JSON, JSON, WORDS, Answer, answer
from .notes import notes
from .redact import redact
from .service import ServiceInfo


def health_json(report: Report, service: ServiceInfo | None, *, wall: float) -> Answer:
    """Return the answer with all details of `report`; `document` explains the arguments."""
    return health_answer(report.status, document(report, service, wall=wall))


def health_answer(status: Status, document: dict[str, Any]) -> Answer:
    """Return the answer to a probe that has `status`, with `document` as its body."""
    return answer(CODES[status], HEALTH_JSON, orjson.dumps(document))


def document(report: Report, service: ServiceInfo | None, *, wall: float) -> dict[str, Any]:
    """Return all details of `report`, in the form of JSON; the checks come last.

    Args:
        report: The report.
        service: What the details say about the app itself; None for nothing.
        wall: The moment of the report (seconds since the epoch). It dates the results and decides nothing.
    """
    fields: dict[str, Any] = {"status": WORDS[report.status]}
    if service is not None:
        fields |= _service(service)
    all_notes = [*(service.notes if service is not None else ()), *notes(report)]
    if all_notes:
        fields["notes"] = all_notes
    if report.maintenance is not None:
        fields["maintenance"] = _maintenance(report.maintenance, wall - report.now)
    fields["checks"] = {
        key: [entry] for check in report.checks for key, entry in check_entries(check, wall - report.now).items()
    }
    return fields


def _service(service: ServiceInfo) -> dict[str, Any]:
    fields = {
        "version": service.version,
        "releaseId": service.release,
        "serviceId": service.name,
        "description": service.description,
        "links": dict(service.links),
    }
    return {key: value for key, value in fields.items() if value}


def check_entries(check: CheckReport, epoch: float) -> dict[str, dict[str, Any]]:
    """Return the entries of `check` under their keys: that of the check itself, and those of its data."""
    entry: dict[str, Any] = {"status": WORDS[check.status]}
    if check.check.group is not None:
        entry["group"] = check.check.group
    state = check.state
    if state.time is not None and state.duration is not None:
        entry["time"] = timestamp(state.time + epoch)
        entry["responseTime"] = round(state.duration * 1000, 3)
    if check.output:
        entry["output"] = redact(check.output)
    if check.maintenance is not None:
        entry["maintenance"] = _maintenance(check.maintenance, epoch)
    entries = {check.name: entry}
    if state.result is not None:
        for name, (value, unit) in state.result.data.items():
            shown = redact(name, NAME_LIMIT).replace(":", ".")
            entry = entries[unique_name(f"{check.name}:{shown}", entries)] = {"observedValue": _value(value)}
            if unit:
                entry["observedUnit"] = redact(unit)
    return entries


def maintenances_json(maintenances: Iterable[Maintenance], now: float, *, wall: float) -> Answer:
    """Return the answer with the present maintenances.

    Args:
        maintenances: The maintenances.
        now: The present moment (monotonic seconds).
        wall: The same moment (seconds since the epoch).
    """
    found = [
        {"check": each.check, "reason": "", **_maintenance(each, wall - now), "remaining": round(each.until - now, 3)}
        for each in maintenances
    ]
    return answer(200, JSON, orjson.dumps({"maintenances": found}))


def _maintenance(maintenance: Maintenance, epoch: float) -> dict[str, str]:
    fields = {"since": timestamp(maintenance.since + epoch), "until": timestamp(maintenance.until + epoch)}
    if maintenance.reason:
        fields["reason"] = redact(maintenance.reason)
    return fields


def _value(value: float | int | str | bool) -> float | int | str | bool:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, float) or -(2**63) <= value < 2**64:
        return value
    # JSON readers, orjson among them, accept integers of 64 bits, and Python prints no more than 4300 digits.
    return str(value) if value.bit_length() < 1024 else hex(value)


def timestamp(seconds: float) -> str:
    """Return a moment (seconds since the epoch) as ISO 8601 in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
