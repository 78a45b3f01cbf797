"""A log whose filters or handlers raise: records are lost, and everything else goes on."""

import asyncio
import logging
import signal
import time
from collections.abc import Iterator

import anyio
import pytest

from asgi_health import Check, Drain, Health, HealthMiddleware
from asgi_health.core.engine import Engine
from asgi_health.core.logger import logger
from asgi_health.testing import lifespan, probe
from tests.apps import plain_app
from tests.support.virtual_time import BACKENDS, clock_of, run_virtual
from tests.support.waiting import wait_until_async

FAILING = pytest.mark.usefixtures("failing")
BOTH = pytest.mark.parametrize("backend", BACKENDS)


class FailingFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        raise ValueError("an error of the filter")


class FailingHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise OSError("the disk of the log is full")


@pytest.fixture(params=["filter", "handler"])
def failing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The log of the package raises for every record."""
    monkeypatch.setattr(logger, "_complained", False)  # private: it complains once in a process, and this test needs it
    package_logger = logging.getLogger("asgi_health")
    level = package_logger.level
    package_logger.setLevel(logging.DEBUG)
    if request.param == "filter":
        failing = FailingFilter()
        package_logger.addFilter(failing)
        yield
        package_logger.removeFilter(failing)
    else:
        handler = FailingHandler()
        package_logger.addHandler(handler)
        yield
        package_logger.removeHandler(handler)
    package_logger.setLevel(level)


@FAILING
@BOTH
def test_with_a_failing_log_the_checks_keep_to_their_schedule(backend: str, capsys: pytest.CaptureFixture[str]) -> None:
    runs: list[float] = []
    clock = clock_of(backend)

    async def alternates() -> bool:
        runs.append(clock())
        return len(runs) % 2 == 0

    async def hangs() -> None:
        await anyio.sleep_forever()

    health = Health(
        [
            Check("alternates", alternates, interval=10.0, retry_interval=10.0, failure_threshold=1),
            Check("hangs", hangs, critical=False),
        ],
        clock=clock,
        random=lambda: 0.5,
    )

    async def main() -> list[int]:
        app = HealthMiddleware(plain_app, health)
        async with lifespan(app):
            await anyio.sleep(5.0)
            seen = []
            for _ in range(5):
                seen.append((await probe(app, "/readyz")).status)
                await anyio.sleep(10.0)
        return seen

    assert run_virtual(backend, main) == [503, 200, 503, 200, 503]
    assert runs == pytest.approx([runs[0] + 10.0 * n for n in range(6)], abs=0.1)
    assert capsys.readouterr().err.count("asgi_health: log records are lost") == 1


@FAILING
@BOTH
def test_with_a_failing_log_a_probe_on_demand_is_answered(backend: str) -> None:
    async def down() -> bool:
        return False

    app = HealthMiddleware(plain_app, Health({"down": down}, clock=clock_of(backend)))

    async def main() -> int:
        return (await probe(app, "/readyz")).status

    assert run_virtual(backend, main) == 503


@FAILING
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_with_a_failing_log_a_delayed_signal_is_passed_on(backend: str) -> None:
    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))

    async def main() -> None:
        async with Health().running(drain=Drain(delay=0.2)):
            signal.raise_signal(signal.SIGTERM)
            await wait_until_async(lambda: received == [signal.SIGTERM], "the signal is passed on")

    try:
        anyio.run(main, backend=backend)
    finally:
        signal.signal(signal.SIGTERM, before)


@FAILING
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_with_a_failing_log_the_heartbeat_goes_on_when_its_callback_raises(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        await beat_with_a_broken_engine(monkeypatch)

    anyio.run(main, backend=backend)


def test_a_callback_of_the_heartbeat_that_raises_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    errors: list[object] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: errors.append(context))
        await beat_with_a_broken_engine(monkeypatch)

    anyio.run(main)
    assert caplog.text.count("a callback of the event loop's heartbeat failed") == 1
    assert "KeyError: 'the engine is broken'" in caplog.text
    assert errors == []


async def beat_with_a_broken_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run an app in whose heartbeat the engine raises three times, and which serves as before afterwards."""
    beats: list[float] = []

    def broken(engine: Engine, now: float) -> None:
        beats.append(time.monotonic())
        raise KeyError("the engine is broken")

    app = HealthMiddleware(plain_app)
    async with lifespan(app):
        assert (await probe(app, "/readyz")).status == 200
        with monkeypatch.context() as patch:
            patch.setattr(Engine, "pass_on_decay", broken)
            await wait_until_async(lambda: len(beats) >= 3, "it beats")
        assert (await probe(app, "/readyz")).status == 200


def test_a_record_names_the_line_that_wrote_it() -> None:
    assert logger.logger.name == "asgi_health"
    seen: list[logging.LogRecord] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record)

    plain = logging.getLogger("tests.plain")
    plain.setLevel(logging.INFO)
    plain.propagate = False
    plain.addHandler(Collect())
    safe = type(logger)(plain, None)
    safe.info("here %d", 1)
    assert (seen[0].filename, seen[0].getMessage()) == ("test_failing_log.py", "here 1")
