"""The alert rules of docs/prometheus: promtool accepts them, each fires when it should, and not in its near miss."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .monitoring import METRICS, RULES, RULES_TEST, metrics_of, require, rules, succeed

ALERTS = {rule["alert"]: rule for rule in rules()}
WHILE_SERVING = re.compile(r'\nand on [^\n]*\n[^\n]*asgi_health_phase="serving"[^\n]*')


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


def mutants() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the rules with one alert changed, each time in another way: its name, the changed key, and all rules."""
    original = yaml.safe_load(RULES.read_text())
    for rule in [rule for group in original["groups"] for rule in group["rules"]]:
        for key, value in {"expr": WHILE_SERVING.sub("", rule["expr"]), "for": "0s"}.items():
            if rule.get(key, value) != value:
                kept = rule[key]
                rule[key] = value
                yield rule["alert"], key, original
                rule[key] = kept


@pytest.mark.processes
def test_no_alert_can_lose_its_delay_or_its_condition_that_the_app_serves(tmp_path: Path) -> None:
    require("promtool")
    (tmp_path / RULES_TEST.name).write_text(RULES_TEST.read_text())
    unnoticed = []
    for alert, key, changed in mutants():
        (tmp_path / RULES.name).write_text(yaml.safe_dump(changed))
        command = ["promtool", "test", "rules", str(tmp_path / RULES_TEST.name)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if f"alertname: {alert}, " not in done.stderr:
            unnoticed.append((alert, key, done.stdout + done.stderr))
    assert [each[:2] for each in unnoticed] == [], unnoticed


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
