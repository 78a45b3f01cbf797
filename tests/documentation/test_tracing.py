"""docs/tracing.md: its programs print what the page shows, and it lists what is there."""

import re
import subprocess
import sys

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from asgi_health import Check, Health, HealthMiddleware
from asgi_health.integrations.opentelemetry import excluded_urls, instrument
from asgi_health.testing import lifespan, settled
from tests.apps import plain_app

from .blocks import ROOT, blocks

PAGE = (ROOT / "docs" / "tracing.md").read_text()
PROGRAMS = [text for text in blocks("python", "tracing.md") if "asyncio.run(" in text]
OUTPUTS = blocks("text", "tracing.md")


@pytest.mark.processes
@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_a_program_prints_what_the_page_shows(number: int) -> None:
    command = [sys.executable, "-W", "error", "-c", PROGRAMS[number]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60.0, check=True)
    assert done.stdout == OUTPUTS[number]
    assert len(PROGRAMS) == len(OUTPUTS)


def test_the_page_shows_the_excluded_urls_of_the_default_paths() -> None:
    assert blocks("sh", "tracing.md") == [f"export OTEL_PYTHON_EXCLUDED_URLS='{excluded_urls()}'\n"]


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_page_lists_the_instruments_with_their_units_and_attributes(anyio_backend: str) -> None:
    reader = InMemoryMetricReader()
    health = Health([Check("database", lambda: None)])
    instrument(health, meter_provider=MeterProvider([reader], shutdown_on_exit=False))
    async with lifespan(HealthMiddleware(plain_app, health)):
        await settled(health)
    data = reader.get_metrics_data()
    assert data is not None
    metrics = data.resource_metrics[0].scope_metrics[0].metrics
    found = {metric.name: (metric.unit, *(metric.data.data_points[0].attributes or {})) for metric in metrics}
    rows = re.findall(r"^\| `(health\.[\w.]+)` \| [\w -]+ \| `?([^`|]+?)`? \|([^|]*)\| [^|]*\|$", PAGE, re.MULTILINE)
    assert found == {name: (unit, *re.findall(r"`([\w.]+)`", attributes)) for name, unit, attributes in rows}
