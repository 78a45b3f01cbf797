"""A log whose filters or handlers raise: records are lost, and nothing else is."""

import asyncio
import logging
import signal
from collections.abc import Callable, Iterator

import anyio
import pytest

from asgi_health import Check, Drain, Health, HealthMiddleware, Probe
from asgi_health.core import logger as logger_module
from asgi_health.core.aggregate import Outlook
from asgi_health.core.logger import logger
from asgi_health.testing import lifespan, probe
from tests.apps import plain_app
from tests.support.virtual_time import BACKENDS, clock_of, run_virtual

FAILING = pytest.mark.usefixtures("failing")
BOTH = pytest.mark.parametrize("backend", BACKENDS)


class FailingFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        raise ValueError("the filter's own")


class FailingHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise OSError("the disk of the log is full")


@pytest.fixture(params=["filter", "handler"])
def failing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package's log raises, whatever is written to it."""
    monkeypatch.setattr(logger_module.logger, "_said", False)
    ours = logging.getLogger("asgi_health")
    level = ours.level
    ours.setLevel(logging.DEBUG)
    if request.param == "filter":
        failing = FailingFilter()
        ours.addFilter(failing)
        yield
        ours.removeFilter(failing)
    else:
        handler = FailingHandler()
        ours.addHandler(handler)
        yield
        ours.removeHandler(handler)
    ours.setLevel(level)


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(20.0):
        while not condition():  # noqa: ASYNC110  no event says when it holds
            await anyio.sleep(0.01)


@FAILING
@BOTH
def test_the_checks_keep_to_their_schedule(backend: str, capsys: pytest.CaptureFixture[str]) -> None:
    runs: list[float] = []
    clock = clock_of(backend)

    async def turns() -> bool:
        runs.append(clock())
        return len(runs) % 2 == 0

    async def hangs() -> None:
        await anyio.sleep_forever()

    health = Health(
        [
            Check("turns", turns, interval=10.0, retry_interval=10.0, failure_threshold=1),
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
    assert capsys.readouterr().err.count("asgi_health: records are lost") == 1


@FAILING
@BOTH
def test_a_probe_on_demand_is_answered(backend: str) -> None:
    async def down() -> bool:
        return False

    app = HealthMiddleware(plain_app, Health({"down": down}, clock=clock_of(backend)))

    async def main() -> int:
        return (await probe(app, "/readyz")).status

    assert run_virtual(backend, main) == 503


@FAILING
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_held_signal_is_passed_on(backend: str) -> None:
    got: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: got.append(number))

    async def main() -> None:
        async with Health().running(drain=Drain(delay=0.2)):
            signal.raise_signal(signal.SIGTERM)
            await until(lambda: got == [signal.SIGTERM])

    try:
        anyio.run(main, backend=backend)
    finally:
        signal.signal(signal.SIGTERM, before)


@FAILING
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_heartbeat_goes_on_when_what_it_looks_at_raises(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    complaints: list[object] = []
    health = Health()

    def broken(probe: Probe | None) -> Outlook:
        raise KeyError("outlook")

    async def main() -> None:
        if backend == "asyncio":
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        app = HealthMiddleware(plain_app, health)
        async with lifespan(app):
            heartbeat = app._sidecar.attached._heartbeat
            assert heartbeat is not None
            with monkeypatch.context() as patch:
                patch.setattr(health, "outlook", broken)
                for _ in range(3):
                    at = heartbeat.at
                    await until(lambda: heartbeat.at > at)  # noqa: B023  called at once
            assert heartbeat.alive
            assert app._sidecar.runner.alive

    anyio.run(main, backend=backend)
    assert complaints == []


@FAILING
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_heartbeat_goes_on_when_the_look_after_the_signals_raises(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: object) -> None:
        raise ValueError("signal only works in main thread")

    async def main() -> None:
        app = HealthMiddleware(plain_app)
        async with lifespan(app):
            heartbeat = app._sidecar.attached._heartbeat
            assert heartbeat is not None
            heartbeat._each = lambda: broken(heartbeat)
            for _ in range(3):
                at = heartbeat.at
                await until(lambda: heartbeat.at > at)  # noqa: B023  called at once

    anyio.run(main, backend=backend)


def test_a_failing_beat_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        app = HealthMiddleware(plain_app)
        async with lifespan(app):
            heartbeat = app._sidecar.attached._heartbeat
            assert heartbeat is not None
            heartbeat._each = lambda: 1 / 0  # type: ignore[assignment]
            for _ in range(3):
                at = heartbeat.at
                await until(lambda: heartbeat.at > at)  # noqa: B023  called at once

    anyio.run(main)
    assert caplog.text.count("what goes on with each beat of the event loop failed") == 1
    assert "ZeroDivisionError" in caplog.text


def test_a_record_names_the_line_that_wrote_it() -> None:
    assert logger.logger.name == "asgi_health"
    seen: list[logging.LogRecord] = []

    class Keeps(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record)

    plain = logging.getLogger("tests.plain")
    plain.setLevel(logging.INFO)
    plain.propagate = False
    plain.addHandler(Keeps())
    guarded = type(logger)(plain, None)
    guarded.info("here %d", 1)
    assert (seen[0].filename, seen[0].getMessage()) == ("test_failing_log.py", "here 1")
