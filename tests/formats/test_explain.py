"""The details that say why the status is what it is, with known reports."""

from typing import Any

import pytest

from asgi_health import Probe, degraded, healthy, unhealthy
from asgi_health.core.engine import Engine
from asgi_health.core.report import Report
from asgi_health.core.stalls import Stall
from asgi_health.formats.explain import explain
from asgi_health.formats.health_json import health_json

from ..support.core_cases import LIFESPAN, check, new_engine, run_check, serving_engine, start_run
from ..support.format_cases import WALL, check_form, read


def explained(report: Report) -> dict[str, Any]:
    answer = explain(report, None, wall=WALL)
    check_form(answer)
    return read(answer)


def of_probe(engine: Engine, now: float, probe: Probe = Probe.READINESS) -> dict[str, Any]:
    """Return what is explained about a probe; ``WALL`` is the moment `now`."""
    document = explained(engine.report(probe, now, history=True))
    explanation = document["explain"]
    assert isinstance(explanation, dict)
    return explanation


def of_check(engine: Engine, now: float) -> dict[str, Any]:
    """Return what is explained about the check "a"."""
    document = explained(engine.report(Probe.HEALTH, now, history=True))
    explanation = document["checks"]["a"][0]["explain"]
    assert isinstance(explanation, dict)
    return explanation


def test_a_complete_explanation() -> None:
    engine = serving_engine(check("a", failure_threshold=2, retry_interval=10.0), check("b", critical=False))
    for run in engine.due(0.0).start:
        engine.record(run, healthy(), 0.0)
    for now in (11.0, 22.0):
        for run in engine.due(now).start:
            engine.record(run, healthy() if run.check.name == "b" else unhealthy("refused"), now)
    document = explained(engine.report(Probe.READINESS, 25.0, history=True))
    assert list(document) == ["status", "explain", "checks"]
    assert document["explain"] == {
        "cause": "check",
        "checks": ["a"],
        "since": "2027-01-15T07:59:57.500Z",
        "sinceSeconds": 3.0,
        "phase": "serving",
        "phaseSince": "2027-01-15T07:59:35.500Z",
        "phaseSinceSeconds": 25.0,
        "flips": [
            {
                "time": "2027-01-15T07:59:57.500Z",
                "from": "pass",
                "to": "fail",
                "cause": "check",
                "checks": ["a"],
                "moreChecks": 0,
            },
            {
                "time": "2027-01-15T07:59:35.500Z",
                "from": "warn",
                "to": "pass",
                "cause": "started",
                "checks": [],
                "moreChecks": 0,
            },
            {
                "time": "2027-01-15T07:59:35.500Z",
                "from": "fail",
                "to": "warn",
                "cause": "started",
                "checks": ["b"],
                "moreChecks": 0,
            },
        ],
        "uptime": {"hour": 88.0, "day": 88.0},
    }
    (entry,) = document["checks"]["a"]
    assert (entry["status"], entry["output"]) == ("fail", "refused")
    assert entry["explain"] == {
        "since": "2027-01-15T07:59:57.500Z",
        "sinceSeconds": 3.0,
        "contribution": "fail",
        "critical": True,
        "probes": ["readiness"],
        "failures": 2,
        "passes": 0,
        "failureThreshold": 2,
        "successThreshold": 1,
        "interval": 10.0,
        "retryInterval": 10.0,
        "timeout": 2.0,
        "maxAge": 32.0,
        "ageSeconds": 3.0,
        "staleInSeconds": 29.0,
        "runningSeconds": None,
        "nextRunSeconds": 7.0,
        "flips": [
            {"time": "2027-01-15T07:59:57.500Z", "from": "pass", "to": "fail"},
            {"time": "2027-01-15T07:59:35.500Z", "from": None, "to": "pass"},
        ],
        "uptime": {"hour": 88.0, "day": 88.0},
    }


@pytest.mark.parametrize("result", [healthy(), degraded("slow"), unhealthy("x")])
def test_without_the_explanations_it_is_the_answer_that_verbose_gives(result: Any) -> None:
    engine = serving_engine(check("a"), check("b"))
    for run in engine.due(0.0).start:
        engine.record(run, result, 0.0)
    report = engine.report(Probe.READINESS, 1.0, history=True)
    document = explained(report)
    del document["explain"]
    for (entry,) in document["checks"].values():
        del entry["explain"]
    plain = health_json(report, None, wall=WALL)
    assert document == read(plain)
    assert explain(report, None, wall=WALL).status == plain.status


def test_without_a_result_everything_about_it_is_null() -> None:
    shown = of_check(serving_engine(check("a")), 5.0)
    unknown = {key for key, value in shown.items() if value is None}
    assert unknown == {"since", "sinceSeconds", "ageSeconds", "staleInSeconds", "runningSeconds"}
    assert (shown["nextRunSeconds"], shown["flips"], shown["uptime"]) == (0.0, [], {"hour": None, "day": None})


def test_a_run_in_progress_is_shown_with_its_age() -> None:
    engine = serving_engine(check("a", timeout=2.0))
    start_run(engine, 0.0)
    assert (of_check(engine, 1.5)["runningSeconds"], of_check(engine, 1.5)["nextRunSeconds"]) == (1.5, None)


def test_a_streak_is_shown_with_the_threshold_that_it_has_to_reach() -> None:
    engine = serving_engine(check("a", failure_threshold=3, interval=10.0, retry_interval=1.0))
    run_check(engine, healthy(), 0.0)
    run_check(engine, unhealthy("x"), 20.0)
    shown = of_check(engine, 20.5)
    assert (shown["failures"], shown["failureThreshold"], shown["nextRunSeconds"]) == (1, 3, 0.5)
    assert shown["sinceSeconds"] == 20.5


def test_a_stale_check_has_its_status_since_its_result_grew_stale() -> None:
    engine = serving_engine(check("a", interval=10.0, timeout=2.0))
    run_check(engine, healthy(), 0.0)
    shown = of_check(engine, 40.0)
    assert (shown["sinceSeconds"], shown["ageSeconds"], shown["staleInSeconds"]) == (8.0, 40.0, 0.0)
    assert of_probe(engine, 40.0)["cause"] == "stale"


def test_a_startup_check_that_has_passed_has_no_next_run_and_never_grows_stale() -> None:
    engine = serving_engine(check("a", probes=(Probe.STARTUP,)))
    run_check(engine, healthy(), 0.0)
    shown = of_check(engine, 1000.0)
    assert (shown["staleInSeconds"], shown["nextRunSeconds"]) == (None, None)


def test_the_last_five_changes_are_shown_newest_first() -> None:
    engine = serving_engine(check("a", failure_threshold=1, retry_interval=1.0, interval=1.0, timeout=0.5))
    for number in range(8):
        now = 2.0 * number
        run_check(engine, unhealthy("x") if number % 2 else healthy(), now)
    for flips in (of_check(engine, 15.0)["flips"], of_probe(engine, 15.0)["flips"]):
        assert [each["to"] for each in flips] == ["fail", "pass", "fail", "pass", "fail"]
        assert [each["time"] for each in flips] == sorted((each["time"] for each in flips), reverse=True)


def test_a_probe_shows_its_moment_only_where_the_recorded_status_is_the_shown_one() -> None:
    engine = serving_engine(check("a"), check("b", critical=False))
    for run in engine.due(0.0).start:
        engine.record(run, unhealthy("x") if run.check.name == "b" else healthy(), 1.0)
    assert of_probe(engine, 5.0)["sinceSeconds"] == 4.0
    other = engine.report(Probe.READINESS, 5.0, exclude=("b",), history=True)
    assert explained(other)["explain"]["since"] is None
    engine.drain(6.0)
    assert of_probe(engine, 6.5)["sinceSeconds"] == 0.5


def test_a_stall_is_explained_as_the_cause() -> None:
    engine = serving_engine(check("a"))
    run_check(engine, healthy(), 0.0)
    shown = explained(engine.report(Probe.READINESS, 5.0, history=True).with_stall(Stall(6.0, 5.0)))
    assert shown["status"] == "fail"
    assert (shown["explain"]["cause"], shown["explain"]["checks"], shown["explain"]["since"]) == ("stalled", [], None)


def test_a_drain_is_explained_with_the_phase() -> None:
    engine = serving_engine(check("a"))
    run_check(engine, healthy(), 0.0)
    engine.drain(7.0)
    shown = of_probe(engine, 10.0)
    assert (shown["cause"], shown["checks"], shown["phase"], shown["phaseSinceSeconds"]) == (
        "draining",
        [],
        "draining",
        3.0,
    )


def test_before_the_app_starts_the_phase_has_no_moment() -> None:
    shown = of_probe(new_engine(check("a")), 1.0)
    assert (shown["cause"], shown["phase"], shown["phaseSince"], shown["phaseSinceSeconds"]) == (
        *("starting", "starting"),
        *(None, None),
    )


def test_one_check_alone_has_no_phase_and_the_moment_of_the_check() -> None:
    engine = new_engine(check("a", failure_threshold=1))
    engine.start(LIFESPAN, 0.0)
    run_check(engine, unhealthy("x"), 2.0)
    shown = explained(engine.report_check("a", Probe.READINESS, 3.0, history=True))["explain"]
    assert shown == {
        "cause": "check",
        "checks": ["a"],
        "since": "2027-01-15T07:59:59.500Z",
        "sinceSeconds": 1.0,
    }


def test_observed_values_have_no_explanation() -> None:
    engine = serving_engine(check("a"))
    run_check(engine, healthy(data={"connections": 5}), 0.0)
    checks = explained(engine.report(Probe.HEALTH, 1.0, history=True))["checks"]
    assert checks["a:connections"] == [{"observedValue": 5}]


def test_credentials_are_masked_and_no_message_of_the_past_is_shown() -> None:
    engine = serving_engine(check("a", failure_threshold=1, retry_interval=1.0))
    run_check(engine, unhealthy("postgresql://admin:hunter2@db is down"), 0.0)
    run_check(engine, unhealthy("password=hunter3"), 5.0)
    body = explain(engine.report(Probe.HEALTH, 6.0, history=True), None, wall=WALL).body
    assert b"***" in body
    assert b"hunter" not in body
    assert b"is down" not in body


def test_a_full_explanation_of_one_check_stays_small() -> None:
    # Some readers take no more than 10 KiB of a body.
    engine = serving_engine(check("a", failure_threshold=1, retry_interval=1.0, interval=1.0, timeout=0.5))
    for number in range(300):
        run_check(engine, unhealthy("x") if number % 2 else healthy(), 2.0 * number)
    assert len(explain(engine.report_check("a", Probe.HEALTH, 600.0, history=True), None, wall=WALL).body) < 2048
