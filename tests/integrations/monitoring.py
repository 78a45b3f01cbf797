"""Prometheus and Alertmanager, as the system installs them, and the files of docs/prometheus."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from asgi_health import Health
from asgi_health.formats.metrics import app_figures, families
from asgi_health.formats.metrics.model import Metric
from asgi_health.health import engine_of

from ..servers.process import ROOT

FOLDER = ROOT / "docs" / "prometheus"
RULES = FOLDER / "rules.yml"
RULES_TEST = FOLDER / "rules_test.yml"
DASHBOARD = FOLDER / "dashboard.json"

METRICS = {family.metric.name: family.metric for family in families(app_figures(engine_of(Health()), 0.0), [])}
PACKAGES = {"prometheus": "prometheus", "promtool": "prometheus"} | dict.fromkeys(
    ("prometheus-alertmanager", "amtool"), "prometheus-alertmanager"
)


def require(*programs: str) -> None:
    """Skip the test where a program is missing; with CI set, fail it."""
    for program in programs:
        if shutil.which(program) is None:
            reason = f"{program} not found; apt-get install {PACKAGES[program]}"
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)


def succeed(*command: str | Path) -> str:
    """Run a command that must succeed; return its output."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


def check_expressions(expressions: Iterable[str], folder: Path) -> None:
    """Let promtool parse expressions, as the rules of a file."""
    rules = [{"record": f"asgi_health:number_{number}", "expr": each} for number, each in enumerate(expressions)]
    path = folder / "expressions.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "expressions", "rules": rules}]}))
    assert f"{len(rules)} rules found" in succeed("promtool", "check", "rules", path)


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return document


def panel_expressions() -> list[str]:
    """Return the expressions of the panels, with values in place of Grafana's variables."""
    found = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    return [re.sub(r"\$\w+", ".*", each.replace("$__rate_interval", "1m")) for each in found]


def metrics_of(expression: str) -> set[str]:
    """Return the families of asgi-health that an expression selects; its series, labels and states must exist."""
    found = set()
    for series in set(re.findall(r"\basgi_health_\w+", expression)):
        assert series in SERIES, f"no such series: {series}\n{expression}"
        found.add(SERIES[series].name)
    for label, state in re.findall(r'(asgi_health_\w+)="(\w+)"', expression):
        assert state in METRICS[label].states, f"no such state: {state}\n{expression}"
    return found


def _series(metric: Metric) -> list[str]:
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(metric.type, [""])
    return [metric.name + suffix for suffix in suffixes]


SERIES = {series: metric for metric in METRICS.values() for series in _series(metric)}
