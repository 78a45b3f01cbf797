"""What the checks said, for people and for programs."""

import json
from collections.abc import Sequence

from ...core.status import Status
from .run import Line

WORDS = {Status.HEALTHY: "pass", Status.DEGRADED: "warn", Status.UNHEALTHY: "fail"}


def as_table(lines: Sequence[Line]) -> str:
    """Return a line per check, and the outcome last."""
    if not lines:
        return "passed: there are no checks\n"
    rows = [("NAME", "STATUS", "MS", "MESSAGE")]
    rows += [(line.name, WORDS[line.status], f"{line.milliseconds:.1f}", _message(line)) for line in lines]
    wide = [max(len(row[column]) for row in rows) for column in range(3)]
    shown = [f"{name:{wide[0]}}  {status:{wide[1]}}  {ms:>{wide[2]}}  {why}".rstrip() for name, status, ms, why in rows]
    return "\n".join([*shown, _outcome(lines), ""])


def as_json(lines: Sequence[Line], trouble: str = "") -> str:
    """Return the same as one line of JSON; `trouble` says why there are no lines."""
    worst = Status.HEALTHY
    for line in lines:
        counts = line.status if line.critical else min(line.status, Status.DEGRADED)
        worst = max(worst, counts)
    checks = [
        {
            "name": line.name,
            "status": WORDS[line.status],
            "critical": line.critical,
            "milliseconds": round(line.milliseconds, 3),
            "message": line.message,
        }
        for line in lines
    ]
    whole = {"status": WORDS[Status.UNHEALTHY if trouble else worst], "checks": checks}
    return json.dumps(whole | ({"error": trouble} if trouble else {})) + "\n"


def _message(line: Line) -> str:
    optional = "(not critical)" if line.status is Status.UNHEALTHY and not line.critical else ""
    return f"{optional} {line.message}".strip()


def _outcome(lines: Sequence[Line]) -> str:
    failed = [line.name for line in lines if line.fails]
    return f"failed: {', '.join(failed)}" if failed else "passed"
