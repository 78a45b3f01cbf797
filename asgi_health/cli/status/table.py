"""Formats a status as text: with rich on a terminal where it is installed, plain otherwise."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TextIO

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


def show(status: Status, stream: TextIO) -> None:
    """Write `status` to `stream`."""
    for line in status.lines:
        stream.write(f"{printable(line)}\n")
    for table in status.tables:
        if table.rows:
            stream.write("\n")
            _show_table(table, stream)


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


def _show_table(table: Table, stream: TextIO) -> None:
    rows = [tuple(map(printable, row)) for row in table.rows]
    if not stream.isatty() or not _show_rich(table.header, rows, stream):
        lines = [table.header, *rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(table.header))]
        for line in lines:
            cells = (f"{cell:{width}}" for cell, width in zip(line, widths, strict=True))
            stream.write(f"{'  '.join(cells).rstrip()}\n")


def _show_rich(header: tuple[str, ...], rows: Sequence[tuple[str, ...]], stream: TextIO) -> bool:
    """Write a table with rich, and return whether it is installed."""
    try:
        from rich.console import Console
        from rich.table import Table as RichTable
        from rich.text import Text
    except ModuleNotFoundError:
        return False
    table = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in header:
        table.add_column(name)
    for row in rows:
        # As Text: the console would read brackets in a str as markup.
        table.add_row(*(Text(cell, STYLES.get(cell.partition(" ")[0], "")) for cell in row))
    Console(file=stream).print(table)
    return True
