"""What the log says to operators: a line for each change, none for each run or probe."""

import json
import logging
import re
import sys

import anyio
import pytest
import structlog
from pythonjsonlogger.json import JsonFormatter

from asgi_health import Check, Health, HealthMiddleware, degraded, unhealthy
from asgi_health.health import engine_of
from asgi_health.runtime.scheduler.log import ProbeLog
from asgi_health.testing import lifespan, probe
from tests.apps import plain_app
from tests.support.core_cases import serving_engine
from tests.support.hosts import FAILS, join, worker
from tests.support.virtual_time import clock_of, run_virtual, stall


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [f"{record.levelname} {record.message}" for record in caplog.records if record.name == "asgi_health"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_start_a_failure_and_a_recovery_are_logged_once_each(
    backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    broken = False

    async def database() -> None:
        if broken:
            raise ConnectionError("refused")

    async def main() -> None:
        nonlocal broken
        health = Health([Check("database", database)], clock=clock_of(backend), random=lambda: 0.5)
        app = HealthMiddleware(plain_app, health, details=True)
        async with lifespan(app):
            await anyio.sleep(5.0)
            broken = True
            for _ in range(30):
                await anyio.sleep(1.0)
                await probe(app, "/readyz")
                await probe(app, "/health")
            broken = False
            await anyio.sleep(60.0)

    with caplog.at_level(logging.DEBUG, "asgi_health"):
        run_virtual(backend, main)
    first, unhealthy_line, fails, healthy_line, again = lines(caplog)
    assert first.startswith("INFO checks run in the background: database; answered: /health/live /livez ")
    assert unhealthy_line == "WARNING check 'database' is unhealthy after 3 failed runs: ConnectionError: refused"
    assert fails == "WARNING readiness fails"
    assert re.fullmatch(r"INFO check 'database' is healthy again after \d+\.\d s and \d+ failed runs", healthy_line)
    assert re.fullmatch(r"INFO readiness passes again, after failing for \d+\.\d s", again)
    (record,) = (record for record in caplog.records if "is unhealthy" in record.message)
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ConnectionError)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("seconds", [40.0, 500.0])
def test_after_a_stall_the_log_says_for_how_long_readiness_failed(
    backend: str, seconds: float, caplog: pytest.LogCaptureFixture
) -> None:
    async def passes() -> None:
        await anyio.sleep(0.05)

    async def main() -> None:
        health = Health([Check("passes", passes)], clock=clock_of(backend), random=lambda: 0.5)
        async with lifespan(HealthMiddleware(plain_app, health)):
            await anyio.sleep(13.0)
            stall(backend, seconds)
            await anyio.sleep(60.0)

    with caplog.at_level(logging.INFO, "asgi_health"):
        run_virtual(backend, main)
    _, fails, again = lines(caplog)
    assert fails == "WARNING readiness fails"
    (seconds_logged,) = re.findall(r"INFO readiness passes again, after failing for (\d+\.\d) s", again)
    # The last result before the stall, 3 s old, has counted for 32 s.
    assert seconds - 30.0 <= float(seconds_logged) <= seconds - 28.5


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_result_that_grows_stale_is_logged_when_it_does(
    backend: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(now: float, *, at_most: int) -> object:
        raise RuntimeError("an error of the engine")

    async def passes() -> None:
        return None

    async def main() -> None:
        health = Health([Check("passes", passes, max_age=30.0)], clock=clock_of(backend), random=lambda: 0.5)
        async with lifespan(HealthMiddleware(plain_app, health)):
            await anyio.sleep(1.0)
            with monkeypatch.context() as patch:
                patch.setattr(engine_of(health), "due", broken)
                await anyio.sleep(28.0)
                assert "readiness" not in caplog.text
                await anyio.sleep(2.0)
                assert "WARNING readiness fails" in lines(caplog)
                await anyio.sleep(69.0)
            await anyio.sleep(60.0)

    with caplog.at_level(logging.INFO, "asgi_health"):
        run_virtual(backend, main)
    (seconds_logged,) = re.findall(r"readiness passes again, after failing for (\d+\.\d) s", caplog.text)
    assert 70.0 <= float(seconds_logged) <= 130.5


def test_a_check_that_degrades_and_recovers_is_logged_each_time(caplog: pytest.LogCaptureFixture) -> None:
    slow = True

    async def cache() -> object:
        return degraded("slow") if slow else None

    async def main() -> None:
        nonlocal slow
        app = HealthMiddleware(plain_app, Health([Check("cache", cache)], clock=clock_of("asyncio")))
        async with lifespan(app):
            await anyio.sleep(30.0)
            slow = False
            await anyio.sleep(30.0)

    with caplog.at_level(logging.INFO, "asgi_health"):
        run_virtual("asyncio", main)
    assert lines(caplog)[1] == "WARNING check 'cache' is degraded: slow"
    assert re.fullmatch(r"INFO check 'cache' is healthy again after \d+\.\d s", lines(caplog)[2])
    assert len(lines(caplog)) == 3


def test_readiness_that_was_never_healthy_is_not_logged_as_failing(caplog: pytest.LogCaptureFixture) -> None:
    async def down() -> None:
        raise ConnectionError("refused")

    async def main() -> None:
        app = HealthMiddleware(plain_app, Health([Check("down", down)], clock=clock_of("asyncio")))
        async with lifespan(app):
            await anyio.sleep(100.0)

    with caplog.at_level(logging.WARNING, "asgi_health"):
        run_virtual("asyncio", main)
    assert lines(caplog) == ["WARNING check 'down' is unhealthy after 1 failed run: ConnectionError: refused"]


def test_a_drain_is_not_logged_as_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        health = Health(clock=clock_of("asyncio"))
        app = HealthMiddleware(plain_app, health)
        async with lifespan(app):
            await anyio.sleep(1.0)
            health.drain()
            assert (await probe(app, "/readyz")).status == 503
            await anyio.sleep(60.0)

    with caplog.at_level(logging.WARNING, "asgi_health"):
        run_virtual("asyncio", main)
    assert lines(caplog) == []


def test_a_second_lifespan_logs_no_change_from_the_first(caplog: pytest.LogCaptureFixture) -> None:
    async def passes() -> None:
        await anyio.sleep(0.5)

    async def main() -> None:
        app = HealthMiddleware(plain_app, Health([Check("passes", passes)], clock=clock_of("asyncio")))
        for _ in range(2):
            async with lifespan(app):
                await anyio.sleep(30.0)

    with caplog.at_level(logging.INFO, "asgi_health"):
        run_virtual("asyncio", main)
    assert [line.partition(":")[0] for line in lines(caplog)] == ["INFO checks run in the background"] * 2


HOSTILE = "one\r\ntwo\x1b[31m\x1b]0;title\x07\x00\x85three\u2028four\u202e\nWARNING forged"


@pytest.mark.parametrize("how", ["raises", "unhealthy", "degraded"])
def test_the_message_of_a_check_is_one_line_without_control_characters(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def hostile() -> object:
        if how == "raises":
            raise ConnectionError(HOSTILE) from ValueError(HOSTILE)
        return unhealthy(HOSTILE) if how == "unhealthy" else degraded(HOSTILE)

    async def main() -> None:
        app = HealthMiddleware(plain_app, Health([Check("hostile", hostile)], clock=clock_of("asyncio")))
        async with lifespan(app):
            await anyio.sleep(5.0)

    with caplog.at_level(logging.WARNING, "asgi_health"):
        run_virtual("asyncio", main)
    (record,) = caplog.records
    assert record.getMessage().endswith("one two three four WARNING forged")
    first, *traceback = logging.Formatter("%(levelname)s %(message)s").format(record).split("\n")
    assert all(char.isprintable() for line in (first, *traceback) for char in line)
    assert all(line.startswith("  ") for line in traceback)
    assert bool(traceback) == (how == "raises")
    assert (record.exc_info is None) == (how != "raises")
    assert (record.filename, record.funcName) == ("log.py", "log_check")


def run_a_failure_and_a_recovery() -> None:
    """Run an app whose check fails and recovers, in virtual time."""
    works = True

    async def database() -> bool:
        return works

    async def main() -> None:
        nonlocal works
        app = HealthMiddleware(plain_app, Health([Check("database", database)], clock=clock_of("asyncio")))
        async with lifespan(app):
            for works in (True, False, True):  # noqa: B007
                await anyio.sleep(60.0)

    run_virtual("asyncio", main)


def test_the_records_of_a_check_and_of_a_probe_have_fields(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "asgi_health"):
        run_a_failure_and_a_recovery()
    names = ("check", "probe", "old", "new", "cause", "checks")
    found = [{name: getattr(record, name) for name in names if hasattr(record, name)} for record in caplog.records[1:]]
    assert found == [
        {"check": "database", "old": "healthy", "new": "unhealthy"},
        {"probe": "readiness", "old": "healthy", "new": "unhealthy", "cause": "check", "checks": ["database"]},
        {"check": "database", "old": "unhealthy", "new": "healthy"},
        {"probe": "readiness", "old": "unhealthy", "new": "healthy", "cause": "check", "checks": []},
    ]
    durations = [getattr(record, "duration", 0.0) for record in caplog.records[1:]]
    assert all(30.0 < seconds < 80.0 for seconds in durations)


def test_a_first_failure_has_no_duration_and_no_old_status(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        health = Health({"down": lambda: False})
        await probe(HealthMiddleware(plain_app, health), "/readyz")

    with caplog.at_level(logging.WARNING, "asgi_health"):
        anyio.run(main)
    (record,) = caplog.records
    assert (record.__dict__["old"], record.__dict__["new"], record.__dict__["duration"]) == (None, "unhealthy", None)


def test_structlog_and_a_json_formatter_render_the_fields(capsys: pytest.CaptureFixture[str]) -> None:
    by_structlog = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder()], processor=structlog.processors.JSONRenderer()
    )
    logger = logging.getLogger("asgi_health")
    for formatter in (by_structlog, JsonFormatter()):
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(formatter)
        logger.addHandler(handler)
        try:
            run_a_failure_and_a_recovery()
        finally:
            logger.removeHandler(handler)
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
        failed = next(line for line in lines if line.get("probe") == "readiness")
        assert (failed["old"], failed["new"], failed["cause"], failed["checks"]) == (
            "healthy",
            "unhealthy",
            "check",
            ["database"],
        )


def test_a_log_that_names_a_field_in_its_format_and_one_that_does_not_both_work(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "asgi_health"):
        run_a_failure_and_a_recovery()
    named = logging.Formatter("{levelname} {message} check={check}", style="{", defaults={"check": "-"})
    plain = logging.Formatter("%(levelname)s %(message)s")
    first, second, *_ = caplog.records[1:]
    assert named.format(first).splitlines()[0].endswith("returned False check=database")
    assert named.format(second) == "WARNING readiness fails check=-"
    assert plain.format(second) == "WARNING readiness fails"


def test_another_worker_that_makes_a_probe_fail_is_named(caplog: pytest.LogCaptureFixture) -> None:
    engine = serving_engine()
    log = ProbeLog(engine)
    join(engine, 1.0, worker(1), worker(2))
    log.log_changes()
    with caplog.at_level(logging.INFO, "asgi_health"):
        join(engine, 2.0, worker(1, readiness=FAILS), worker(2))
        log.log_changes()
        join(engine, 5.0, worker(1), worker(2))
        log.log_changes()
    assert lines(caplog) == [
        "WARNING readiness fails: 1 of 3 workers: worker 4242: database fails",
        "INFO readiness passes again, after failing for 3.0 s",
    ]
    fields = vars(caplog.records[0])
    assert (fields["cause"], fields["workers"]) == ("worker", [4242])
