"""The verdict of the page: one sentence that says what is wrong, since when and why."""

import pytest

from asgi_health import Check, Probe, Result, degraded, healthy, unhealthy
from asgi_health.core.engine import Engine
from asgi_health.core.stalls import Stall
from asgi_health.formats.page import AppFacts, LastStall, head_fragment

from ..support.core_cases import check, new_engine, serving_engine
from ..support.html_reader import read_html

WALL = 1_795_873_320.0  # 2026-11-28T13:42:00Z

REFUSED = unhealthy("ConnectionRefusedError: [Errno 111] Connect call failed ('10.0.3.12', 5432)")


def verdict(
    engine: Engine,
    now: float,
    *,
    stall: Stall | None = None,
    last_stall: LastStall | None = None,
    signal_at: float | None = None,
) -> str:
    """Return the verdict at `now`, which is 13:42:00."""
    report = engine.report(Probe.HEALTH, now, history=True)
    if stall is not None:
        report = report.with_stall(stall)
    facts = AppFacts(tuple(engine.summarize(probe, now) for probe in Probe), 0.0, last_stall, signal_at)
    return read_html(head_fragment(report, facts, wall=WALL)).text("verdict")


def app(results: dict[Check, Result], *, failed_at: float = 180.0) -> Engine:
    """Return an engine whose checks pass at 0 s, and from `failed_at` on have their results."""
    engine = serving_engine(*results)
    for run in engine.due(0.0).start:
        engine.record(run, healthy(), 0.0)
    while (now := engine.next_wake()) < 360.0:
        for run in engine.due(now).start:
            engine.record(run, results[run.check] if now >= failed_at else healthy(), now)
    return engine


def once(name: str, **options: object) -> Check:
    """Return a check that fails at its first failure, and is run each second."""
    return check(name, interval=1.0, failure_threshold=1, **options)  # type: ignore[arg-type]


def test_a_healthy_app() -> None:
    assert verdict(app({once("a"): healthy(), once("b"): healthy()}), 360.0) == (
        "Healthy since 13:36:00 UTC, 6 min: all 2 checks pass."
    )
    assert verdict(app({once("a"): healthy()}), 360.0) == "Healthy since 13:36:00 UTC, 6 min: the one check passes."
    assert verdict(serving_engine(), 5.0) == "Healthy since 13:41:55 UTC, 5 s: there are no checks."


def test_a_broken_dependency_and_what_else_is_wrong() -> None:
    engine = app(
        {
            once("database"): REFUSED,
            once("recommendations", critical=False): unhealthy("down"),
            once("disk"): degraded("full"),
            once("cache"): healthy(),
        }
    )
    assert verdict(engine, 360.0) == (
        "Not ready since 13:39:00 UTC, 3 min: database refuses connections. 1 optional check is down, 1 check warns."
    )


def test_several_broken_dependencies() -> None:
    down = {once(name): unhealthy("down") for name in ("b", "c", "d", "e", "f")}
    two, three = dict(list(down.items())[:1]), dict(list(down.items())[:2])
    first = once("a"), REFUSED
    assert "a refuses connections; b fails too." in verdict(app({first[0]: first[1], **two}), 360.0)
    assert "a refuses connections; b and c fail too." in verdict(app({first[0]: first[1], **three}), 360.0)
    assert "a refuses connections; b, c and 3 more fail too." in verdict(app({first[0]: first[1], **down}), 360.0)


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("timed out after 2.0 s", "db does not answer in time"),
        ("OSError: [Errno 113] No route to host", "db cannot be reached"),
        ("gaierror: Name or service not known", "the host name of db cannot be resolved"),
        ("SSLError: certificate verify failed", "db has no valid TLS connection"),
        ("password authentication failed for user x", "db refuses the credentials"),
        ("the queue has 5,000 messages", "db: the queue has 5,000 messages"),
    ],
)
def test_the_reason_is_in_words(message: str, sentence: str) -> None:
    assert verdict(app({once("db"): unhealthy(message)}), 360.0).endswith(f": {sentence}.")


def test_a_long_reason_is_cut() -> None:
    found = verdict(app({once("db"): unhealthy("x" * 1000)}), 360.0)
    assert found.endswith("x….")
    assert len(found) < 250


def test_a_problem_that_leaves_the_app_ready() -> None:
    engine = app({once("database"): healthy(), once("recommendations", critical=False): unhealthy("down")})
    assert verdict(engine, 360.0) == "Ready, with a problem since 13:39:00 UTC, 3 min: recommendations: down."
    engine = app({once("disk"): degraded("full"), once("recommendations", critical=False): unhealthy("down")})
    assert verdict(engine, 360.0).startswith("Ready, with 2 problems since 13:39:00 UTC, 3 min: ")


def test_a_liveness_check_that_fails() -> None:
    engine = app({once("worker", probes=(Probe.LIVENESS,)): unhealthy("stuck"), once("database"): REFUSED})
    assert verdict(engine, 360.0) == "Not live since 13:39:00 UTC, 3 min: worker: stuck. 1 other check is down."


def test_results_that_have_grown_stale() -> None:
    engine = serving_engine(check("database"))
    (run,) = engine.due(0.0).start
    engine.record(run, healthy(), 0.0)
    engine.pass_on_decay(100.0)
    assert verdict(engine, 100.0) == ("Not ready since 13:40:52 UTC, 1 min: database has had no new result for 1 min.")


def test_an_app_that_starts() -> None:
    engine = new_engine(check("a"), check("b"))
    engine.start(object(), 10.0)
    assert verdict(engine, 14.0) == "Starting since 13:41:56 UTC, 4 s: the app's own startup is not complete."
    engine.serve(15.0)
    assert verdict(engine, 16.0) == "Starting since 13:41:59 UTC, 1 s: the first result of a and b has not come yet."


def test_an_app_that_does_not_start_because_of_a_check() -> None:
    engine = new_engine(check("migrations", probes=(Probe.STARTUP,)), check("slow"))
    engine.start(object(), 0.0)
    engine.serve(1.0)
    run = next(run for run in engine.due(1.0).start if run.check.name == "migrations")
    engine.record(run, unhealthy("revision 41 of 42"), 2.0)
    assert verdict(engine, 5.0).startswith("Not started since 13:41:56 UTC, 4 s: migrations: revision 41 of 42")


def test_a_drain_and_the_end() -> None:
    engine = app({once("database"): healthy()})
    engine.drain(357.0)
    assert verdict(engine, 360.0) == (
        "Draining since 13:41:57 UTC, 3 s: the app takes no new traffic and is about to stop."
    )
    assert verdict(engine, 360.0, signal_at=365.0) == (
        "Draining since 13:41:57 UTC, 3 s: the app takes no new traffic and stops at 13:42:05 UTC."
    )
    engine.stop(359.0)
    assert verdict(engine, 360.0) == "Stopped since 13:41:59 UTC, 1 s: the checks have ended."


def test_a_blocked_event_loop_and_what_blocks_it() -> None:
    engine = app({once("database"): healthy()})
    stall, culprit = Stall(12.5, 5.0), LastStall(350.0, "load (/srv/shop/reports.py:41)")
    assert verdict(engine, 360.0, stall=stall, last_stall=culprit) == (
        "The event loop is blocked since 13:41:47 UTC, 12 s: by load (/srv/shop/reports.py:41);"
        " no request is answered meanwhile."
    )
    past = LastStall(300.0, "other (/srv/shop/reports.py:1)")
    assert "by other" not in verdict(engine, 360.0, stall=stall, last_stall=past)


def test_a_maintenance_of_the_app_and_its_end() -> None:
    engine = app({once("database"): REFUSED})
    engine.maintain(None, 600.0, "new disks <b>", 300.0)
    assert verdict(engine, 360.0) == (
        "In maintenance since 13:41:00 UTC, 1 min: new disks <b>; the app takes no traffic until 13:51:00 UTC."
        " 1 other check is down."
    )


def test_a_check_in_maintenance_leaves_the_app_ready() -> None:
    engine = app({once("database"): REFUSED})
    engine.maintain("database", 600.0, "", 300.0)
    found = verdict(engine, 360.0)
    assert found.startswith("Ready, with a problem since ")
    assert "database refuses connections" in found
