"""One Health and several apps: one at a time, or one around the other; never a readiness that fails in silence."""

import asyncio
import gc
import logging
import threading
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from threading import Event, Thread
from typing import Any

import anyio
import anyio.to_thread
import pytest

from asgi_health import Drain, Health, HealthMiddleware, Paths, testing
from asgi_health.asgi.prepared import Pages
from asgi_health.asgi.types import App, Receive, Scope, Send

from ..support.asgi_caller import ask
from ..support.known_state import Clock
from ..support.lifespan_apps import speaks
from ..support.lifespan_driver import Server, serving
from ..support.recording_checks import Counted
from ..support.virtual_time import BACKENDS, clock_of, run_virtual

REFUSED = "lives with the same Health"


def wrapped(health: Health) -> HealthMiddleware:
    return HealthMiddleware(speaks, health)


@asynccontextmanager
async def an_app(health: Health) -> AsyncIterator[HealthMiddleware]:
    app = wrapped(health)
    async with serving(app):
        yield app


@asynccontextmanager
async def a_block(health: Health) -> AsyncIterator[HealthMiddleware]:
    async with health.running():
        yield wrapped(health)


Lived = Callable[[Health], AbstractAsyncContextManager[HealthMiddleware]]


def ours() -> set[threading.Thread]:
    return {each for each in threading.enumerate() if each.name.startswith("asgi-health")}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("outer", [an_app, a_block], ids=["app", "block"])
def test_a_second_app_with_the_same_health_is_refused_and_changes_nothing(
    outer: Lived, backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    check = Counted()
    health = Health({"database": check}, clock=clock_of(backend), random=lambda: 0.5)

    async def main() -> list[int]:
        async with outer(health) as first:
            await anyio.sleep(1.0)
            before = ours()
            seen = [(await ask(first)).status]
            server = Server(wrapped(health))
            server.say("startup")
            await server.run()
            assert server.heard == ["startup.failed"]
            assert isinstance(server.error, RuntimeError)
            assert REFUSED in str(server.error)
            assert ours() <= before
            await anyio.sleep(100.0)
            seen.append((await ask(first)).status)
        return seen

    assert run_virtual(backend, main) == [200, 200]
    assert check.runs == 11
    assert [record.levelname for record in caplog.records if REFUSED in record.getMessage()] == ["ERROR"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_helper_for_tests_raises_what_refused_it(backend: str) -> None:
    health = Health(clock=clock_of(backend))

    async def main() -> None:
        async with testing.lifespan(wrapped(health)):
            with pytest.raises(RuntimeError, match=REFUSED):
                async with testing.lifespan(wrapped(health)):
                    raise AssertionError("it lives")
            assert (await ask(wrapped(health))).status == 200

    run_virtual(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_new_lifespan_of_the_same_app_takes_the_place_of_one_that_never_ended(
    backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that was cancelled leaves its lifespan behind; what that says later is the past."""
    check = Counted()
    app = HealthMiddleware(speaks, Health({"database": check}, clock=clock_of(backend)), drain=Drain(delay=1.0))
    seen: list[int] = []

    async def main() -> None:
        async with serving(app) as left:
            await anyio.sleep(1.0)
            async with serving(app):
                await anyio.sleep(1.0)
                seen.append((await ask(app)).status)
                await left.shutdown()
                await anyio.sleep(100.0)
                seen.append((await ask(app)).status)
            seen.append((await ask(app)).status)

    run_virtual(backend, main)
    assert seen == [200, 200, 503]
    assert [each.levelname for each in caplog.records if "takes its place" in each.getMessage()] == ["WARNING"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_app_on_another_loop_that_runs_is_refused_too(backend: str) -> None:
    health = Health()
    first = wrapped(health)
    up, over = Event(), Event()

    async def elsewhere() -> None:
        async with serving(first):
            up.set()
            await anyio.to_thread.run_sync(over.wait)
            assert (await ask(first)).status == 200

    async def here() -> list[str]:
        server = Server(wrapped(health))
        server.say("startup")
        await server.run()
        return server.heard

    thread = Thread(target=anyio.run, args=(elsewhere,), kwargs={"backend": backend})
    thread.start()
    try:
        assert up.wait(20.0)
        assert anyio.run(here, backend=backend) == ["startup.failed"]
    finally:
        over.set()
        thread.join(20.0)
    assert anyio.run(here_alone, wrapped(health), backend=backend) == 200


async def here_alone(app: HealthMiddleware) -> int:
    async with serving(app):
        return (await ask(app)).status


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_app_after_the_other_is_no_trouble(backend: str) -> None:
    health = Health({"database": Counted()}, clock=clock_of(backend))

    async def main() -> list[int]:
        seen = []
        for lived in (an_app, a_block, an_app):
            async with lived(health) as app:
                await anyio.sleep(1.0)
                seen.append((await ask(app)).status)
        return seen

    assert run_virtual(backend, main) == [200] * 3


def test_a_life_whose_loop_stands_still_gives_way_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """A loop of a test suite that was left behind; or one that will go on, and whose app will not be ready any more."""
    health = Health()
    left = asyncio.new_event_loop()

    async def begin() -> asyncio.Task[None]:
        server = Server(wrapped(health))
        task = asyncio.create_task(server.run())
        await server.startup()
        return task

    task = left.run_until_complete(begin())
    assert anyio.run(here_alone, wrapped(health)) == 200
    assert [record.levelname for record in caplog.records if "has not ended" in record.getMessage()] == ["WARNING"]
    task.cancel()
    left.run_until_complete(asyncio.wait([task]))
    left.close()


def copies(app: App) -> App:
    async def between(scope: Scope, receive: Receive, send: Send) -> None:
        await app(dict(scope), receive, send)

    return between


def hides_state(app: App) -> App:
    async def between(scope: Scope, receive: Receive, send: Send) -> None:
        await app({key: value for key, value in scope.items() if key != "state"}, receive, send)

    return between


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("between", [lambda app: app, copies, hides_state], ids=["nothing", "copies", "hides state"])
@pytest.mark.parametrize("state", [True, False])
def test_two_layers_around_one_app_share_a_health(
    state: bool, between: Callable[[App], App], backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    check = Counted()
    health = Health({"database": check}, clock=clock_of(backend))
    inner = HealthMiddleware(speaks, health, paths=Paths(ready="/inner"))
    app = HealthMiddleware(between(inner), health)

    async def main() -> list[int]:
        server = Server(app)
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
def test_an_inner_app_that_was_given_the_outer_ones_state_ends_alone(backend: str) -> None:
    """It passes for a second layer; its end must not be that of the outer app's readiness."""
    health = Health({"database": Counted()}, clock=clock_of(backend))
    app = wrapped(health)

    async def main() -> list[int]:
        async with serving(app) as outer:
            await anyio.sleep(1.0)
            inner = Server(wrapped(health))
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
    """As TestClient does it with and without `with`: on a loop of its own each time."""

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
            assert await statuses() == [200, 503, 200, 503]  # which the server itself would see
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
    said = {"with": "checks run in the background", "without": "checks run on demand, when a probe asks"}
    expected = [call for n, call in enumerate(calls) if n == 0 or call != calls[n - 1]]
    assert modes == [said[call] for call in expected]


def test_after_a_lifespan_a_failing_check_is_not_forgotten_on_demand() -> None:
    well = True

    async def database() -> bool:
        return well

    app = wrapped(Health({"database": database}))
    assert on_a_loop(app, lifespan=True) == [200] * 4
    well = False
    assert on_a_loop(app, lifespan=False) == [200, 503, 200, 503]


def test_an_app_that_did_not_start_stays_so_on_another_loop() -> None:
    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed"})

    app = HealthMiddleware(fails)

    async def start() -> None:
        server = Server(app)
        server.say("startup")
        await server.run()

    async def status() -> int:
        return (await ask(app)).status

    asyncio.run(start())
    assert asyncio.run(status()) == 503


# -- many apps of a test suite, one after the other, around one Health


@pytest.mark.parametrize("options", [{}, {"drain": Drain(delay=1.0)}, {"details": True}], ids=str)
def test_apps_that_are_gone_leave_nothing_at_their_health(options: dict[str, Any]) -> None:
    health = Health({"database": Counted()}, clock=Clock())
    pages = weakref.WeakSet[Pages]()
    for _ in range(200):
        pages.add(HealthMiddleware(speaks, health, **options)._pages)
    gc.collect()
    assert len(pages) == 0
    app = HealthMiddleware(speaks, health, **options)
    assert len(health._standing._watchers) <= 5
    assert asyncio.run(serve_once(app)) == 200


async def serve_once(app: HealthMiddleware) -> int:
    async with serving(app):
        return (await ask(app)).status
