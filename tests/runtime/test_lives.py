"""What goes on beside an app when its lives do not end as they should."""

import asyncio
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from asgi_health import Check, Drain, Health, HealthMiddleware, Listener, Probe, Status
from asgi_health.asgi.beside import beside
from asgi_health.asgi.paths import Paths
from asgi_health.runtime.runner import runner_of

from ..asgi import lives
from ..asgi.caller import ask
from ..asgi.lives import ERROR, Hear, Say, life
from ..asgi.server import Server, serving
from ..servers.process import wait_until
from ..servers.wire import ask as ask_at
from .hanging import hanging

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@pytest.fixture
def got() -> Iterator[list[int]]:
    """A program's own handler of SIGTERM: what it got."""
    got: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: got.append(number))
    yield got
    signal.signal(signal.SIGTERM, before)


def test_a_block_that_ends_within_the_delay_hands_the_signal_on(got: list[int]) -> None:
    async def main() -> None:
        async with Health().running(drain=Drain(delay=300.0)):
            signal.raise_signal(signal.SIGTERM)
            assert got == []

    asyncio.run(main())
    assert got == [signal.SIGTERM]


def test_a_block_without_a_signal_raises_none(got: list[int]) -> None:
    async def main() -> None:
        async with Health().running(drain=Drain(delay=300.0)):
            pass

    asyncio.run(main())
    assert got == []


@pytest.mark.usefixtures("got")
def test_a_former_life_that_is_collected_late_leaves_the_present_one_alone() -> None:
    sidecar = beside(
        Health(), paths=Paths(), details=False, service=None, drain=Drain(delay=300.0), listener=None, slow_loop=0
    )
    handler = signal.getsignal(signal.SIGTERM)

    async def begin() -> object:
        life = sidecar.begin()
        sidecar.started()
        return life

    async def second(former: object) -> None:
        life = await begin()
        sidecar.ended(former)
        assert signal.getsignal(signal.SIGTERM) is not handler
        await sidecar.stopping()
        sidecar.ended(life)

    former = asyncio.run(begin())
    asyncio.run(second(former))
    assert signal.getsignal(signal.SIGTERM) is handler


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(20.0):
        while not condition():  # noqa: ASYNC110  nobody tells when it holds
            await anyio.sleep(0.01)


def ready(health: Health) -> bool:
    return health.outlook(Probe.READINESS).at(health.clock()) is Status.HEALTHY


# -- a file system that hangs


@BACKENDS
def test_a_file_system_that_hangs_holds_no_signal_back(
    backend: str, got: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "draining"

    async def main() -> None:
        health = Health()
        async with health.running(drain=Drain(delay=0.3, file=file)):
            assert hung.is_set()
            await until(lambda: ready(health))
            signal.raise_signal(signal.SIGTERM)
            assert not ready(health)
            await until(lambda: got == [signal.SIGTERM])

    with hanging(file, monkeypatch) as hung:
        anyio.run(main, backend=backend)


# -- an app that cancels every task of its loop but its own


async def cancel_everybody_else(health: Health) -> None:
    """On trio no app can: there the task is ended alone."""
    runner = runner_of(health)
    assert runner.alive
    try:
        others = asyncio.all_tasks() - {asyncio.current_task()}
    except RuntimeError:
        assert runner._task is not None
        runner._task.cancel()
    else:
        for task in others:
            task.cancel()
    await until(lambda: not runner.alive)


@BACKENDS
def test_the_checks_of_an_app_that_cancels_every_task_go_on(backend: str, caplog: pytest.LogCaptureFixture) -> None:
    runs = 0

    async def count() -> None:
        nonlocal runs
        runs += 1

    async def main() -> None:
        health = Health([Check("count", count, interval=0.05)])
        async with health.running():
            await until(lambda: runs > 0)
            for _ in range(2):
                await cancel_everybody_else(health)
                before = runs
                await until(lambda: runs > before + 1)  # noqa: B023  called at once
        await anyio.sleep(0.3)
        assert not runner_of(health).alive

    anyio.run(main, backend=backend)
    assert caplog.text.count("the runner of the checks was cancelled from outside; it starts again") == 2


@BACKENDS
def test_the_drain_of_an_app_that_cancels_every_task_goes_on(backend: str, got: list[int]) -> None:
    async def main() -> None:
        health = Health()
        async with health.running(drain=Drain(delay=0.3)):
            await cancel_everybody_else(health)
            signal.raise_signal(signal.SIGTERM)
            assert not ready(health)
            await until(lambda: got == [signal.SIGTERM])

    anyio.run(main, backend=backend)


@BACKENDS
def test_a_runner_that_its_owner_has_ended_stays_so(backend: str) -> None:
    async def main() -> None:
        health = Health()
        async with health.running():
            runner = runner_of(health)
            await runner.stop()
            await until(lambda: not runner.alive)
            for _ in range(100):
                runner.look()
            assert not runner.alive

    anyio.run(main, backend=backend)


# -- one life inside of another


@BACKENDS
def test_a_block_inside_of_another_is_refused_and_changes_nothing(backend: str) -> None:
    async def main() -> None:
        health = Health({"a": lambda: True})
        async with health.running():
            await until(lambda: ready(health))
            with pytest.raises(RuntimeError, match=r"health: running\(\) inside of another life of the same Health"):
                async with health.running():
                    raise AssertionError("it runs")
            assert ready(health)
            assert runner_of(health).alive
            async with Health().running():  # which is another one
                pass
            assert ready(health)
        async with health.running():
            await until(lambda: ready(health))

    anyio.run(main, backend=backend)


@BACKENDS
def test_a_block_inside_of_an_app_that_has_the_same_health_is_refused(backend: str) -> None:
    health = Health()

    async def script(hear: Hear, say: Say) -> None:
        await hear()
        with pytest.raises(RuntimeError, match="an app with a HealthMiddleware"):
            async with health.running():
                raise AssertionError("it runs")
        await say("startup.complete")
        await hear()
        await say("shutdown.complete")

    async def main() -> None:
        async with serving(HealthMiddleware(life(script), health)):
            await until(lambda: ready(health))

    anyio.run(main, backend=backend)


# -- an app whose lifespan crashes, and whose server serves on


@BACKENDS
def test_drain_and_listener_come_back_with_the_next_request_after_a_crash(backend: str, got: list[int]) -> None:
    async def main(address: str) -> None:
        def status() -> int:
            return ask_at(address, "GET", "/readyz").status

        app = HealthMiddleware(
            life(lives.crashes_when_started), drain=Drain(delay=300.0), listener=Listener(address), slow_loop=0
        )
        server = Server(app)
        server.say("startup")
        await server.run()
        assert server.error is ERROR
        with pytest.raises((FileNotFoundError, ConnectionRefusedError)):
            await anyio.to_thread.run_sync(status)
        assert signal.getsignal(signal.SIGTERM) is handler
        assert (await ask(app, "/ordinary")).from_app
        await anyio.to_thread.run_sync(wait_until, lambda: status() == 200, "it answers")
        signal.raise_signal(signal.SIGTERM)
        assert got == []
        assert await anyio.to_thread.run_sync(status) == 503
        signal.raise_signal(signal.SIGTERM)
        assert got == [signal.SIGTERM]
        app._sidecar._leave()

    handler = signal.getsignal(signal.SIGTERM)
    with tempfile.TemporaryDirectory(prefix="asgi-health-") as folder:
        anyio.run(main, f"{folder}/listener", backend=backend)
