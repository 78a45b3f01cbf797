"""The doctor finds the one fault of an app and no other, and nothing in a healthy app."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from traceback import FrameSummary
from typing import Any, cast

import pytest
import sentry_sdk
from starlette.applications import Starlette

from asgi_health import Check, HealthMiddleware
from asgi_health.cli.doctor.facts import AppFacts
from asgi_health.cli.doctor.finding import examine
from asgi_health.cli.doctor.gather import layers_of
from asgi_health.cli.doctor.rules import APP_RULES
from asgi_health.cli.doctor.settings import Given, settings_of
from asgi_health.runtime.watchdog.culprit import culprit

from ..servers.process import ROOT
from .doctor.apps import FAULTS, HEALTHY, Case, around, ping, stall_seen
from .doctor.examine import findings

KUBERNETES = {each.id for each in APP_RULES if each.id.startswith("kubernetes-")}
"""Those of tests/cli/test_doctor_kubernetes.py."""

ELSEWHERE = {"not-started", "two-installations"}
"""Those of other tests: of the command, and of this file."""


@pytest.fixture(autouse=True)
def _stalls_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the check that blocks go on when it was seen, however busy the machine is."""

    def seen(stack: Sequence[FrameSummary]) -> str:
        stall_seen.set()
        return culprit(stack)

    monkeypatch.setattr("asgi_health.cli.doctor.run_once.culprit", seen)


@pytest.mark.parametrize("case", [*HEALTHY, *FAULTS], ids=str)
def test_it_finds_the_one_fault_and_no_other(case: Case) -> None:
    rows = findings(case.make(), case.given, case.environment, runs=case.runs)
    assert [row.rule for row in rows] == ([case.rule] if case.rule else [])
    assert all(case.says in row.what and row.why and row.cure for row in rows)


def test_each_rule_has_a_fault() -> None:
    assert {case.rule for case in FAULTS} | ELSEWHERE == {each.id for each in APP_RULES} - KUBERNETES


def test_two_installations_on_the_path_are_found_and_one_that_is_named_twice_is_not(tmp_path: Path) -> None:
    (tmp_path / "asgi_health").mkdir()
    (tmp_path / "asgi_health" / "__init__.py").touch()
    here = str(ROOT)
    assert findings(around(), Given(), {}, search_path=(here, f"{here}/docs/..", str(tmp_path / "none"))) == []
    (row,) = findings(around(), Given(), {}, search_path=(here, str(tmp_path)))
    assert row.rule == "two-installations"
    assert row.what.endswith(f"2 times: {ROOT / 'asgi_health'}, {tmp_path / 'asgi_health'}")


@pytest.mark.parametrize(
    "options", [{"traces_sample_rate": 1.0}, {"traces_sampler": lambda context: 0.0}], ids=["rate", "sampler"]
)
def test_sentry_outside_of_the_layer_needs_a_sampler(options: dict[str, Any]) -> None:
    app = Starlette()
    app.add_middleware(HealthMiddleware)
    with sentry_sdk.isolation_scope() as scope:
        scope.set_client(sentry_sdk.Client(default_integrations=False, auto_enabling_integrations=False, **options))
        rows = findings(app, Given(), {})
        alone = findings(around(), Given(), {})
    assert [row.rule for row in rows] == (["traced-probes"] if "traces_sample_rate" in options else [])
    assert alone == []


@pytest.mark.parametrize("board", [None, object()], ids=["no board", "board"])
def test_a_board_makes_several_workers_one(board: object) -> None:
    class OncePerHost:
        scope = "host"

        def __getattr__(self, name: str) -> Any:
            return getattr(Check("orders", ping, interval=1.0), name)

    (layer,) = layers_of(around(), "shop:app")
    layer = replace(layer, checks=(cast(Check, OncePerHost()),))
    settings = settings_of(Given(workers=20), {})
    rows = examine(APP_RULES, AppFacts((replace(layer, board=board),), settings))
    assert [row.rule for row in rows] == ([] if board else ["too-many-runs", "workers-without-board"])
