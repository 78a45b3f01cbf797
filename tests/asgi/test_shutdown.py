"""The checks end before the app shuts down, whatever checks and probes do."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
import trio

from asgi_health import Check, Health, HealthMiddleware

from ..support import lifespan_apps as scripts
from ..support.asgi_caller import ask
from ..support.lifespan_apps import lifespan_app, make_app
from ..support.lifespan_driver import LifespanDriver, serving
from ..support.recording_checks import Uncancellable, logged
from ..support.virtual_time import BACKENDS, clock_of, run_virtual


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_app_receives_the_shutdown_after_the_checks_have_cleaned_up(backend: str) -> None:
    log: list[str] = []
    check = logged("slow", log, seconds=100.0, clean_up=0.3, timeout=300.0, interval=100.0)
    app = HealthMiddleware(make_app(scripts.supports_lifespan, log), Health([check], clock=clock_of(backend)))

    async def main() -> None:
        async with serving(app, log):
            await anyio.sleep(1.0)
            log.clear()

    run_virtual(backend, main)
    assert log[:3] == ["server sends shutdown", "slow ends", "app receives shutdown"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_no_probe_starts_a_check_once_the_shutdown_has_begun(backend: str, method: str) -> None:
    log: list[str] = []
    checks = [
        logged("slow", log, seconds=100.0, clean_up=0.4, timeout=300.0, interval=100.0),
        logged("often", log, interval=0.2, timeout=0.1),
    ]
    app = HealthMiddleware(make_app(scripts.supports_lifespan, log), Health(checks, clock=clock_of(backend)))
    seen: list[int] = []

    async def probe() -> None:
        while True:
            seen.append((await ask(app, "/readyz", method)).status)
            await anyio.sleep(0.05)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            async with serving(app, log):
                await anyio.sleep(1.0)
                group.start_soon(probe)
                await anyio.sleep(0.1)
                log.clear()
            await anyio.sleep(1.0)
            group.cancel_scope.cancel()

    run_virtual(backend, main)
    assert log[0] == "server sends shutdown"
    assert [line for line in log if "begins" in line] == []
    assert seen[-1] == 503


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_check_starts_at_the_moment_of_the_shutdown(backend: str) -> None:
    """It is due at exactly that moment. Which task runs first varies, so there are many lifespans."""
    clock = clock_of(backend)
    log: list[str] = []

    async def main() -> None:
        for _ in range(20):
            check = logged("often", log, seconds=0.1, interval=0.9, timeout=0.5)
            app = HealthMiddleware(
                make_app(scripts.supports_lifespan, log), Health([check], clock=clock, random=lambda: 0.5)
            )
            async with serving(app, log):
                await anyio.sleep(3.0)

    run_virtual(backend, main)
    lifespans = "\n".join(log).split("lifespan ends")[:-1]
    assert len(lifespans) == 20
    for lifespan in lifespans:
        before, _, after = lifespan.partition("app receives shutdown")
        assert before.count("often begins") == before.count("often ends") in (3, 4)
        assert "often" not in after


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_check_that_ignores_its_cancellation_delays_the_shutdown_by_at_most_a_second(
    backend: str, uncancellable: Uncancellable
) -> None:
    clock = clock_of(backend)
    app = HealthMiddleware(
        lifespan_app, Health([Check("uncancellable", uncancellable, timeout=300.0, interval=100.0)], clock=clock)
    )

    async def main() -> float:
        async with serving(app):
            await anyio.sleep(1.0)
            begin = clock()
        return clock() - begin

    assert run_virtual(backend, main) <= 1.0
    assert uncancellable.runs == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_check_that_ignores_its_cancellation_does_not_keep_a_cancelled_lifespan(
    backend: str, uncancellable: Uncancellable
) -> None:
    app = HealthMiddleware(
        lifespan_app,
        Health([Check("uncancellable", uncancellable, timeout=300.0, interval=100.0)], clock=clock_of(backend)),
    )

    async def main() -> None:
        async with anyio.create_task_group() as group:
            server = LifespanDriver(app)
            group.start_soon(server.run)
            await server.startup()
            await anyio.sleep(1.0)
            group.cancel_scope.cancel()

    run_virtual(backend, main)
    assert uncancellable.runs == 1


def test_a_check_that_ignores_its_cancellation_does_not_block_asyncio_run(
    uncancellable: Uncancellable,
) -> None:
    """After a second Ctrl-C uvicorn ends no lifespan: asyncio.run cancels all tasks at once and waits for each."""
    app = HealthMiddleware(
        lifespan_app,
        Health([Check("uncancellable", uncancellable, timeout=300.0, interval=100.0)], clock=clock_of("asyncio")),
    )

    async def main() -> object:
        server = LifespanDriver(app)
        task = asyncio.create_task(server.run())
        await server.startup()
        await anyio.sleep(1.0)
        return task

    run_virtual("asyncio", main)
    assert uncancellable.runs == 1


RUN: dict[str, Callable[[Callable[[], Coroutine[Any, Any, None]]], None]] = {
    "asyncio": lambda main: anyio.run(main, backend="asyncio"),
    "trio": trio.run,
}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_coroutine_that_a_thread_returns_after_the_shutdown_is_not_awaited(backend: str) -> None:
    log: list[str] = []
    begun, release = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    async def ping() -> None:
        log.append("uses the pool")

    def run() -> Coroutine[Any, Any, None]:
        threads.append(threading.current_thread())
        begun.set()
        release.wait(60.0)
        return ping()

    app = HealthMiddleware(make_app(scripts.supports_lifespan, log), {"plain": run})

    async def main() -> None:
        async with serving(app, log):
            await anyio.to_thread.run_sync(begun.wait)
        release.set()
        await anyio.to_thread.run_sync(threads[0].join)
        for _ in range(10):
            await anyio.lowlevel.checkpoint()

    RUN[backend](main)
    assert log[-1] == "lifespan ends"
    assert "uses the pool" not in log
