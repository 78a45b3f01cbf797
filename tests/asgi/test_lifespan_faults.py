"""Lives in which something happens at the wrong moment; the checks keep to theirs all the same."""

import asyncio
import gc
import logging

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from asgi_health import Check, Health, HealthMiddleware
from asgi_health.asgi.types import Message, Receive, Scope, Send

from ..support import lifespan_apps as lives
from ..support.asgi_caller import PATHS, ask, echo_nothing, statuses
from ..support.known_state import Clock
from ..support.lifespan_apps import ERROR, Hear, Say, Script, life, speaks
from ..support.lifespan_driver import Server, serving
from ..support.recording_checks import logged
from ..support.virtual_time import BACKENDS, clock_of, run_virtual


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_app_whose_lifespan_crashed_goes_on_with_checks_on_demand(backend: str, method: str) -> None:
    log: list[str] = []
    check = logged("often", log)
    app = HealthMiddleware(life(lives.crashes_later), Health([check], clock=clock_of(backend)))
    server = Server(app)

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
@pytest.mark.parametrize("script", [lives.crashes_while_it_starts, lives.fails_to_start])
def test_an_app_that_did_not_start_is_alive_but_never_ready(script: Script, method: str, backend: str) -> None:
    log: list[str] = []
    app = HealthMiddleware(life(script), Health([logged("never", log)], clock=clock_of(backend)))

    async def main() -> list[int]:
        server = Server(app)
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            await server.startup()
            await anyio.sleep(100.0)
        return await statuses(app, method)

    assert run_virtual(backend, main) == [200, 503, 503, 503]
    assert log == []


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("first", [lives.takes_part, lives.crashes_later, lives.crashes_while_it_stops, None])
def test_a_second_life_starts_from_nothing_however_the_first_ended(
    first: Script | None, method: str, backend: str
) -> None:
    """`None`: there was none, only a request before the lifespan began."""
    log: list[str] = []
    scripts = iter([first])

    async def script(hear: Hear, say: Say) -> None:
        this = next(scripts, None)
        if this is not None:
            await this(hear, say)
            return
        assert await hear() == "startup"
        await anyio.sleep(30.0)
        await say("startup.complete")
        await hear()

    app = HealthMiddleware(life(script), Health([logged("often", log)], clock=clock_of(backend)))
    if first is None:
        next(scripts)

    async def main() -> list[list[int]]:
        seen: list[list[int]] = []
        if first is None:
            assert (await ask(app)).status == 200
        server = Server(app)
        async with anyio.create_task_group() as group:
            for _ in range(1 if first is None else 2):
                log.clear()
                server = Server(app)
                group.start_soon(server.run)
                server.say("startup")
                await anyio.sleep(20.0)
                if "startup.complete" in server.heard and not server.over:
                    await server.shutdown()
            seen.append(await statuses(app, method))
            log.append("probed")
            await anyio.sleep(20.0)
            seen.append(await statuses(app, method))
            await server.shutdown()
        return seen

    assert run_virtual(backend, main) == [[200, 503, 503, 503], [200] * 4]
    assert log[:2] == ["probed", "often begins"]


async def begin_to_live(app: HealthMiddleware, *said: str) -> asyncio.Task[None]:
    """Begin a lifespan in which the server says so much and no more."""
    messages = iter(said)

    async def receive() -> Message:
        moment = next(messages, None)
        if moment is None:
            await asyncio.Event().wait()
        return {"type": f"lifespan.{moment}"}

    async def send(message: Message) -> None:
        return None

    task = asyncio.create_task(app({"type": "lifespan"}, receive, send))
    for _ in range(10):
        await asyncio.sleep(0)
    return task


def lose_a_life(app: HealthMiddleware) -> asyncio.Task[None]:
    """Close a loop without a word to the lifespan in it, and return what still holds it."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda loop, context: None)  # "Task was destroyed but it is pending!": we know
    task = loop.run_until_complete(begin_to_live(app, "startup"))
    assert loop.run_until_complete(statuses(app)) == [200] * 4
    loop.close()
    return task


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_life_that_was_lost_with_its_loop_is_no_evidence_for_the_next(method: str) -> None:
    app = HealthMiddleware(speaks, Health([logged("often", [])], clock=Clock()))
    lost = lose_a_life(app)

    async def live(*said: str) -> list[int]:
        task = await begin_to_live(app, *said)
        assert not task.done()
        return await statuses(app, method)

    assert asyncio.run(live()) == [200, 503, 503, 503]
    assert asyncio.run(live("startup")) == [200] * 4
    assert not lost.done()


def test_a_life_that_was_lost_with_its_loop_does_not_touch_the_next_when_it_is_collected() -> None:
    begun = 0

    async def takes_turns() -> None:
        nonlocal begun
        begun += 1
        for _ in range(100 if begun > 1 else 1):
            await asyncio.sleep(0)

    app = HealthMiddleware(speaks, Health([Check("turns", takes_turns)], clock=Clock()))
    lost = [lose_a_life(app)]

    async def live() -> list[int]:
        task = await begin_to_live(app, "startup")
        assert begun == 2
        lost.clear()
        gc.collect()
        for _ in range(200):
            await asyncio.sleep(0)
        assert not task.done()
        return await statuses(app, "HEAD")

    assert asyncio.run(live()) == [200] * 4
    assert begun == 2


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_is_said_of_running_on_demand_where_there_is_a_lifespan(
    backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = HealthMiddleware(speaks, Health([logged("often", [])], clock=clock_of(backend)))

    async def main() -> None:
        for _ in range(2):
            server = Server(app)
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
    said = [record.getMessage().split(":")[0] for record in caplog.records]
    assert [line for line in said if line.startswith("checks run")] == ["checks run in the background"] * 2


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_number_of_probes_makes_a_check_run(backend: str) -> None:
    log: list[str] = []
    check = logged("often", log, interval=10.0)
    app = HealthMiddleware(speaks, Health([check], clock=clock_of(backend)), details=True)

    async def main() -> None:
        async with serving(app):
            await anyio.sleep(8.0)
            for number in range(2000):
                await ask(app, PATHS[number % 4], ("GET", "HEAD")[number % 2], (b"", b"verbose", b"t=1")[number % 3])

    run_virtual(backend, main)
    assert log == ["often begins", "often ends"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_probe_of_a_mounted_middleware_does_not_end_the_startup_of_the_app(backend: str) -> None:
    """Both share one Health, and only the outer one is told of the lifespan."""
    log: list[str] = []
    health = Health([logged("often", log)], clock=clock_of(backend))
    mounted = HealthMiddleware(echo_nothing, health)

    async def starts_slowly(hear: Hear, say: Say) -> None:
        await hear()
        await anyio.sleep(10.0)
        await say("startup.complete")
        await hear()

    outer = HealthMiddleware(life(starts_slowly, app=mounted), health)

    async def main() -> list[list[int]]:
        server = Server(outer)
        seen: list[list[int]] = []
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            server.say("startup")
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
        (RuntimeError("health: running() inside of another life"), logging.WARNING),
        (ConnectionError("cannot reach amqp://shop:hunter2@broker"), logging.WARNING),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Exception) else "",
)
def test_a_fault_before_the_app_heard_of_its_lifespan_is_told_of_and_what_it_does_not_know_is_not(
    error: Exception, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    async def main() -> None:
        async with serving(HealthMiddleware(app)):
            pass

    with caplog.at_level(logging.DEBUG, "asgi_health"):
        anyio.run(main)
    (record,) = [each for each in caplog.records if "takes no part in lifespan" in each.getMessage()]
    assert record.levelno == level
    assert type(error).__name__ in record.getMessage()
    assert "hunter2" not in record.getMessage()
