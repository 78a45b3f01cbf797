"""The tables of docs/reference/phases.md, as the tests compare them with what they observe."""

from .blocks import DOCS

Row = dict[str, str]

PATHS = ("/livez", "/readyz", "/startupz", "/health")


def table(heading: str) -> dict[str, Row]:
    """Return the rows of the table below a heading: the cells after the first, by their columns, without backticks."""
    section = (DOCS / "reference/phases.md").read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line.replace("`", "").strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    columns, _, *rows = lines
    return {name: dict(zip(columns[1:], cells, strict=True)) for name, *cells in rows}


PROBES = table("Probes in each phase")
START = table("Servers at the start")
DRAIN = table("Servers while the drain runs")
SHUTDOWN = table("Servers at the shutdown")


def answers(phase: str) -> list[str]:
    """Return what the four probes answer in a phase, as "503 draining"."""
    return [PROBES[phase][path] for path in PATHS]


def statuses(phase: str) -> list[int]:
    """Return the status codes of the four probes in a phase."""
    return [int(each.split()[0]) for each in answers(phase)]
