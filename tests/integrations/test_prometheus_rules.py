"""The alert rules of docs/prometheus: promtool accepts them, each fires when it should, and not in its near miss."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ..servers.process import ROOT
from .alerting import ALERTMANAGER_YML, PROMETHEUS_YML, documented
from .monitoring import METRICS, RULES, RULES_TEST, metrics_of, require, rules, succeed

AMTOOL = ("amtool", "check-config")
ALERTS = {rule["alert"]: rule for rule in rules()}
CONDITIONS = {
    "serves": re.compile(r'\nand on [^\n]*\n[^\n]*asgi_health_phase="serving"[^\n]*'),
    "is in no maintenance": re.compile(
        r'\s+unless on \([^)]*\)\s+asgi_health_maintenance_remaining_seconds(?:\{check=""\})?'
    ),
}


def cases(alert: str) -> list[dict[str, Any]]:
    """Return what rules_test.yml expects of an alert."""
    tests = yaml.safe_load(RULES_TEST.read_text())["tests"]
    return [case for test in tests for case in test["alert_rule_test"] if case["alertname"] == alert]


@pytest.mark.processes
def test_promtool_accepts_the_rules_and_their_tests_pass() -> None:
    require("promtool")
    assert f"{len(ALERTS)} rules found" in succeed("promtool", "check", "rules", "--lint-fatal", RULES)
    assert "SUCCESS" in succeed("promtool", "test", "rules", RULES_TEST)


def test_each_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    for alert in ALERTS:
        assert {bool(case["exp_alerts"]) for case in cases(alert)} == {True, False}, alert


@pytest.mark.processes
def test_the_configurations_of_the_page_are_accepted(tmp_path: Path) -> None:
    require("promtool", "amtool")
    for name, command in ((PROMETHEUS_YML, ("promtool", "check", "config")), (ALERTMANAGER_YML, AMTOOL)):
        (tmp_path / RULES.name).write_text(RULES.read_text())
        (tmp_path / name).write_text(yaml.safe_dump(documented(name)))
        assert "SUCCESS" in succeed(*command, tmp_path / name)


def test_the_page_lists_each_alert_with_its_severity_and_delay() -> None:
    rows = re.findall(
        r"^\| `(AsgiHealth\w+)` \| (\w+) \| (.*) \|$", (ROOT / "docs" / "reference/metrics.md").read_text(), re.M
    )
    assert {name: severity for name, severity, _ in rows} == {
        name: rule["labels"]["severity"] for name, rule in ALERTS.items()
    }
    for name, _, when in rows:
        if delay := re.match(r"for (\d+) min ", when):
            assert ALERTS[name]["for"] == f"{delay[1]}m", name


@pytest.mark.processes
@pytest.mark.parametrize("lost", ["delay", *CONDITIONS])
def test_no_alert_can_lose_its_delay_or_a_condition(lost: str, tmp_path: Path) -> None:
    require("promtool")
    key = "for" if lost == "delay" else "expr"
    document, changed = yaml.safe_load(RULES.read_text()), set()
    for rule in (rule for group in document["groups"] for rule in group["rules"]):
        without = "0s" if lost == "delay" else CONDITIONS[lost].sub("", rule["expr"])
        if rule.get(key, without) != without:
            rule[key] = without
            changed.add(rule["alert"])
    (tmp_path / RULES.name).write_text(yaml.safe_dump(document))
    (tmp_path / RULES_TEST.name).write_text(RULES_TEST.read_text())
    command = ["promtool", "test", "rules", str(tmp_path / RULES_TEST.name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert changed >= {"AsgiHealthNoInstanceReady", "AsgiHealthNotReady", "AsgiHealthCheckUnhealthy"}
    assert changed == set(re.findall(r"alertname: (\w+), ", done.stderr)), done.stdout + done.stderr


def test_each_alert_says_what_to_do_and_selects_series_that_exist() -> None:
    for alert, rule in ALERTS.items():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"].keys() == {"summary", "description"}, alert
        assert metrics_of(rule["expr"]), alert
        metrics_of(rule["annotations"]["description"])


def test_series_and_states_that_do_not_exist_are_found() -> None:
    with pytest.raises(AssertionError, match="no such series"):
        metrics_of("rate(asgi_health_check_runs[5m])")
    with pytest.raises(AssertionError, match="no such state"):
        metrics_of('asgi_health_phase{asgi_health_phase="running"}')
    assert metrics_of("asgi_health_check_runs_total") == {"asgi_health_check_runs"} <= METRICS.keys()
