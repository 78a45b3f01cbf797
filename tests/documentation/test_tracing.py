"""docs/how-to/tracing.md: its programs print what the page shows, and it lists what is there."""

import re
import subprocess
import sys

import pytest

from asgi_health.integrations.opentelemetry import SERIES, excluded_urls

from .blocks import ROOT, blocks

PAGE = (ROOT / "docs" / "how-to/tracing.md").read_text()
PROGRAMS = [text for text in blocks("python", "how-to/tracing.md") if "asyncio.run(" in text]
OUTPUTS = blocks("text", "how-to/tracing.md")


@pytest.mark.processes
@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_a_program_prints_what_the_page_shows(number: int) -> None:
    command = [sys.executable, "-W", "error", "-c", PROGRAMS[number]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60.0, check=True)
    assert done.stdout == OUTPUTS[number]
    assert len(PROGRAMS) == len(OUTPUTS)


def test_the_page_shows_the_excluded_urls_of_the_default_paths() -> None:
    assert blocks("sh", "how-to/tracing.md") == [f"export OTEL_PYTHON_EXCLUDED_URLS='{excluded_urls()}'\n"]


def test_the_page_lists_the_instruments_with_their_units_and_attributes() -> None:
    found = {
        series.name: (series.unit, *series.attributes, *([series.state] if series.state else []))
        for series in SERIES.values()
    }
    found["health.check.duration"] = ("s", "health.check.name", "health.check.group", "health.check.status")
    rows = re.findall(r"^\| `(health\.[\w.]+)` \| [\w -]+ \| `?([^`|]+?)`? \|([^|]*)\| [^|]*\|$", PAGE, re.MULTILINE)
    assert found == {name: (unit, *re.findall(r"`([\w.]+)`", attributes)) for name, unit, attributes in rows}
