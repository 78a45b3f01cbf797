"""Format the findings: as a table of rich on a terminal where it is installed, as plain text, or as JSON."""

import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from .finding import Row

NOTHING = "nothing found"


def as_text(rows: Sequence[Row]) -> str:
    """Return the findings for people, and their number as the last line."""
    if not rows:
        return f"{NOTHING}\n"
    return f"{(_as_table(rows) if _is_terminal() else None) or _as_plain(rows)}{_summary(rows)}\n"


def as_json(rows: Sequence[Row], error: str = "") -> str:
    """Return the findings as one line of JSON; `error` says why there may be more."""
    failed = bool(error) or any(row.severity == "error" for row in rows)
    document = {
        "status": "fail" if failed else "warn" if rows else "pass",
        "findings": [asdict(row) | {"page": row.page} for row in rows],
    }
    return json.dumps(document | ({"error": error} if error else {})) + "\n"


def _as_plain(rows: Sequence[Row]) -> str:
    return "".join(
        f"{row.severity}: {row.what} [{row.rule}]\n  why:  {row.why}\n  cure: {row.cure}\n  see:  {row.page}\n\n"
        for row in rows
    )


def _as_table(rows: Sequence[Row]) -> str | None:
    """Return the findings as a table of rich; None where it is not installed."""
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        return None
    table = Table("", "found", "why", "cure", show_lines=True)
    for row in rows:
        style = "bold red" if row.severity == "error" else "yellow"
        # As Text, because the words of the app are no markup. A terminal that knows links shows the rule as one.
        rule = Text(f"{row.severity}\n{row.rule}", f"{style} link {row.page}")
        table.add_row(rule, Text(row.what), Text(row.why), Text(row.cure))
    console = Console(no_color="NO_COLOR" in os.environ)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()  # pyright: ignore[reportUnnecessaryComparison]  None if closed


def _summary(rows: Sequence[Row]) -> str:
    counts = Counter(row.severity for row in rows)
    return ", ".join(f"{count} {word}{'s' * (count > 1)}" for word, count in sorted(counts.items()))
