"""What becomes of the services of an app whose lifespan ends early, crashes, or begins again."""

import asyncio
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
import trio

from asgi_health import Check, Drain, Health, HealthMiddleware, Listener, Paths, Probe, Status
from asgi_health.asgi.app_facts import app_facts
from asgi_health.asgi.router import HealthRouter
from asgi_health.asgi.types import Receive, Scope, Send
from asgi_health.core.engine import Engine
from asgi_health.core.lifecycle import Phase
from asgi_health.health import engine_of
from asgi_health.runtime.scheduler.runner import Runner, runner_of
from asgi_health.runtime.services import Services

from ..servers.wire import ask as ask_at
from ..support import lifespan_apps
from ..support.app_thread import our_threads
from ..support.asgi_caller import ask
from ..support.lifespan_apps import ERROR, ReceiveEvent, SendEvent, make_app
from ..support.lifespan_driver import LifespanDriver, serving
from ..support.services import stop_services
from ..support.waiting import wait_until, wait_until_async
from .hanging_file_system import hanging

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@pytest.fixture
def received() -> Iterator[list[int]]:
    """The signals that the program's own handler of SIGTERM has received."""
    received: list[int] = []

    def receive(number: int, frame: object) -> None:
        received.append(number)

    before = signal.signal(signal.SIGTERM, receive)
    yield received
    assert signal.getsignal(signal.SIGTERM) is receive  # each SigtermHandler is removed
    signal.signal(signal.SIGTERM, before)


def test_a_running_block_that_ends_within_the_delay_passes_the_signal_on(received: list[int]) -> None:
    async def main() -> None:
        async with Health().running(drain=Drain(delay=300.0)):
            signal.raise_signal(signal.SIGTERM)
            assert received == []

    asyncio.run(main())
    assert received == [signal.SIGTERM]


def test_a_running_block_without_a_signal_raises_none(received: list[int]) -> None:
    async def main() -> None:
        async with Health().running(drain=Drain(delay=300.0)):
            pass

    asyncio.run(main())
    assert received == []


def test_the_status_page_knows_when_a_delayed_signal_is_passed_on(received: list[int]) -> None:
    async def main() -> None:
        async with Health().running(drain=Drain(delay=300.0)) as health:
            engine = engine_of(health)
            assert app_facts(engine, engine.clock()).signal_at is None
            began = engine.clock()
            signal.raise_signal(signal.SIGTERM)
            signal_at = app_facts(engine, engine.clock()).signal_at
            assert signal_at is not None
            assert began + 300.0 <= signal_at <= engine.clock() + 300.0
        assert app_facts(engine, engine.clock()).signal_at is None

    asyncio.run(main())
    assert received == [signal.SIGTERM]


# -- a delayed signal is passed on, however the lifespan ends or begins again


@BACKENDS
@pytest.mark.parametrize(
    "script", [lifespan_apps.crashes_when_started, lifespan_apps.returns_when_started], ids=lambda s: s.__name__
)
def test_a_lifespan_that_ends_during_a_drain_does_not_end_the_drain(
    script: lifespan_apps.Script, backend: str, received: list[int]
) -> None:
    async def broken(receive: ReceiveEvent, send: SendEvent) -> None:
        await receive()
        await send("startup.complete")
        signal.raise_signal(signal.SIGTERM)
        if script is lifespan_apps.crashes_when_started:
            raise ERROR

    health = Health()
    app = HealthMiddleware(make_app(broken), health, drain=Drain(delay=0.5))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            server = LifespanDriver(app)
            group.start_soon(server.run)
            began = time.monotonic()
            await server.startup()
            await wait_until_async(lambda: health.report().phase is Phase.DRAINING, "it drains")
            assert (await ask(app)).status == 503
            assert (await ask(app, "/ordinary")).from_app  # the server goes on
            assert received == []
            await wait_until_async(lambda: received == [signal.SIGTERM], "the signal is passed on")
            assert time.monotonic() - began >= 0.5
            group.cancel_scope.cancel()

    anyio.run(main, backend=backend)
    assert received == [signal.SIGTERM]
    wait_for_threads()


@BACKENDS
def test_a_lifespan_that_is_cancelled_during_a_drain_does_not_end_the_drain(backend: str, received: list[int]) -> None:
    app = HealthMiddleware(lifespan_apps.lifespan_app, drain=Drain(delay=0.5))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            server = LifespanDriver(app)
            group.start_soon(server.run)
            await server.startup()
            signal.raise_signal(signal.SIGTERM)
            server.cancel()
        assert received == []
        await wait_until_async(lambda: received == [signal.SIGTERM], "the signal is passed on")

    anyio.run(main, backend=backend)
    assert received == [signal.SIGTERM]
    wait_for_threads()


@BACKENDS
@pytest.mark.parametrize("lifespan", [True, False])
def test_when_the_loop_ends_during_a_drain_the_signal_is_passed_on(
    lifespan: bool, backend: str, received: list[int]
) -> None:
    """The server has ended with it: there is nothing to wait for."""
    app = HealthMiddleware(lifespan_apps.lifespan_app, drain=Drain(delay=300.0))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            server = LifespanDriver(app)
            if lifespan:
                group.start_soon(server.run)
                await server.startup()
            else:
                assert (await ask(app)).status == 200
            signal.raise_signal(signal.SIGTERM)
            assert (await ask(app)).status == 503
            assert received == []
            group.cancel_scope.cancel()

    anyio.run(main, backend=backend)
    wait_until(lambda: received == [signal.SIGTERM], "the signal is passed on")
    wait_for_threads()
    assert received == [signal.SIGTERM]


@BACKENDS
def test_when_the_loop_has_ended_without_a_shutdown_the_next_signal_goes_through_and_the_monitor_ends(
    backend: str, received: list[int]
) -> None:
    app = HealthMiddleware(lifespan_apps.lifespan_app, drain=Drain(delay=300.0))

    async def main() -> None:
        assert (await ask(app)).status == 200

    anyio.run(main, backend=backend)
    signal.raise_signal(signal.SIGTERM)
    assert received == [signal.SIGTERM]
    wait_for_threads()


@BACKENDS
@pytest.mark.parametrize(
    "script",
    [
        lifespan_apps.supports_lifespan,
        lifespan_apps.crashes_while_it_stops,
        lifespan_apps.fails_to_stop,
        lifespan_apps.raises_at_once,
    ],
    ids=lambda s: s.__name__,
)
def test_a_server_that_stops_by_itself_gets_the_signal_when_the_app_has_shut_down(
    script: lifespan_apps.Script, backend: str, received: list[int]
) -> None:
    log: list[str] = []
    app = HealthMiddleware(make_app(script, log), drain=Drain(delay=300.0))

    async def main() -> None:
        server = LifespanDriver(app)
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            await server.startup()
            signal.raise_signal(signal.SIGTERM)
            await server.shutdown()
            await wait_until_async(lambda: server.ended, "the lifespan is over")
            assert received == [signal.SIGTERM]

    anyio.run(main, backend=backend)
    assert received == [signal.SIGTERM]
    wait_for_threads()


@BACKENDS
def test_when_a_lifespan_begins_again_during_a_drain_the_signal_is_passed_on(backend: str, received: list[int]) -> None:
    app = HealthMiddleware(make_app(lifespan_apps.crashes_when_started), drain=Drain(delay=300.0))

    async def main() -> None:
        server = LifespanDriver(app)
        server.send("startup")
        await server.run()
        assert (await ask(app, "/ordinary")).from_app  # which starts the drain again
        signal.raise_signal(signal.SIGTERM)
        assert received == []
        again = LifespanDriver(app)
        again.send("startup")
        await again.run()
        assert received == [signal.SIGTERM]

    anyio.run(main, backend=backend)
    wait_for_threads()


def test_without_lifespan_the_next_loop_passes_on_what_the_last_one_delayed(received: list[int]) -> None:
    app = HealthMiddleware(lifespan_apps.lifespan_app, drain=Drain(delay=300.0))

    async def first() -> None:
        assert (await ask(app, "/ordinary")).from_app
        signal.raise_signal(signal.SIGTERM)

    async def second() -> None:
        assert (await ask(app)).status == 503
        assert received == [signal.SIGTERM]
        stop_services(app)

    asyncio.run(first())
    asyncio.run(second())
    wait_until(lambda: received == [signal.SIGTERM], "the signal is passed on")
    wait_for_threads()


# -- two drains in one process


@pytest.mark.parametrize(
    ("backend", "delays", "mounted"),
    [  # each pair of values once
        ("asyncio", (0.2, 0.8), True),
        ("asyncio", (0.8, 0.2), False),
        ("trio", (0.2, 0.8), False),
        ("trio", (0.8, 0.2), True),
    ],
    ids=str,
)
def test_of_two_drains_the_longer_one_passes_the_signal_on_once(
    delays: tuple[float, float], mounted: bool, backend: str, received: list[int]
) -> None:
    """`mounted`: the inner app gets no lifespan, and its services begin with its first request."""
    outer_delay, inner_delay = delays
    inner = HealthMiddleware(lifespan_apps.lifespan_app, drain=Drain(delay=inner_delay), paths=Paths(ready="/inner"))

    async def inner_app(scope: Scope, receive: Receive, send: Send) -> None:
        await (lifespan_apps.lifespan_app if mounted and scope["type"] == "lifespan" else inner)(scope, receive, send)

    outer = HealthMiddleware(inner_app, drain=Drain(delay=outer_delay))

    async def main() -> None:
        async with serving(outer):
            assert (await ask(outer, "/inner")).status == 200
            began = time.monotonic()
            signal.raise_signal(signal.SIGTERM)
            assert [(await ask(outer, path)).status for path in ("/inner", "/readyz")] == [503, 503]
            await wait_until_async(lambda: received != [], "the signal is passed on")
            assert time.monotonic() - began >= 0.8
            await anyio.sleep(0.1)

    anyio.run(main, backend=backend)
    stop_services(inner)
    assert received == [signal.SIGTERM]
    wait_for_threads()


def wait_for_threads() -> None:
    """Wait until the threads of a test have ended: a signal that they delay would reach the next test."""
    wait_until(lambda: not our_threads(), lambda: f"{our_threads()} have ended")


@pytest.mark.usefixtures("received")
def test_the_end_of_a_former_lifespan_that_comes_late_does_not_end_the_present_one() -> None:
    """Its loop was lost without a shutdown, and its coroutine is garbage collected during the next lifespan."""
    engine = Engine(time.monotonic, lambda: 0.5)
    router = HealthRouter(engine, Paths())
    services = Services(
        engine, router, drain=Drain(delay=300.0), listener=None, slow_loop=0, integrations=(), paths=("/readyz",)
    )
    handler = signal.getsignal(signal.SIGTERM)

    async def start() -> object:
        lifespan = services.start()
        services.serving(lifespan)
        return lifespan

    async def second(former: object) -> None:
        lifespan = await start()
        services.close(former)
        assert signal.getsignal(signal.SIGTERM) is not handler
        await services.stop_checks(lifespan)
        services.close(lifespan)

    former = asyncio.run(start())
    asyncio.run(second(former))
    assert signal.getsignal(signal.SIGTERM) is handler


def ready(health: Health) -> bool:
    return health.report(Probe.READINESS).status is Status.HEALTHY


# -- a file system that hangs


@BACKENDS
def test_a_file_system_that_hangs_does_not_keep_a_signal_back(
    backend: str, received: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "draining"

    async def main() -> None:
        health = Health()
        async with health.running(drain=Drain(delay=0.3, file=file)):
            assert hung.is_set()
            await wait_until_async(lambda: ready(health), "it is ready")
            signal.raise_signal(signal.SIGTERM)
            assert not ready(health)
            await wait_until_async(lambda: received == [signal.SIGTERM], "the signal is passed on")

    with hanging(file, monkeypatch) as hung:
        anyio.run(main, backend=backend)


# -- an app that cancels every other task of its loop


def runner_in(health: Health) -> Runner:
    return runner_of(engine_of(health))


async def cancel_all_other_tasks(health: Health) -> None:
    """On trio, where no app can do this, only the task of the runner is cancelled."""
    runner = runner_in(health)
    assert runner.alive
    if trio.lowlevel.in_trio_run():
        assert runner._task is not None
        runner._task.cancel()  # private: trio offers no public way to cancel the task of another
    else:
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
    await wait_until_async(lambda: not runner.alive, "the runner has ended")


@BACKENDS
def test_the_checks_of_an_app_that_cancels_every_task_go_on(backend: str, caplog: pytest.LogCaptureFixture) -> None:
    runs = 0

    async def count() -> None:
        nonlocal runs
        runs += 1

    async def main() -> None:
        health = Health([Check("count", count, interval=0.05)])
        async with health.running():
            await wait_until_async(lambda: runs > 0, "the check runs")
            for _ in range(2):
                await cancel_all_other_tasks(health)
                before = runs
                await wait_until_async(lambda: runs > before + 1, "the check runs again")  # noqa: B023  called at once
        await anyio.sleep(0.3)
        assert not runner_in(health).alive

    anyio.run(main, backend=backend)
    assert caplog.text.count("the runner of the checks was cancelled from outside; it starts again") == 2


@BACKENDS
def test_the_drain_of_an_app_that_cancels_every_task_goes_on(backend: str, received: list[int]) -> None:
    async def main() -> None:
        health = Health()
        async with health.running(drain=Drain(delay=0.3)):
            await cancel_all_other_tasks(health)
            signal.raise_signal(signal.SIGTERM)
            assert not ready(health)
            await wait_until_async(lambda: received == [signal.SIGTERM], "the signal is passed on")

    anyio.run(main, backend=backend)


@BACKENDS
def test_a_runner_that_was_stopped_does_not_start_again(backend: str) -> None:
    async def main() -> None:
        health = Health()
        async with health.running():
            runner = runner_in(health)
            await runner.stop()
            await wait_until_async(lambda: not runner.alive, "the runner has ended")
            for _ in range(100):
                runner.on_beat()
            assert not runner.alive

    anyio.run(main, backend=backend)


# -- one lifespan inside of another


@BACKENDS
def test_a_running_block_inside_of_another_is_refused_and_changes_nothing(backend: str) -> None:
    async def main() -> None:
        health = Health({"a": lambda: True})
        async with health.running():
            await wait_until_async(lambda: ready(health), "it is ready")
            with pytest.raises(RuntimeError, match=r"health: running\(\) inside of another running\(\) block"):
                async with health.running():
                    raise AssertionError("it runs")
            assert ready(health)
            assert runner_in(health).alive
            async with Health().running():  # of another Health
                pass
            assert ready(health)
        async with health.running():
            await wait_until_async(lambda: ready(health), "it is ready")

    anyio.run(main, backend=backend)


@BACKENDS
def test_a_running_block_inside_of_an_app_with_the_same_health_is_refused(backend: str) -> None:
    health = Health()

    async def script(receive: ReceiveEvent, send: SendEvent) -> None:
        await receive()
        with pytest.raises(RuntimeError, match="an app with a HealthMiddleware"):
            async with health.running():
                raise AssertionError("it runs")
        await send("startup.complete")
        await receive()
        await send("shutdown.complete")

    async def main() -> None:
        async with serving(HealthMiddleware(make_app(script), health)):
            await wait_until_async(lambda: ready(health), "it is ready")

    anyio.run(main, backend=backend)


# -- an app whose lifespan crashes while its server goes on


@BACKENDS
def test_drain_and_listener_come_back_with_the_next_request_after_a_crash(backend: str, received: list[int]) -> None:
    async def main(address: str) -> None:
        def status() -> int:
            return ask_at(address, "GET", "/readyz").status

        app = HealthMiddleware(
            make_app(lifespan_apps.crashes_when_started),
            drain=Drain(delay=300.0),
            listener=Listener(address),
            slow_loop=0,
        )
        server = LifespanDriver(app)
        server.send("startup")
        await server.run()
        assert server.error is ERROR
        with pytest.raises((FileNotFoundError, ConnectionRefusedError)):
            await anyio.to_thread.run_sync(status)
        assert signal.getsignal(signal.SIGTERM) is handler
        assert (await ask(app, "/ordinary")).from_app
        await anyio.to_thread.run_sync(wait_until, lambda: status() == 200, "it answers")
        signal.raise_signal(signal.SIGTERM)
        assert received == []
        assert await anyio.to_thread.run_sync(status) == 503
        signal.raise_signal(signal.SIGTERM)
        assert received == [signal.SIGTERM]
        stop_services(app)

    handler = signal.getsignal(signal.SIGTERM)
    with tempfile.TemporaryDirectory(prefix="asgi-health-") as folder:
        anyio.run(main, f"{folder}/listener", backend=backend)
