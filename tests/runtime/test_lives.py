"""What goes on beside an app when its lives do not end as they should."""

import asyncio
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from asgi_health import Check, Drain, Health, HealthMiddleware, Listener, Probe, Status
from asgi_health.asgi.beside import beside
from asgi_health.asgi.paths import Paths
from asgi_health.asgi.types import Receive, Scope, Send
from asgi_health.core.lifecycle import Phase
from asgi_health.runtime import sigterm
from asgi_health.runtime.scheduler.runner import runner_of

from ..servers.process import wait_until
from ..servers.wire import ask as ask_at
from ..support import lifespan_apps as lives
from ..support.asgi_caller import ask
from ..support.lifespan_apps import ERROR, Hear, Say, life
from ..support.lifespan_driver import Server, serving
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


# -- a held signal is passed on, however the lifespan ends or begins again


@BACKENDS
@pytest.mark.parametrize("script", [lives.crashes_when_started, lives.returns_when_started], ids=lambda s: s.__name__)
def test_a_lifespan_that_ends_in_the_middle_of_a_drain_changes_nothing(
    script: lives.Script, backend: str, got: list[int]
) -> None:
    async def broken(hear: Hear, say: Say) -> None:
        await hear()
        await say("startup.complete")
        signal.raise_signal(signal.SIGTERM)
        if script is lives.crashes_when_started:
            raise ERROR

    health = Health()
    app = HealthMiddleware(life(broken), health, drain=Drain(delay=0.5))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            server = Server(app)
            group.start_soon(server.run)
            begun = health.clock()
            await server.startup()
            await until(lambda: health.phase is Phase.DRAINING)
            assert (await ask(app)).status == 503
            assert (await ask(app, "/ordinary")).from_app  # the server serves on
            assert got == []
            await until(lambda: got == [signal.SIGTERM])
            assert health.clock() - begun >= 0.5
            group.cancel_scope.cancel()

    anyio.run(main, backend=backend)
    assert got == [signal.SIGTERM]
    until_alone()


@BACKENDS
def test_a_lifespan_that_is_cancelled_in_the_middle_of_a_drain_keeps_it(backend: str, got: list[int]) -> None:
    app = HealthMiddleware(lives.speaks, drain=Drain(delay=0.5))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            server = Server(app)
            group.start_soon(server.run)
            await server.startup()
            signal.raise_signal(signal.SIGTERM)
            server.cancel()
        assert got == []
        await until(lambda: got == [signal.SIGTERM])

    anyio.run(main, backend=backend)
    assert got == [signal.SIGTERM]
    until_alone()


@BACKENDS
@pytest.mark.parametrize("lifespan", [True, False])
def test_a_loop_that_ends_in_the_middle_of_a_drain_passes_the_signal_on(
    lifespan: bool, backend: str, got: list[int]
) -> None:
    """Nothing serves any more: there is nothing to wait for."""
    app = HealthMiddleware(lives.speaks, drain=Drain(delay=300.0))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            server = Server(app)
            if lifespan:
                group.start_soon(server.run)
                await server.startup()
            else:
                assert (await ask(app)).status == 200
            signal.raise_signal(signal.SIGTERM)
            assert (await ask(app)).status == 503
            assert got == []
            group.cancel_scope.cancel()

    anyio.run(main, backend=backend)
    wait_until(lambda: got == [signal.SIGTERM], "the signal is passed on")
    until_alone()
    assert got == [signal.SIGTERM]


@BACKENDS
@pytest.mark.parametrize(
    "script",
    [lives.takes_part, lives.crashes_while_it_stops, lives.fails_to_stop, lives.raises_at_once],
    ids=lambda s: s.__name__,
)
def test_a_server_that_stops_by_itself_gets_the_signal_when_the_app_has_shut_down(
    script: lives.Script, backend: str, got: list[int]
) -> None:
    log: list[str] = []
    app = HealthMiddleware(life(script, log), drain=Drain(delay=300.0))

    async def main() -> None:
        server = Server(app)
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            await server.startup()
            signal.raise_signal(signal.SIGTERM)
            await server.shutdown()
            await until(lambda: server.over)
            assert got == [signal.SIGTERM]

    anyio.run(main, backend=backend)
    assert got == [signal.SIGTERM]
    until_alone()


@BACKENDS
def test_a_lifespan_that_begins_again_in_the_middle_of_a_drain_passes_the_signal_on(
    backend: str, got: list[int]
) -> None:
    app = HealthMiddleware(life(lives.crashes_when_started), drain=Drain(delay=300.0))

    async def main() -> None:
        server = Server(app)
        server.say("startup")
        await server.run()
        assert (await ask(app, "/ordinary")).from_app  # and with it the drain is back
        signal.raise_signal(signal.SIGTERM)
        assert got == []
        again = Server(app)
        again.say("startup")
        await again.run()
        assert got == [signal.SIGTERM]

    anyio.run(main, backend=backend)
    until_alone()


def test_the_next_loop_of_an_app_without_lifespan_gets_what_the_last_one_held(got: list[int]) -> None:
    app = HealthMiddleware(lives.speaks, drain=Drain(delay=300.0))

    async def first() -> None:
        assert (await ask(app, "/ordinary")).from_app
        signal.raise_signal(signal.SIGTERM)

    async def second() -> None:
        assert (await ask(app)).status == 503

    asyncio.run(first())
    asyncio.run(second())
    wait_until(lambda: got == [signal.SIGTERM], "the signal is passed on")
    until_alone()


# -- two drains in one process


@BACKENDS
@pytest.mark.parametrize("delays", [(0.2, 0.8), (0.8, 0.2)], ids=str)
@pytest.mark.parametrize("mounted", [True, False])
def test_of_two_drains_the_longer_one_passes_the_signal_on_and_only_once(
    delays: tuple[float, float], mounted: bool, backend: str, got: list[int]
) -> None:
    """`mounted`: the inner one is told of no lifespan, and begins with its first request."""
    outer_delay, inner_delay = delays
    inner = HealthMiddleware(lives.speaks, drain=Drain(delay=inner_delay), paths=Paths(ready="/inner"))

    async def below(scope: Scope, receive: Receive, send: Send) -> None:
        await (lives.speaks if mounted and scope["type"] == "lifespan" else inner)(scope, receive, send)

    outer = HealthMiddleware(below, drain=Drain(delay=outer_delay))

    async def main() -> None:
        async with serving(outer):
            assert (await ask(outer, "/inner")).status == 200
            begun = outer.health.clock()
            signal.raise_signal(signal.SIGTERM)
            assert [(await ask(outer, path)).status for path in ("/inner", "/readyz")] == [503, 503]
            await until(lambda: got != [])
            assert outer.health.clock() - begun >= 0.8
            await anyio.sleep(0.1)

    anyio.run(main, backend=backend)
    inner._sidecar.attached.stop()
    assert got == [signal.SIGTERM]
    until_alone()


def until_alone() -> None:
    """Nothing that a test has begun goes on; a signal that it holds would hit the next one."""
    wait_until(lambda: not any(each.name.startswith("asgi-health") for each in threading.enumerate()), "all has ended")
    assert not sigterm._standing
    assert not sigterm._holding


@pytest.mark.usefixtures("got")
def test_a_former_life_that_is_collected_late_leaves_the_present_one_alone() -> None:
    sidecar = beside(
        Health(), paths=Paths(), details=False, service=None, drain=Drain(delay=300.0), listener=None, slow_loop=0
    )
    handler = signal.getsignal(signal.SIGTERM)

    async def begin() -> object:
        life = sidecar.begin()
        sidecar.started(life)
        return life

    async def second(former: object) -> None:
        life = await begin()
        sidecar.ended(former)
        assert signal.getsignal(signal.SIGTERM) is not handler
        await sidecar.stopping(life)
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
        app._sidecar.attached.stop()

    handler = signal.getsignal(signal.SIGTERM)
    with tempfile.TemporaryDirectory(prefix="asgi-health-") as folder:
        anyio.run(main, f"{folder}/listener", backend=backend)
