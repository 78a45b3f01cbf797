"""docs/reference/alerts.md: its program prints what the page shows, and its tables and limits are those of the code."""

import re
import subprocess
import sys
from dataclasses import fields
from inspect import signature
from math import inf
from typing import get_args

import pytest

from asgi_health import Probe
from asgi_health.core.stalls import StallTimes
from asgi_health.integrations.alerts import Alerts, Ping, Webhook
from asgi_health.integrations.alerts.delivery import TIMEOUT, TargetStatistics
from asgi_health.integrations.alerts.incidents import Limits
from asgi_health.integrations.alerts.message import Kind
from asgi_health.integrations.alerts.observer import LAST_SECONDS
from asgi_health.integrations.alerts.outbox import MAX_AGE, MAX_PAUSE, MAX_RETRY_AFTER
from asgi_health.integrations.alerts.ping import MIN_INTERVAL
from asgi_health.integrations.alerts.render import MAX_INCIDENTS, MAX_TEXT

from ..integrations.alerts.playing import most_news
from .blocks import ROOT, blocks

PAGE = (ROOT / "docs" / "reference/alerts.md").read_text()


def first_column(heading: str) -> list[str]:
    """Return the names in the first column of the table whose first heading is this one."""
    table = re.search(rf"^\| {heading} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert table is not None
    return re.findall(r"`(\w+)`", "\n".join(row.split("|")[1] for row in table[1].splitlines()))


@pytest.mark.processes
def test_the_program_prints_what_the_page_shows() -> None:
    (program,) = (text for text in blocks("python", "reference/alerts.md") if "asyncio.run(" in text)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60.0, check=True)
    assert done.stdout in blocks("text", "reference/alerts.md")


def test_the_tables_name_what_there_is() -> None:
    assert first_column("kind") == [kind for kind in get_args(Kind) if kind != "test"]
    assert first_column("option") == list(signature(Alerts).parameters)
    assert first_column("attribute") == [field.name for field in fields(TargetStatistics)]


@pytest.mark.parametrize("described", [Webhook, Ping])
def test_the_table_of_a_target_has_each_argument_and_its_default(described: type[object]) -> None:
    text = PAGE.partition(f"\n## {described.__name__}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (?:`(.*?)`|.*?) ?\|", text, re.MULTILINE)
    parameters = signature(described).parameters
    assert [name for name, _ in rows] == list(parameters)
    for name, shown in rows:
        if shown and shown != "webhook":
            assert eval(shown, {"Probe": Probe}) == parameters[name].default


def test_the_page_names_the_limits() -> None:
    text = " ".join(PAGE.split())
    limits = Limits()
    assert (limits.flap_changes, limits.flap_window, limits.flap_quiet) == (6, 600, 300)
    assert "six times within ten minutes" in text
    assert "for five minutes" in text
    assert limits.max_gap == MAX_PAUSE == 60
    assert most_news(Limits(repeat=inf), 3600) <= 70
    assert f"{LAST_SECONDS} seconds in all" in text
    assert f"their {TIMEOUT:g} seconds" in text
    assert f"or for {StallTimes().ready:g} seconds" in text
    assert MAX_AGE == 3600
    assert MAX_RETRY_AFTER == 600
    assert f"at most {MAX_TEXT:,} characters" in text
    assert f"the worst first, at most {MAX_INCIDENTS}" in text
    assert f"at least {MIN_INTERVAL:g}" in text
