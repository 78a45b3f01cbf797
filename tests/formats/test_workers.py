"""What the details say about the workers of a host."""

import pytest

from asgi_health import Probe, Status, healthy, unhealthy
from asgi_health.core.engine import Engine
from asgi_health.core.lifecycle import Phase
from asgi_health.core.report import Report
from asgi_health.core.workers import Worker, WorkerProbe
from asgi_health.formats.answer import minimal
from asgi_health.formats.explain import explain
from asgi_health.formats.health_json import health_json
from asgi_health.formats.text import text

from ..support.core_cases import check, serving_engine
from ..support.format_cases import WALL, read
from ..support.hosts import FAILS, join, worker

DEGRADED = WorkerProbe(Status.DEGRADED, "check", ("cache", "disk"), 61.0)
BLOCKED = worker(3, beat=40.0)  # 60 s before the moment of the reports


def report(*others: Worker, probe: Probe = Probe.READINESS, exclude: tuple[str, ...] = ()) -> Report:
    """Return the report at 100 s of a worker whose database works, next to `others`."""
    return engine_of(*others).report(probe, 100.0, exclude=exclude)


def engine_of(*others: Worker, database: bool = True) -> Engine:
    """Return the engine of a worker at 100 s, next to `others`."""
    engine = serving_engine(check("database", failure_threshold=1, max_age=1000.0))
    for run in engine.due(70.0).start:
        engine.record(run, healthy() if database else unhealthy("refused"), 70.0)
    join(engine, 100.0, *others)
    return engine


def test_details_list_each_worker() -> None:
    found = read(health_json(report(worker(1, readiness=FAILS), BLOCKED), None, wall=WALL))
    assert found["status"] == "fail"
    assert [each["pid"] for each in found["workers"]] == [4241, 4242, 4244]
    own, failing, blocked = found["workers"]
    assert own == {
        "pid": 4241,
        "status": "pass",
        "phase": "serving",
        "leader": True,
        "self": True,
        "since": "2027-01-15T08:00:00.500Z",
    }
    assert failing == {
        "pid": 4242,
        "status": "fail",
        "phase": "serving",
        "leader": False,
        "self": False,
        "since": "2027-01-15T07:59:20.500Z",
        "reason": "check",
        "checks": ["database"],
    }
    assert (blocked["status"], blocked["reason"], blocked["since"]) == ("fail", "stalled", "2027-01-15T07:59:00.500Z")


def test_details_without_a_board_have_no_workers() -> None:
    engine = serving_engine(check("database"))
    assert "workers" not in read(health_json(engine.report(Probe.READINESS, 100.0), None, wall=WALL))
    joined = engine_of(worker(1))
    assert "workers" not in read(health_json(joined.report_check("database", Probe.HEALTH, 100.0), None, wall=WALL))


@pytest.mark.parametrize(
    ("others", "because"),
    [
        ((worker(1, readiness=FAILS), worker(2)), "1 of 3 workers: worker 4242: database fails"),
        (
            (worker(1, readiness=FAILS), BLOCKED),
            "2 of 3 workers: worker 4242: database fails; worker 4244: its event loop is blocked",
        ),
        ((worker(1, readiness=DEGRADED),), "1 of 2 workers: worker 4242: cache, disk have problems"),
        (
            (worker(1, readiness=WorkerProbe(Status.UNHEALTHY, "stale", tuple("abcdefg"), 60.0)),),
            "1 of 2 workers: worker 4242: no new result of a, b, c, d, e and 2 more",
        ),
        (
            tuple(worker(number, readiness=FAILS) for number in range(1, 501)),
            "500 of 501 workers: "
            + "".join(f"worker {4241 + number}: database fails; " for number in range(1, 6))
            + "and 495 more",
        ),
    ],
)
def test_every_format_names_the_workers_that_make_the_status(others: tuple[Worker, ...], because: str) -> None:
    found = report(*others)
    assert f"note: {because}\n" in text(found).body.decode()
    assert because in read(health_json(found, None, wall=WALL))["notes"]


def test_an_explanation_has_the_numbers_of_the_workers_that_make_the_status() -> None:
    found = engine_of(worker(1, readiness=DEGRADED), worker(2, readiness=FAILS), database=False)
    explained = read(explain(found.report(Probe.READINESS, 100.0), None, wall=WALL))
    assert explained["explain"]["cause"] == "check"
    assert explained["explain"]["workers"] == [4241, 4243]
    assert read(explain(report(worker(1)), None, wall=WALL))["explain"]["workers"] == []


def test_a_worker_that_a_signal_drains_is_not_named() -> None:
    leaving = worker(1, readiness=WorkerProbe(Status.UNHEALTHY, "draining", (), 90.0), phase=Phase.DRAINING)
    found = report(leaving, worker(2))
    assert found.status is Status.HEALTHY
    assert "note" not in text(found).body.decode()
    assert read(health_json(found, None, wall=WALL))["workers"][1]["phase"] == "draining"


def test_what_is_left_out_on_request_is_left_out_of_every_worker() -> None:
    found = report(worker(1, readiness=FAILS), exclude=("database",))
    assert found.status is Status.HEALTHY
    assert [each["status"] for each in read(health_json(found, None, wall=WALL))["workers"]] == ["pass", "pass"]


def test_a_check_of_the_host_says_which_worker_runs_it() -> None:
    engine = serving_engine(check("queue", scope="host"), check("database"))
    join(engine, 100.0, worker(1), leader="w1")
    checks = read(health_json(engine.report(Probe.READINESS, 100.0), None, wall=WALL))["checks"]
    assert [entry.get("runBy") for (entry,) in checks.values()] == [4242, None]


def test_strangers_get_the_status_alone() -> None:
    found = report(worker(1, readiness=FAILS))
    assert minimal(found.status, reason=found.reason).body == b'{"status":"fail"}'
