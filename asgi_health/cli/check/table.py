"""Format the results of the checks as a table or as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

StatusWord = Literal["pass", "warn", "fail"]

EMPTY = "no checks"
REFUSED = f"{EMPTY}; --allow-empty accepts that"


@dataclass(frozen=True, slots=True)
class Row:
    """The result of one check."""

    name: str
    status: StatusWord
    critical: bool
    milliseconds: float
    message: str

    @property
    def fails(self) -> bool:
        """Whether this result makes the command fail."""
        return self.critical and self.status == "fail"


def as_table(rows: Sequence[Row], *, allow_empty: bool) -> str:
    """Return one line per check, and the outcome as the last line."""
    if not rows:
        return f"passed: {EMPTY}\n" if allow_empty else f"failed: {REFUSED}\n"
    cells = [("NAME", "STATUS", "MS", "MESSAGE")]
    cells += [(row.name, row.status, f"{row.milliseconds:.1f}", _message(row)) for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(3)]
    lines = [
        f"{name:{widths[0]}}  {status:{widths[1]}}  {milliseconds:>{widths[2]}}  {message}".rstrip()
        for name, status, milliseconds, message in cells
    ]
    return "\n".join([*lines, _outcome(rows), ""])


def as_json(rows: Sequence[Row], error: str = "") -> str:
    """Return the results as one line of JSON; `error` says why there are none."""
    checks = [asdict(row) | {"milliseconds": round(row.milliseconds, 3)} for row in rows]
    document = {"status": "fail" if error else _worst_status(rows), "checks": checks}
    return json.dumps(document | ({"error": error} if error else {})) + "\n"


def _worst_status(rows: Sequence[Row]) -> StatusWord:
    if any(row.fails for row in rows):
        return "fail"
    return "pass" if all(row.status == "pass" for row in rows) else "warn"


def _message(row: Row) -> str:
    optional = "(not critical)" if row.status == "fail" and not row.critical else ""
    return f"{optional} {row.message}".strip()


def _outcome(rows: Sequence[Row]) -> str:
    failed = [row.name for row in rows if row.fails]
    return f"failed: {', '.join(failed)}" if failed else "passed"
