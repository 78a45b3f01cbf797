"""Only the first probe right after a start waits for the first results.

It waits because some adapters run a lifespan around each event, and probe at once.
"""

import asyncio
import logging
import time
from collections.abc import Callable

import anyio
import pytest

from asgi_health import Check, Health, HealthMiddleware, Probe
from asgi_health.asgi.types import App, Message

from ..support.asgi_caller import ask, ask_scope, http_scope
from ..support.lifespan_apps import lifespan_app
from ..support.lifespan_driver import serving
from ..support.recording_checks import Counted
from ..support.virtual_time import BACKENDS, clock_of, run_virtual

BOTH = pytest.mark.parametrize("backend", BACKENDS)


class Down(Counted):
    async def __call__(self) -> None:
        await super().__call__()
        raise ConnectionError("down")


def made(backend: str, *checks: Check) -> HealthMiddleware:
    return HealthMiddleware(lifespan_app, Health(checks, clock=clock_of(backend), random=lambda: 0.5))


async def timed(app: HealthMiddleware, path: str = "/readyz", method: str = "GET") -> tuple[int, float]:
    """Return the status, and the seconds until it came."""
    begun = anyio.current_time()
    status = (await ask(app, path, method)).status
    return status, round(anyio.current_time() - begun, 2)


@BOTH
@pytest.mark.parametrize("path", ["/readyz", "/health"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_only_the_first_probe_of_each_lifespan_waits(method: str, path: str, backend: str) -> None:
    checks = [Counted(0.5), Counted(1.5)]
    app = made(backend, *(Check(f"check-{n}", check) for n, check in enumerate(checks)))

    async def main() -> None:
        for _ in range(2):
            answers: list[tuple[int, float]] = []

            async def probe() -> None:
                answers.append(await timed(app, path, method))  # noqa: B023  called before the next turn

            async with serving(app):
                async with anyio.create_task_group() as group:
                    for _ in range(50):
                        group.start_soon(probe)
                answers.append(await timed(app, path, method))
            assert answers == [(503, 0.0)] * 49 + [(200, 1.5), (200, 0.0)]

    run_virtual(backend, main)
    assert [check.runs for check in checks] == [2, 2]


@BOTH
@pytest.mark.parametrize(
    ("checks", "after"),
    [
        ((Check("hangs", Counted(1000.0), timeout=2.0),), 2.0),
        ((Check("down", Down(0.5)), Check("slow", Counted(1.5))), 0.5),  # the other check cannot change the answer
        ((Check("down", Down(0.5)), Check("hangs", Counted(1000.0))), 0.5),
        ((Check("hangs", Counted(1000.0), timeout=2.0, probes=(Probe.STARTUP,)), Check("well", Counted())), 2.0),
    ],
    ids=["hangs", "down", "down and hangs", "holds the start"],
)
def test_it_waits_no_longer_than_the_timeouts_and_is_not_green_because_of_that(
    checks: tuple[Check, ...], after: float, backend: str
) -> None:
    app = made(backend, *checks)

    async def main() -> list[tuple[int, float]]:
        async with serving(app):
            first = await timed(app)
            return [first, await timed(app)]

    (first, seconds), second = run_virtual(backend, main)
    assert first == 503
    assert seconds == pytest.approx(after, abs=0.11)
    assert second == (503, 0.0)


@BOTH
def test_a_probe_waits_only_for_the_checks_that_it_depends_on(backend: str) -> None:
    slow = Counted(1.0)
    app = made(
        backend,
        Check("optional", Counted(1.0), critical=False),
        Check("worker", Counted(1.0), probes=(Probe.LIVENESS,)),
        Check("started", slow, probes=(Probe.STARTUP,)),
    )

    async def main() -> list[tuple[int, float]]:
        async with serving(app):
            return [await timed(app, path) for path in ("/livez", "/livez/", "/startupz", "/readyz")]

    assert run_virtual(backend, main) == [(200, 0.0), (200, 0.0), (200, 1.0), (200, 0.0)]


@BOTH
def test_no_probe_waits_when_the_app_has_served_for_a_while(backend: str) -> None:
    app = made(backend, Check("slow", Counted(1.9)))

    async def main() -> list[tuple[int, float]]:
        async with serving(app):
            await anyio.sleep(0.6)
            seen = [await timed(app), await timed(app)]
            await anyio.sleep(1.5)
            return [*seen, await timed(app)]

    assert run_virtual(backend, main) == [(503, 0.0), (503, 0.0), (200, 0.0)]


@BOTH
def test_no_probe_waits_for_a_check_that_is_added_later(backend: str) -> None:
    app = made(backend, Check("quick", Counted()))

    async def main() -> list[tuple[int, float]]:
        async with serving(app):
            seen = [await timed(app)]
            await anyio.sleep(10.0)
            app.health.add(Check("late", Counted(1.0)))
            return [*seen, await timed(app)]

    assert run_virtual(backend, main) == [(200, 0.0), (503, 0.0)]


@BOTH
def test_a_client_that_gives_up_ends_no_run(backend: str) -> None:
    check = Counted(1.0)
    app = made(backend, Check("slow", check))

    async def main() -> list[tuple[int, float]]:
        async with serving(app):
            with anyio.move_on_after(0.2) as scope:
                await timed(app)
            assert scope.cancelled_caught
            seen = [await timed(app)]
            await anyio.sleep(1.0)
            return [*seen, await timed(app)]

    assert run_virtual(backend, main) == [(503, 0.0), (200, 0.0)]
    assert check.runs == 1


@BOTH
@pytest.mark.parametrize("act", ["drain", "shut down"])
def test_a_drain_or_a_shutdown_ends_the_wait(act: str, backend: str) -> None:
    app = made(backend, Check("hangs", Counted(1000.0), timeout=60.0))
    seen: list[tuple[int, float]] = []

    async def probe() -> None:
        seen.append(await timed(app))

    async def main() -> None:
        async with anyio.create_task_group() as group, serving(app):
            group.start_soon(probe)
            await anyio.sleep(0.3)
            if act == "drain":
                app.health.drain()
                await anyio.sleep(0.3)

    run_virtual(backend, main)
    assert len(seen) == 1
    assert seen[0][0] == 503
    assert clock_of(backend)() < 10.0


# -- an adapter that runs a whole lifespan around each event, as Mangum does by default


class Adapter:
    def __init__(self, app: App) -> None:
        self.app = app

    def __call__(self, path: str) -> int:
        loop = asyncio.new_event_loop()
        try:
            return self.event(loop, path)
        finally:
            loop.close()

    def event(self, loop: asyncio.AbstractEventLoop, path: str) -> int:
        """Run the loop while the app starts, answers and shuts down, and not in between."""
        messages: asyncio.Queue[Message] = asyncio.Queue()
        sent = {"lifespan.startup.complete": asyncio.Event(), "lifespan.shutdown.complete": asyncio.Event()}

        async def send(message: Message) -> None:
            sent[message["type"]].set()

        async def ask_for(event: str) -> None:
            messages.put_nowait({"type": f"lifespan.{event}"})
            await sent[f"lifespan.{event}.complete"].wait()

        async def status() -> int:
            return (await ask_scope(self.app, http_scope(path))).status

        async def run_lifespan() -> None:
            await self.app({"type": "lifespan", "asgi": {"version": "3.0"}}, messages.get, send)

        task = loop.create_task(run_lifespan())
        loop.run_until_complete(ask_for("startup"))
        answer = loop.run_until_complete(status())
        loop.run_until_complete(ask_for("shutdown"))
        loop.run_until_complete(task)
        return answer


class OnOneLoop(Adapter):
    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.loop = asyncio.new_event_loop()

    def __call__(self, path: str) -> int:
        return self.event(self.loop, path)


async def ping() -> None:
    await asyncio.sleep(0.02)


def plain() -> None:
    time.sleep(0.05)


@pytest.mark.parametrize("adapter", [Adapter, OnOneLoop])
@pytest.mark.parametrize("check", [ping, plain])
def test_an_adapter_that_runs_a_lifespan_around_each_event_is_ready(
    check: Callable[[], object], adapter: type[Adapter], caplog: pytest.LogCaptureFixture
) -> None:
    """The event of `/livez` ends before its checks do: a plain function that still runs then is not a failure."""
    handle_event = adapter(HealthMiddleware(lifespan_app, {"database": check}))
    with caplog.at_level(logging.INFO, "asgi_health"):
        for path in ("/livez", "/readyz", "/livez", "/readyz", "/startupz", "/health", "/readyz"):
            assert (path, handle_event(path)) == (path, 200)
    text = caplog.text
    assert text.count("a probe that comes right after the start waits for the first results") == 1
    assert "unhealthy" not in text
    if isinstance(handle_event, OnOneLoop):
        handle_event.loop.close()


def test_such_an_adapter_sees_a_failing_check_at_once() -> None:
    well = True

    async def database() -> bool:
        await ping()
        return well

    handle_event = Adapter(HealthMiddleware(lifespan_app, {"database": database}))
    seen = [handle_event("/readyz")]
    well = False
    seen.append(handle_event("/readyz"))
    well = True
    seen.append(handle_event("/readyz"))
    assert seen == [200, 503, 200]
