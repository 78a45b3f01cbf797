"""What the checks said, for people and for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from .line import Line, Word

EMPTY = "there are no checks"
REFUSED = f"{EMPTY}; --allow-empty takes that for a pass"


def as_table(lines: Sequence[Line], *, allow_empty: bool) -> str:
    """Return a line per check, and the outcome last."""
    if not lines:
        return f"passed: {EMPTY}\n" if allow_empty else f"failed: {REFUSED}\n"
    rows = [("NAME", "STATUS", "MS", "MESSAGE")]
    rows += [(line.name, line.status, f"{line.milliseconds:.1f}", _message(line)) for line in lines]
    wide = [max(len(row[column]) for row in rows) for column in range(3)]
    shown = [f"{name:{wide[0]}}  {status:{wide[1]}}  {ms:>{wide[2]}}  {why}".rstrip() for name, status, ms, why in rows]
    return "\n".join([*shown, _outcome(lines), ""])


def as_json(lines: Sequence[Line], error: str = "") -> str:
    """Return the same as one line of JSON; `error` says why there are no lines."""
    checks = [asdict(line) | {"milliseconds": round(line.milliseconds, 3)} for line in lines]
    whole = {"status": "fail" if error else _worst(lines), "checks": checks}
    return json.dumps(whole | ({"error": error} if error else {})) + "\n"


def _worst(lines: Sequence[Line]) -> Word:
    if any(line.fails for line in lines):
        return "fail"
    return "pass" if all(line.status == "pass" for line in lines) else "warn"


def _message(line: Line) -> str:
    optional = "(not critical)" if line.status == "fail" and not line.critical else ""
    return f"{optional} {line.message}".strip()


def _outcome(lines: Sequence[Line]) -> str:
    failed = [line.name for line in lines if line.fails]
    return f"failed: {', '.join(failed)}" if failed else "passed"
