"""docs/how-to/metrics.md shows the output of its program; docs/reference/metrics.md names every series and category."""

import re
from typing import Any

import anyio

from asgi_health import Health
from asgi_health.core.failure_category import CATEGORIES
from asgi_health.formats.metrics import app_figures, families
from asgi_health.health import engine_of
from asgi_health.testing import lifespan, settled
from tests.support.asgi_caller import ask

from .blocks import ROOT, blocks

PAGE = "how-to/metrics.md"
TEXT = (ROOT / "docs/reference/metrics.md").read_text()


def without_values(line: str) -> str:
    """Return a line without what differs between two runs: durations, moments, and how often a check has run."""
    return re.sub(r" [1-9]\d*$| \d+\.\d+(e-\d+)?$", " n", line)


def test_the_shown_lines_are_those_of_the_program() -> None:
    namespace: dict[str, Any] = {}
    exec(blocks("python", PAGE)[0], namespace)
    app = namespace["app"]

    async def main() -> list[str]:
        async with lifespan(app):
            await settled(app.health)
            reply = await ask(app, "/health/metrics", client=("127.0.0.1", 40000))
        assert reply.status == 200
        return reply.text.splitlines()

    lines = anyio.run(main)
    session = blocks("console", PAGE)[0]
    command, *shown = session.splitlines()
    assert command.endswith("/health/metrics | grep -e search -e readiness | grep -v -e bucket -e ' 0$'")
    filtered = [
        line
        for line in lines
        if ("search" in line or "readiness" in line) and "bucket" not in line and not line.endswith(" 0")
    ]
    assert [without_values(line) for line in filtered] == [without_values(line) for line in shown]


def test_the_tables_name_every_series_and_category() -> None:
    rows = re.findall(r"^\| `(asgi_health_\w+)` \| (\w+) \| ([\w, ]*) ?\|", TEXT, re.MULTILINE)
    units = dict(re.findall(r"^\| `(asgi_health_\w+)` \| \w+ \| [\w, ]*\| ([\w ]*) ?\|", TEXT, re.MULTILINE))
    assert {name for name in units if "_seconds" in name} == {name for name, unit in units.items() if "seconds" in unit}
    described = [each.metric for each in families(app_figures(engine_of(Health()), 0.0), [])]
    assert {(name, kind, labels.strip()) for name, kind, labels in rows} == {
        (f"{each.name}_total" if each.type == "counter" else each.name, each.type, ", ".join(each.labels))
        for each in described
    }
    assert len(rows) == len(described)
    for each in described:
        row = next(line for line in TEXT.splitlines() if line.startswith(f"| `{each.name}"))
        assert all(state in row for state in each.states)
    assert re.findall(r"^\| `([a-z]+)` \|", TEXT, re.MULTILINE) == list(CATEGORIES)
