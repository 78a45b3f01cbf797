"""Formats a status as text: with rich on a terminal where it is installed, plain otherwise."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from typing import Any, cast

from ..app_client import printable

STYLES = {"pass": "green", "warn": "yellow", "fail": "red"}
"""The colours of the words of a status on a terminal."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table.

    Attributes:
        header: The names of its columns.
        rows: Its rows.
    """

    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Status:
    """What `status` shows.

    Attributes:
        ready: Whether the command succeeds.
        lines: What stands above the tables.
        tables: The tables; those without rows are left out.
        document: The same as JSON.
    """

    ready: bool
    lines: Sequence[str]
    tables: Sequence[Table]
    document: dict[str, Any]


def as_text(status: Status, *, terminal: int | None) -> str:
    """Return `status` as text.

    Args:
        status: The status.
        terminal: Columns of the terminal that shows it; None where none does.
    """
    parts = ["".join(f"{printable(line)}\n" for line in status.lines)]
    for table in status.tables:
        if table.rows:
            rows = [tuple(map(printable, row)) for row in table.rows]
            text = None if terminal is None else _as_rich_table(table.header, rows, terminal)
            parts.append(_as_plain_table(table.header, rows) if text is None else text)
    return "\n".join(parts)


def age(seconds: float | None) -> str:
    """Return how long ago something was, in one unit; empty where that is not known."""
    if seconds is None:
        return ""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(max(seconds, 0.0))} s"


def local(moment: datetime | None) -> str:
    """Return a moment in the time zone of the reader; empty where it is not known."""
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _as_plain_table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    text = ""
    for line in lines:
        cells = (f"{cell:{width}}" for cell, width in zip(line, widths, strict=True))
        text += f"{'  '.join(cells).rstrip()}\n"
    return text


def _as_rich_table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]], columns: int) -> str | None:
    """Return a table with colours, None where rich is not installed."""
    try:
        from rich.console import Console
        from rich.table import Table as RichTable
        from rich.text import Text
    except ModuleNotFoundError:
        return None
    table = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in header:
        table.add_column(name)
    for row in rows:
        # As Text: the console would read brackets in a str as markup.
        table.add_row(*(Text(cell, STYLES.get(cell.partition(" ")[0], "")) for cell in row))
    console = Console(file=StringIO(), force_terminal=True, width=columns)
    console.print(table)
    return cast("StringIO", console.file).getvalue()
