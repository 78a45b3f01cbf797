"""Reads the status of an app from its details, which another version of this package may have written."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from ..app_client import AppClient, Fields, Refused, fields_of, json_of, list_of
from .table import Status, Table, age, local

DEFAULT_PATH = "/health"
"""The path of the details where the URL has none."""


def status_of_app(app: AppClient) -> Status:
    """Return what the details of an app show. Raises Refused."""
    answer = app.ask("GET", _path_of(app), "format=json&explain")
    if answer.status not in (200, 503):
        raise Refused(f"answered {answer.status}; expected the details of the app, 200 or 503")
    document = json_of(answer)
    word = document.get("status")
    if word not in ("pass", "warn", "fail"):
        raise Refused("the answer has no status; expected the path of Paths(health=...)")
    ready = answer.status == 200
    explained = fields_of(document.get("explain"))
    phase = explained.get("phase")
    lines = [f"{'ready' if ready else 'not ready'}: {word}{f', {phase}' if isinstance(phase, str) else ''}"]
    lines += [f"note: {each}" for each in list_of(document.get("notes"))]
    if "checks" not in document:
        lines.append("the app shows no details to this reader: ASGI_HEALTH_TOKEN or --header must satisfy `details`")
    checks = list(_checks(document))
    workers = [fields_of(each) for each in list_of(document.get("workers"))]
    maintenances = list(_maintenances(document))
    found = {
        "ready": ready,
        "status": word,
        "checks": checks,
        "workers": workers,
        "maintenances": maintenances,
    }
    return Status(ready, lines, (_check_table(checks), _worker_table(workers), maintenance_table(maintenances)), found)


def _path_of(app: AppClient) -> str:
    """Return the path of the details. A URL of the endpoint of maintenances serves for all three commands."""
    path = app.target.path
    return DEFAULT_PATH if path == "/" else path.rstrip("/").removesuffix("/maintenance") or DEFAULT_PATH


def _checks(document: Fields) -> Iterator[dict[str, Any]]:
    for name, entry in _entries(document):
        explained = fields_of(entry.get("explain"))
        yield {
            "name": name,
            "status": str(entry.get("status")),
            "critical": explained.get("critical") is not False,
            "since": explained.get("since"),
            "message": str(entry.get("output") or ""),
        }


def _entries(document: Fields) -> Iterator[tuple[str, Fields]]:
    """Return the entries of the checks, without those of their data, which have no status."""
    for name, entries in fields_of(document.get("checks")).items():
        entry = fields_of(next(iter(list_of(entries)), None))
        if "status" in entry:
            yield name, entry


def _maintenances(document: Fields) -> Iterator[dict[str, Any]]:
    for check, fields in ((None, document), *_entries(document)):
        if found := fields_of(fields.get("maintenance")):
            yield {"check": check, "until": found.get("until"), "reason": str(found.get("reason") or "")}


def _check_table(checks: list[dict[str, Any]]) -> Table:
    rows = [
        (
            each["name"],
            each["status"],
            _since(each["since"]),
            f"{'(not critical) ' if each['status'] == 'fail' and not each['critical'] else ''}{each['message']}",
        )
        for each in checks
    ]
    return Table(("CHECK", "STATUS", "SINCE", "MESSAGE"), rows)


def _worker_table(workers: list[Fields]) -> Table:
    rows = [
        (
            str(each.get("pid", "")),
            str(each.get("status", "")),
            str(each.get("phase", "")),
            _since(each.get("since")),
            ", ".join(map(str, list_of(each.get("checks")))),
            "leader" if each.get("leader") is True else "",
        )
        for each in workers
    ]
    return Table(("WORKER", "STATUS", "PHASE", "SINCE", "CHECKS", "ROLE"), rows)


def maintenance_table(maintenances: list[dict[str, Any]]) -> Table:
    """Return the table of the maintenances, each with `check`, `until` and `reason`."""
    rows = [
        ("the app" if each["check"] is None else each["check"], local(_moment(each["until"])), each["reason"])
        for each in maintenances
    ]
    return Table(("MAINTENANCE", "UNTIL", "REASON"), rows)


def _since(text: object) -> str:
    moment = _moment(text)
    return age(None if moment is None else (datetime.now(UTC) - moment).total_seconds())


def _moment(text: object) -> datetime | None:
    """Return the moment that ISO 8601 text with a time zone names, None for anything else."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return None if moment is None or moment.tzinfo is None else moment
