"""Format what has become of the test messages as a table or as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """What has become of the message to one target.

    Attributes:
        name: Name of the target.
        sent: Whether the receiver has accepted it.
        milliseconds: How long that took.
        reason: Why the receiver has not accepted it; empty where it has.
        advice: What to do about that.
    """

    name: str
    sent: bool
    milliseconds: float
    reason: str = ""
    advice: str = ""


def as_table(rows: Sequence[Row]) -> str:
    """Return one line per target."""
    width = max(len(row.name) for row in rows)
    return "".join(f"{row.name:{width}}  {_outcome(row)}\n" for row in rows)


def as_json(rows: Sequence[Row], error: str = "") -> str:
    """Return the results as one line of JSON; `error` says why there are none."""
    targets = [asdict(row) | {"milliseconds": round(row.milliseconds, 3)} for row in rows]
    passed = not error and all(row.sent for row in rows)
    document = {"status": "pass" if passed else "fail", "targets": targets}
    return json.dumps(document | ({"error": error} if error else {})) + "\n"


def _outcome(row: Row) -> str:
    if row.sent:
        return f"sent in {row.milliseconds:.0f} ms"
    return f"failed after {row.milliseconds:.0f} ms: {row.reason}; {row.advice}"
