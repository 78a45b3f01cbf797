"""Lifespans that fail, or in which something happens at an unexpected moment."""

import asyncio
import gc
import logging

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from asgi_health import Check, Health, HealthMiddleware
from asgi_health.asgi.types import Message, Receive, Scope, Send

from ..support import lifespan_apps as scripts
from ..support.asgi_caller import PATHS, ask, echo_nothing, statuses
from ..support.known_state import Clock
from ..support.lifespan_apps import ERROR, ReceiveEvent, Script, SendEvent, lifespan_app, make_app
from ..support.lifespan_driver import LifespanDriver, serving
from ..support.recording_checks import logged
from ..support.virtual_time import BACKENDS, clock_of, run_virtual


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_after_a_crash_of_the_lifespan_checks_run_on_demand(backend: str, method: str) -> None:
    log: list[str] = []
    check = logged("often", log)
    app = HealthMiddleware(make_app(scripts.crashes_later), Health([check], clock=clock_of(backend)))
    server = LifespanDriver(app)

    async def main() -> list[list[int]]:
        seen: list[list[int]] = []
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            await server.startup()
            await anyio.sleep(0.1)
            seen.append(await statuses(app, method))
            await anyio.sleep(100.0)
            log.clear()
            seen.append(await statuses(app, method))
        return seen

    assert run_virtual(backend, main) == [[200] * 4] * 2
    assert server.error is ERROR
    assert log == ["often begins", "often ends"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("script", [scripts.crashes_while_it_starts, scripts.fails_to_start])
def test_an_app_that_did_not_start_is_live_but_never_ready(script: Script, method: str, backend: str) -> None:
    log: list[str] = []
    app = HealthMiddleware(make_app(script), Health([logged("never", log)], clock=clock_of(backend)))

    async def main() -> list[int]:
        server = LifespanDriver(app)
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            await server.startup()
            await anyio.sleep(100.0)
        return await statuses(app, method)

    assert run_virtual(backend, main) == [200, 503, 503, 503]
    assert log == []


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "first", [scripts.supports_lifespan, scripts.crashes_later, scripts.crashes_while_it_stops, None]
)
def test_a_second_lifespan_keeps_no_result_of_the_first(first: Script | None, method: str, backend: str) -> None:
    """None: no first lifespan, only a request before the second."""
    log: list[str] = []
    scripts = iter([first])

    async def script(receive: ReceiveEvent, send: SendEvent) -> None:
        this = next(scripts, None)
        if this is not None:
            await this(receive, send)
            return
        assert await receive() == "startup"
        await anyio.sleep(30.0)
        await send("startup.complete")
        await receive()

    app = HealthMiddleware(make_app(script), Health([logged("often", log)], clock=clock_of(backend)))
    if first is None:
        next(scripts)

    async def main() -> list[list[int]]:
        seen: list[list[int]] = []
        if first is None:
            assert (await ask(app)).status == 200
        server = LifespanDriver(app)
        async with anyio.create_task_group() as group:
            for _ in range(1 if first is None else 2):
                log.clear()
                server = LifespanDriver(app)
                group.start_soon(server.run)
                server.send("startup")
                await anyio.sleep(20.0)
                if "startup.complete" in server.received and not server.ended:
                    await server.shutdown()
            seen.append(await statuses(app, method))
            log.append("probed")
            await anyio.sleep(20.0)
            seen.append(await statuses(app, method))
            await server.shutdown()
        return seen

    assert run_virtual(backend, main) == [[200, 503, 503, 503], [200] * 4]
    assert log[:2] == ["probed", "often begins"]


async def begin_lifespan(app: HealthMiddleware, *events: str) -> asyncio.Task[None]:
    """Begin a lifespan in which the server sends these events and no more."""
    messages = iter(events)

    async def receive() -> Message:
        event = next(messages, None)
        if event is None:
            await asyncio.Event().wait()
        return {"type": f"lifespan.{event}"}

    async def send(message: Message) -> None:
        return None

    task = asyncio.create_task(app({"type": "lifespan"}, receive, send))
    for _ in range(10):
        await asyncio.sleep(0)
    return task


def abandon_lifespan(app: HealthMiddleware) -> asyncio.Task[None]:
    """Close a loop in the middle of a lifespan, and return the task of the lifespan."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda loop, context: None)  # expected: "Task was destroyed but it is pending!"
    task = loop.run_until_complete(begin_lifespan(app, "startup"))
    assert loop.run_until_complete(statuses(app)) == [200] * 4
    loop.close()
    return task


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_results_of_an_abandoned_lifespan_do_not_count_in_the_next(method: str) -> None:
    app = HealthMiddleware(lifespan_app, Health([logged("often", [])], clock=Clock()))
    abandoned = abandon_lifespan(app)

    async def statuses_after(*events: str) -> list[int]:
        task = await begin_lifespan(app, *events)
        assert not task.done()
        return await statuses(app, method)

    assert asyncio.run(statuses_after()) == [200, 503, 503, 503]
    assert asyncio.run(statuses_after("startup")) == [200] * 4
    assert not abandoned.done()


def test_an_abandoned_lifespan_that_is_collected_later_does_not_change_the_next() -> None:
    begun = 0

    async def takes_turns() -> None:
        nonlocal begun
        begun += 1
        for _ in range(100 if begun > 1 else 1):
            await asyncio.sleep(0)

    app = HealthMiddleware(lifespan_app, Health([Check("turns", takes_turns)], clock=Clock()))
    abandoned = [abandon_lifespan(app)]

    async def next_lifespan() -> list[int]:
        task = await begin_lifespan(app, "startup")
        assert begun == 2
        abandoned.clear()
        gc.collect()
        for _ in range(200):
            await asyncio.sleep(0)
        assert not task.done()
        return await statuses(app, "HEAD")

    assert asyncio.run(next_lifespan()) == [200] * 4
    assert begun == 2


@pytest.mark.parametrize("backend", BACKENDS)
def test_with_a_lifespan_the_log_never_says_on_demand(backend: str, caplog: pytest.LogCaptureFixture) -> None:
    app = HealthMiddleware(lifespan_app, Health([logged("often", [])], clock=clock_of(backend)))

    async def main() -> None:
        for _ in range(2):
            server = LifespanDriver(app)
            async with anyio.create_task_group() as group:
                group.start_soon(server.run)
                await anyio.sleep(1.0)
                await statuses(app, "HEAD")
                await server.startup()
                await anyio.sleep(1.0)
                await statuses(app, "HEAD")
                await server.shutdown()
                await statuses(app, "HEAD")

    with caplog.at_level(logging.INFO, "asgi_health"):
        run_virtual(backend, main)
    lines = [record.getMessage().split(":")[0] for record in caplog.records]
    assert [line for line in lines if line.startswith("checks run")] == ["checks run in the background"] * 2


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_number_of_probes_makes_a_check_run(backend: str) -> None:
    log: list[str] = []
    check = logged("often", log, interval=10.0)
    app = HealthMiddleware(lifespan_app, Health([check], clock=clock_of(backend)), details=True)

    async def main() -> None:
        async with serving(app):
            await anyio.sleep(8.0)
            for number in range(2000):
                await ask(app, PATHS[number % 4], ("GET", "HEAD")[number % 2], (b"", b"verbose", b"t=1")[number % 3])

    run_virtual(backend, main)
    assert log == ["often begins", "often ends"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_probe_of_a_mounted_middleware_does_not_end_the_startup_of_the_app(backend: str) -> None:
    """Both share one Health, and only the outer one gets the lifespan."""
    log: list[str] = []
    health = Health([logged("often", log)], clock=clock_of(backend))
    mounted = HealthMiddleware(echo_nothing, health)

    async def starts_slowly(receive: ReceiveEvent, send: SendEvent) -> None:
        await receive()
        await anyio.sleep(10.0)
        await send("startup.complete")
        await receive()

    outer = HealthMiddleware(make_app(starts_slowly, app=mounted), health)

    async def main() -> list[list[int]]:
        server = LifespanDriver(outer)
        seen: list[list[int]] = []
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            server.send("startup")
            await anyio.sleep(5.0)
            seen += [await statuses(mounted), await statuses(outer)]
            assert log == []
            await anyio.sleep(10.0)
            seen += [await statuses(mounted), await statuses(outer)]
            await server.shutdown()
        return seen

    starting, started = [200, 503, 503, 503], [200] * 4
    assert run_virtual(backend, main) == [starting, starting, started, started]


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (ValueError("only http"), logging.DEBUG),
        (AssertionError(), logging.DEBUG),
        (NotImplementedError(), logging.DEBUG),
        (KeyError("lifespan"), logging.DEBUG),
        (RuntimeError("cannot open the pool"), logging.WARNING),
        (ConnectionError("cannot reach amqp://shop:hunter2@broker"), logging.WARNING),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Exception) else "",
)
def test_an_error_before_receive_is_a_warning_unless_it_means_that_lifespan_is_not_supported(
    error: Exception, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    async def main() -> None:
        async with serving(HealthMiddleware(app)):
            pass

    with caplog.at_level(logging.DEBUG, "asgi_health"):
        anyio.run(main)
    (record,) = [each for each in caplog.records if "lifespan" in each.getMessage()]
    assert record.levelno == level
    assert type(error).__name__ in record.getMessage()
    assert "hunter2" not in record.getMessage()
