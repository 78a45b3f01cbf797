"""One Health and several apps: one at a time or one around the other; a second one at the same time is an error."""

import asyncio
import gc
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from threading import Event, Thread
from typing import Any

import anyio
import anyio.to_thread
import pytest

from asgi_health import Drain, Health, HealthMiddleware, Paths, testing
from asgi_health.asgi.types import App, Receive, Scope, Send

from ..support.asgi_caller import ask
from ..support.known_state import Clock
from ..support.lifespan_apps import lifespan_app
from ..support.lifespan_driver import LifespanDriver, serving
from ..support.recording_checks import Counted
from ..support.virtual_time import BACKENDS, clock_of, run_virtual

REFUSED = "runs with the same Health"


def wrapped(health: Health) -> HealthMiddleware:
    return HealthMiddleware(lifespan_app, health)


@asynccontextmanager
async def an_app(health: Health) -> AsyncIterator[HealthMiddleware]:
    app = wrapped(health)
    async with serving(app):
        yield app


@asynccontextmanager
async def a_block(health: Health) -> AsyncIterator[HealthMiddleware]:
    async with health.running():
        yield wrapped(health)


Runs = Callable[[Health], AbstractAsyncContextManager[HealthMiddleware]]


def own_threads() -> set[threading.Thread]:
    return {each for each in threading.enumerate() if each.name.startswith("asgi-health")}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("outer", [an_app, a_block], ids=["app", "block"])
def test_a_second_app_with_the_same_health_does_not_start_and_the_first_goes_on(
    outer: Runs, backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    check = Counted()
    health = Health({"database": check}, clock=clock_of(backend), random=lambda: 0.5)

    async def main() -> list[int]:
        async with outer(health) as first:
            await anyio.sleep(1.0)
            before = own_threads()
            seen = [(await ask(first)).status]
            server = LifespanDriver(wrapped(health))
            server.send("startup")
            await server.run()
            assert server.received == ["startup.failed"]
            assert isinstance(server.error, RuntimeError)
            assert REFUSED in str(server.error)
            assert own_threads() <= before
            await anyio.sleep(100.0)
            seen.append((await ask(first)).status)
        return seen

    assert run_virtual(backend, main) == [200, 200]
    assert check.runs == 11
    assert [record.levelname for record in caplog.records if REFUSED in record.getMessage()] == ["ERROR"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_lifespan_of_the_test_helpers_raises_the_same_error(backend: str) -> None:
    health = Health(clock=clock_of(backend))

    async def main() -> None:
        async with testing.lifespan(wrapped(health)):
            with pytest.raises(RuntimeError, match=REFUSED):
                async with testing.lifespan(wrapped(health)):
                    raise AssertionError("it has started")
            assert (await ask(wrapped(health))).status == 200

    run_virtual(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_new_lifespan_of_the_same_app_replaces_one_that_has_not_ended(
    backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that was cancelled may end its lifespan later, which must not change the new one."""
    check = Counted()
    app = HealthMiddleware(lifespan_app, Health({"database": check}, clock=clock_of(backend)), drain=Drain(delay=1.0))
    seen: list[int] = []

    async def main() -> None:
        async with serving(app) as former:
            await anyio.sleep(1.0)
            async with serving(app):
                await anyio.sleep(1.0)
                seen.append((await ask(app)).status)
                await former.shutdown()
                await anyio.sleep(100.0)
                seen.append((await ask(app)).status)
            seen.append((await ask(app)).status)

    run_virtual(backend, main)
    assert seen == [200, 200, 503]
    assert [each.levelname for each in caplog.records if "the new one replaces it" in each.getMessage()] == ["WARNING"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_second_app_on_another_loop_does_not_start_either(backend: str) -> None:
    health = Health()
    first = wrapped(health)
    up, done = Event(), Event()

    async def elsewhere() -> None:
        async with serving(first):
            up.set()
            await anyio.to_thread.run_sync(done.wait)
            assert (await ask(first)).status == 200

    async def here() -> list[str]:
        server = LifespanDriver(wrapped(health))
        server.send("startup")
        await server.run()
        return server.received

    thread = Thread(target=anyio.run, args=(elsewhere,), kwargs={"backend": backend})
    thread.start()
    try:
        assert up.wait(20.0)
        assert anyio.run(here, backend=backend) == ["startup.failed"]
    finally:
        done.set()
        thread.join(20.0)
    assert anyio.run(here_alone, wrapped(health), backend=backend) == 200


async def here_alone(app: HealthMiddleware) -> int:
    async with serving(app):
        return (await ask(app)).status


@pytest.mark.parametrize("backend", BACKENDS)
def test_apps_may_run_one_after_the_other(backend: str) -> None:
    health = Health({"database": Counted()}, clock=clock_of(backend))

    async def main() -> list[int]:
        seen = []
        for runs in (an_app, a_block, an_app):
            async with runs(health) as app:
                await anyio.sleep(1.0)
                seen.append((await ask(app)).status)
        return seen

    assert run_virtual(backend, main) == [200] * 3


def test_a_lifespan_whose_loop_does_not_run_is_replaced_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """A test suite may leave such a lifespan. If its loop runs again, its app is not ready any more."""
    health = Health()
    left = asyncio.new_event_loop()

    async def begin() -> asyncio.Task[None]:
        server = LifespanDriver(wrapped(health))
        task = asyncio.create_task(server.run())
        await server.startup()
        return task

    task = left.run_until_complete(begin())
    assert anyio.run(here_alone, wrapped(health)) == 200
    assert [record.levelname for record in caplog.records if "has not ended" in record.getMessage()] == ["WARNING"]
    task.cancel()
    left.run_until_complete(asyncio.wait([task]))
    left.close()


def copies_scope(app: App) -> App:
    async def between(scope: Scope, receive: Receive, send: Send) -> None:
        await app(dict(scope), receive, send)

    return between


def hides_state(app: App) -> App:
    async def between(scope: Scope, receive: Receive, send: Send) -> None:
        await app({key: value for key, value in scope.items() if key != "state"}, receive, send)

    return between


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "between", [lambda app: app, copies_scope, hides_state], ids=["nothing", "copies", "hides state"]
)
@pytest.mark.parametrize("state", [True, False])
def test_two_layers_around_one_app_run_each_check_once(
    state: bool, between: Callable[[App], App], backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    check = Counted()
    health = Health({"database": check}, clock=clock_of(backend))
    inner = HealthMiddleware(lifespan_app, health, paths=Paths(ready="/inner"))
    app = HealthMiddleware(between(inner), health)

    async def main() -> list[int]:
        server = LifespanDriver(app)
        if not state:
            del server.scope["state"]
        seen: list[int] = []
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            await server.startup()
            await anyio.sleep(1.0)
            seen += [(await ask(app, path)).status for path in ("/readyz", "/inner")]
            await server.shutdown()
        return seen

    with caplog.at_level(logging.INFO, "asgi_health"):
        assert run_virtual(backend, main) == [200, 200]
    assert check.runs == 1
    assert sum("checks run in the background" in record.getMessage() for record in caplog.records) == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_end_of_an_app_with_the_state_of_another_does_not_end_the_other(backend: str) -> None:
    """It counts as a second layer around the same app; the outer app must stay ready when it ends."""
    health = Health({"database": Counted()}, clock=clock_of(backend))
    app = wrapped(health)

    async def main() -> list[int]:
        async with serving(app) as outer:
            await anyio.sleep(1.0)
            inner = LifespanDriver(wrapped(health))
            inner.scope["state"] = outer.scope["state"]
            async with anyio.create_task_group() as group:
                group.start_soon(inner.run)
                await inner.startup()
                await inner.shutdown()
            await anyio.sleep(100.0)
            return [(await ask(app)).status]

    assert run_virtual(backend, main) == [200]


# -- an app that is called with a lifespan, and then without


def on_a_loop(app: App, *, lifespan: bool) -> list[int]:
    """Return the statuses of an app on a loop of its own, as TestClient runs it with or without `with`."""

    async def main() -> list[int]:
        async def statuses() -> list[int]:
            return [(await ask(app, path)).status for path in ("/livez", "/readyz", "/startupz", "/health")]

        if not lifespan:
            return await statuses()
        seen: list[int] = []
        async with serving(app) as server:
            await anyio.sleep(0.05)
            seen += await statuses()
            await server.shutdown()
            assert await statuses() == [200, 503, 200, 503]  # the answers that the server gets while it stops
        return seen

    return asyncio.run(main())


@pytest.mark.parametrize("order", ["with, without", "without, with, without", "with, without, with, without, without"])
def test_after_a_lifespan_an_app_that_is_called_without_one_runs_on_demand(
    order: str, caplog: pytest.LogCaptureFixture
) -> None:
    check = Counted()
    app = wrapped(Health({"database": check}))
    calls = order.split(", ")
    with caplog.at_level(logging.INFO, "asgi_health"):
        for call in calls:
            assert on_a_loop(app, lifespan=call == "with") == [200] * 4
    modes = [record.getMessage().split(":")[0] for record in caplog.records if "checks run" in record.getMessage()]
    lines = {"with": "checks run in the background", "without": "checks run on demand, when a probe asks"}
    expected = [call for n, call in enumerate(calls) if n == 0 or call != calls[n - 1]]
    assert modes == [lines[call] for call in expected]


def test_after_a_lifespan_a_failing_check_shows_on_demand() -> None:
    well = True

    async def database() -> bool:
        return well

    app = wrapped(Health({"database": database}))
    assert on_a_loop(app, lifespan=True) == [200] * 4
    well = False
    assert on_a_loop(app, lifespan=False) == [200, 503, 200, 503]


def test_an_app_that_did_not_start_is_not_ready_on_another_loop() -> None:
    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed"})

    app = HealthMiddleware(fails)

    async def start() -> None:
        server = LifespanDriver(app)
        server.send("startup")
        await server.run()

    async def status() -> int:
        return (await ask(app)).status

    asyncio.run(start())
    assert asyncio.run(status()) == 503


# -- many apps of a test suite, one after the other, around one Health


@pytest.mark.parametrize("options", [{}, {"drain": Drain(delay=1.0)}, {"details": True}], ids=str)
def test_apps_that_are_deleted_leave_no_object_at_their_health(options: dict[str, Any]) -> None:
    health = Health({"database": Counted()}, clock=Clock())

    def objects_after(apps: int) -> int:
        for _ in range(apps):
            HealthMiddleware(lifespan_app, health, **options)
        gc.collect()
        HealthMiddleware(lifespan_app, health, **options)  # removes the references to those that are gone
        gc.collect()
        return len(gc.get_objects())

    objects_after(10)
    before = objects_after(10)
    assert objects_after(200) - before < 100
    assert asyncio.run(serve_once(HealthMiddleware(lifespan_app, health, **options))) == 200


async def serve_once(app: HealthMiddleware) -> int:
    async with serving(app):
        return (await ask(app)).status
