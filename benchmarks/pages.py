"""The tables of the latest full runs, and the pages of the project that show them."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"

ANSWER = "answer-table.md"
"""What an answer costs: written by `python -m benchmarks`."""
WAITS = "waits-table.md"
"""For how long a probe waits in bad moments: written by `python -m benchmarks`."""
ROLLING = "rolling-table.md"
"""Requests lost in rolling restarts: written by `python -m benchmarks.rolling --write`."""

END = "<!-- /benchmarks -->"


def marker(name: str) -> str:
    """Return the line of a page after which the table `name` stands, up to the line END."""
    return f"<!-- benchmarks: benchmarks/results/{name} -->\n"


def insert(name: str, table: str, *, root: Path = ROOT) -> None:
    """Write `table` into the results and into the page that shows it.

    Raises ValueError, and writes nothing, where no page has a place for it.
    """
    page = next(_pages_with(name, root), None)
    if page is None:
        raise ValueError(f"{name}: neither README.md nor a page of docs has the line {marker(name).strip()!r}")
    head, begin, rest = page.read_text().partition(marker(name))
    _, end, tail = rest.partition(END)
    if not end:
        raise ValueError(f"{page.name}: the table after {begin.strip()!r} has no line {END!r} at its end")
    (root / "benchmarks" / "results" / name).write_text(table)
    page.write_text(head + begin + table + end + tail)


def shown(name: str, *, root: Path = ROOT) -> list[str]:
    """Return the table as each page shows it."""
    return [page.read_text().partition(marker(name))[2].partition(END)[0] for page in _pages_with(name, root)]


def _pages_with(name: str, root: Path) -> Iterator[Path]:
    for page in (root / "README.md", *sorted((root / "docs").rglob("*.md"))):
        if page.exists() and marker(name) in page.read_text():
            yield page
