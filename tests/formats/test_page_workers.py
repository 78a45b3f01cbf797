"""What the status page says about the workers of a host."""

import pytest

from asgi_health import Check, Probe, Status, healthy, unhealthy
from asgi_health.core.engine import Engine
from asgi_health.core.lifecycle import Phase
from asgi_health.core.workers import Worker, WorkerProbe
from asgi_health.formats.page import AppFacts, check_fragment, head_fragment

from ..support.core_cases import check, new_engine, serving_engine
from ..support.hosts import FAILS, join, worker
from ..support.html_reader import Document, read_html

WALL = 1_795_873_320.0  # 2026-11-28T13:42:00Z
NOW = 360.0

SICK = WorkerProbe(Status.UNHEALTHY, "check", ("database", "<b>cache</b>"), 180.0)


def engine_of(*others: Worker, leader: str = "own", works: bool = True, check: Check) -> Engine:
    """Return the engine of a worker with one check, next to `others`."""
    engine = serving_engine(check)
    for run in engine.due(0.0).start:
        engine.record(run, healthy() if works else unhealthy("refused"), 0.0)
    join(engine, NOW, *others, leader=leader)
    return engine


def head(*others: Worker, leader: str = "own", works: bool = True) -> Document:
    """Return what the page says about an app at 360 s, which is 13:42:00."""
    database = check("database", failure_threshold=1, max_age=1000.0)
    return head_of(engine_of(*others, leader=leader, works=works, check=database))


def head_of(engine: Engine) -> Document:
    """Return what the page says about the app of `engine`."""
    facts = AppFacts(tuple(engine.summarize(probe, NOW) for probe in Probe))
    return read_html(head_fragment(engine.report(Probe.HEALTH, NOW, history=True), facts, wall=WALL))


def test_each_worker_has_a_row() -> None:
    found = head(worker(1, readiness=SICK), worker(2, beat=300.0), worker(3), leader="w3")
    assert found.text("workers").startswith("Workers2 of 4 are ready")
    rows = found.text("workers")
    assert "4242 serving not ready live since 13:39:00 UTC, 3 min database, <b>cache</b> fail4243" in rows
    assert "4243 serving not ready not live since 13:41:00 UTC, 1 min its event loop is blocked4244" in rows
    assert "4241 serving ready live since 13:42:00 UTC, 0 s shows this page4242" in rows
    assert rows.endswith("runs the checks of the host")


def test_workers_that_come_and_go_are_no_failure() -> None:
    starts = worker(1, startup_passed=False, phase=Phase.STARTING)
    goes = worker(2, readiness=WorkerProbe(Status.UNHEALTHY, "draining", (), 300.0), phase=Phase.DRAINING)
    found = head(starts, goes)
    assert "4242 starting" in found.text("workers")
    assert "4243 draining not ready live since 13:41:00 UTC, 1 min it drains" in found.text("workers")
    tones = [each.attributes["class"] for each in found.all("li") if "section" in each.path]
    assert tones[:3] == ["pass", "warn", "warn"]


def test_there_is_no_panel_without_a_board_and_for_one_healthy_worker() -> None:
    assert not head().with_id("workers")
    assert not head_of(serving_engine(check("database"))).with_id("workers")
    assert head(works=False).with_id("workers") == ["workers", "workers-title"]


def test_of_500_workers_those_that_are_not_healthy_are_shown() -> None:
    sick = (77, 300, 401)
    found = head(*(worker(number, readiness=SICK if number in sick else None) for number in range(1, 500)))
    assert found.text("workers").startswith("Workers497 of 500 are ready")
    assert found.text("workers").endswith("and 488 more, which are not worse")
    assert all(f"{4241 + number} serving not ready" in found.text("workers") for number in sick)
    assert "shows this page" in found.text("workers")


@pytest.mark.parametrize(
    ("others", "works", "verdict"),
    [
        (
            (worker(1, readiness=FAILS), worker(2)),
            True,
            "Not ready since 13:42:00 UTC, 0 s: worker 4242: database fails. 1 of 3 workers is not ready.",
        ),
        (
            (worker(1, beat=200.0), worker(2, beat=200.0), worker(3, beat=200.0)),
            True,
            "Not live since 13:42:00 UTC, 0 s: worker 4242: its event loop is blocked; worker 4243: its event loop is"
            " blocked. 3 of 4 workers are not live.",
        ),
        (
            (worker(1, readiness=FAILS), worker(2)),
            False,
            "Not ready since 13:36:00 UTC, 6 min: database: refused. 2 of 3 workers are not ready.",
        ),
        (
            (worker(1, health=WorkerProbe(Status.DEGRADED, "check", ("disk",), 60.0)),),
            True,
            "Ready, with a problem since 13:42:00 UTC, 0 s: worker 4242: disk has a problem. 1 of 2 workers is not"
            " healthy.",
        ),
    ],
)
def test_the_verdict_names_the_worker(others: tuple[Worker, ...], works: bool, verdict: str) -> None:
    assert head(*others, works=works).text("verdict") == verdict


def test_while_others_start_the_verdict_counts_them() -> None:
    engine = new_engine()
    engine.start(object(), 0.0)
    engine.serve(1.0)
    join(engine, NOW, worker(1, startup_passed=False), worker(2, startup_passed=False), worker(3))
    assert "Starting" in head_of(engine).text("verdict")
    assert "2 of 4 workers have not started" in head_of(engine).text("verdict")


def test_a_check_of_the_host_says_which_worker_runs_it() -> None:
    engine = engine_of(worker(1), leader="w1", check=check("queue", scope="host"))
    (report,) = engine.report(Probe.HEALTH, NOW, history=True).checks
    assert "run by worker 4242" in read_html(check_fragment(report, now=NOW, wall=WALL)).text()
