"""Faults without lifespan: clients that give up, loops that end, checks that ignore their cancellation."""

import asyncio
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from asgi_health import Check, Health, HealthMiddleware

from ..support.asgi_caller import ask, at_once, echo_nothing, get
from ..support.known_state import Clock
from ..support.recording_checks import Counted, Uncancellable
from ..support.virtual_time import BACKENDS, clock_of, run_virtual, stall
from .test_on_demand import RUNNERS, status


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_check_that_ignores_its_cancellation_does_not_block_the_end_of_the_loop(
    backend: str, uncancellable: Uncancellable
) -> None:
    health = Health([Check("database", uncancellable)], clock=clock_of(backend))
    app = HealthMiddleware(echo_nothing, health)

    async def main() -> list[float]:
        return [await status(app), anyio.current_time()]

    assert run_virtual(backend, main) == pytest.approx([503, 2.0])
    assert uncancellable.runs == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_nor_does_it_when_its_client_gave_up_before_the_deadline(backend: str, uncancellable: Uncancellable) -> None:
    app = HealthMiddleware(echo_nothing, Health([Check("database", uncancellable)], clock=clock_of(backend)))

    async def main() -> None:
        with anyio.move_on_after(1.0):
            await status(app)

    run_virtual(backend, main)
    assert uncancellable.runs == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_running_check_cleans_up_when_its_loop_ends(backend: str) -> None:
    log: list[str] = []

    async def with_connection() -> None:
        log.append("opened")
        try:
            await anyio.sleep_forever()
        finally:
            log.append("closed")

    app = HealthMiddleware(echo_nothing, Health([Check("database", with_connection)], clock=clock_of(backend)))

    async def main() -> None:
        with anyio.move_on_after(1.0):
            await status(app)

    run_virtual(backend, main)
    assert log == ["opened", "closed"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_loop_that_ends_during_a_run_is_one_failure(backend: str) -> None:
    check = Counted(1.0)
    health = Health([Check("database", check)], clock=clock_of(backend))
    app = HealthMiddleware(echo_nothing, health)

    async def cut_off() -> None:
        with anyio.move_on_after(0.5):
            await status(app)

    async def statuses() -> list[int]:
        seen = [await status(app)]
        await anyio.sleep(3.0)
        return [*seen, await status(app)]

    run_virtual(backend, cut_off)
    assert run_virtual(backend, statuses, start=clock_of(backend)()) == [503, 200]


@pytest.fixture
def closed_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that the test closes while its tasks are pending."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda loop, context: None)  # expected: "Task was destroyed but it is pending!"
    yield loop
    assert loop.is_closed()


async def ten_steps() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def close_during_run(loop: asyncio.AbstractEventLoop, app: HealthMiddleware, check: Counted, *, more: int = 0) -> None:
    """Close the loop while a probe waits for its run, after `more` other probes were answered."""

    async def begin() -> Any:
        task = asyncio.create_task(status(app))
        await ten_steps()
        for _ in range(more):
            at_once(ask(app))
        return task

    runs = check.runs
    abandoned = loop.run_until_complete(begin())
    loop.close()
    assert check.runs == runs + 1
    assert not abandoned.done()


@pytest.mark.parametrize("runner", RUNNERS.values(), ids=RUNNERS)
@pytest.mark.parametrize("more", [0, 1, 5])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_after_a_loop_was_closed_during_the_first_run_the_check_runs_again(
    runner: Any, more: int, method: str, closed_loop: asyncio.AbstractEventLoop
) -> None:
    clock, check = Clock(), Counted(1000.0)
    app = HealthMiddleware(echo_nothing, Health([Check("database", check)], clock=clock))
    close_during_run(closed_loop, app, check, more=more)
    check.seconds = 0.0
    seen = []
    for _ in range(4):
        clock.now += 4.0
        seen.append(runner(app, method))
    assert seen[-1] == 200
    assert check.runs == 2


@pytest.mark.parametrize("more", [0, 1])
def test_after_a_loop_was_closed_during_a_later_run_the_deadline_still_counts(
    more: int, closed_loop: asyncio.AbstractEventLoop
) -> None:
    clock, check = Clock(), Counted(0.0)
    health = Health([Check("database", check, failure_threshold=1)], clock=clock)
    app = HealthMiddleware(echo_nothing, health)
    assert asyncio.run(status(app)) == 200
    clock.now += 12.0
    check.seconds = 1000.0
    close_during_run(closed_loop, app, check, more=more)
    clock.now += 4.0
    assert asyncio.run(status(app)) == 503


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("others", [0, 1], ids=["no other probe", "another probe"])
def test_the_deadline_of_a_run_counts_although_its_client_gave_up(backend: str, method: str, others: int) -> None:
    check = Counted(0.0)
    health = Health([Check("database", check, timeout=2.0, failure_threshold=1)], clock=clock_of(backend))
    app = HealthMiddleware(echo_nothing, health)

    async def main() -> list[int]:
        seen = [await status(app, method)]
        stall(backend, 12.0)
        check.seconds = 1000.0  # from now on it hangs
        with anyio.move_on_after(1.0):  # the client waits for a second, as a kubelet does
            await status(app, method)
        seen += [await status(app, method) for _ in range(others)]
        await anyio.sleep(1.5)
        seen.append(await status(app, method))
        return seen

    assert run_virtual(backend, main) == [200, *[200] * others, 503]


def test_a_probe_never_waits_for_the_run_of_another_loop() -> None:
    clock, check = Clock(), Counted(1000.0)
    app = HealthMiddleware(echo_nothing, Health([Check("database", check)], clock=clock))

    async def main() -> list[int]:
        task = asyncio.create_task(status(app))
        await ten_steps()
        seen = await asyncio.to_thread(lambda: [RUNNERS[backend](app, "GET") for backend in BACKENDS])
        task.cancel()
        return seen

    assert asyncio.run(main()) == [503, 503]
    assert check.runs == 1


def test_a_drain_shows_without_lifespan_too() -> None:
    app = HealthMiddleware(echo_nothing)
    assert get(app).status == 200
    app.health.drain()
    assert [get(app, path).status for path in ("/readyz", "/health", "/livez", "/startupz")] == [503, 503, 200, 200]


def test_a_drain_before_the_first_probe_does_not_change_startup_and_liveness() -> None:
    app = HealthMiddleware(echo_nothing)
    app.health.drain()
    assert [get(app, path).status for path in ("/readyz", "/health", "/livez", "/startupz")] == [503, 503, 200, 200]
