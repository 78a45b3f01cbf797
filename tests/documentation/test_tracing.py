"""docs/how-to/tracing.md and around-runs.md print what they show; docs/reference/opentelemetry.md is complete."""

import re
import subprocess
import sys

import pytest

from asgi_health.integrations.opentelemetry import SERIES, excluded_urls

from .blocks import ROOT, blocks

REFERENCE = (ROOT / "docs" / "reference/opentelemetry.md").read_text()


@pytest.mark.processes
@pytest.mark.parametrize("page", ["how-to/tracing.md", "how-to/around-runs.md"])
def test_the_program_prints_what_the_page_shows(page: str) -> None:
    (program,) = (text for text in blocks("python", page) if "asyncio.run(" in text)
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60.0, check=True)
    assert [done.stdout] == blocks("text", page)


def test_the_page_shows_the_excluded_urls_of_the_default_paths() -> None:
    assert blocks("sh", "how-to/tracing.md") == [f"export OTEL_PYTHON_EXCLUDED_URLS='{excluded_urls()}'\n"]


def test_the_reference_lists_the_instruments_with_their_units_and_attributes() -> None:
    found = {
        series.name: (series.unit, *series.attributes, *([series.state] if series.state else []))
        for series in SERIES.values()
    }
    found["health.check.duration"] = ("s", "health.check.name", "health.check.group", "health.check.status")
    row = r"^\| `(health\.[\w.]+)` \| [\w -]+ \| `?([^`|]+?)`? \|([^|]*)\| [^|]*\|$"
    rows = re.findall(row, REFERENCE, re.MULTILINE)
    assert found == {name: (unit, *re.findall(r"`([\w.]+)`", attributes)) for name, unit, attributes in rows}
