"""Without lifespan, and nothing goes well: probers that leave, loops that die, checks that cling to life."""

import asyncio
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from asgi_health import Check, Health, HealthMiddleware

from ..support.asgi_caller import ask, at_once, echo_nothing, get
from ..support.known_state import Clock
from ..support.recording_checks import Clings, Counted
from ..support.virtual_time import BACKENDS, clock_of, run_virtual, stall
from .test_on_demand import RUNNERS, status


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_check_that_swallows_its_cancellation_does_not_keep_the_loop_from_ending(
    backend: str, clings: Clings
) -> None:
    health = Health([Check("database", clings)], clock=clock_of(backend))
    app = HealthMiddleware(echo_nothing, health)

    async def main() -> list[float]:
        return [await status(app), health.clock()]

    assert run_virtual(backend, main) == pytest.approx([503, 2.0])
    assert clings.runs == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_not_even_when_its_prober_gave_up_before_the_deadline(backend: str, clings: Clings) -> None:
    app = HealthMiddleware(echo_nothing, Health([Check("database", clings)], clock=clock_of(backend)))

    async def main() -> None:
        with anyio.move_on_after(1.0):
            await status(app)

    run_virtual(backend, main)
    assert clings.runs == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_check_under_way_cleans_up_when_its_loop_ends(backend: str) -> None:
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
def test_a_loop_that_ends_in_the_middle_of_a_refresh_is_a_failure_and_no_more(backend: str) -> None:
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
def dying_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that whoever uses it closes with its tasks still pending, as no good citizen does."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda loop, context: None)  # "Task was destroyed but it is pending!": we know
    yield loop
    assert loop.is_closed()


async def turns_of_the_loop() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def begin_and_die(loop: asyncio.AbstractEventLoop, app: HealthMiddleware, check: Counted, *, more: int = 0) -> None:
    """Close the loop while a probe waits for its run, and after `more` others have been answered."""

    async def begin() -> Any:
        task = asyncio.create_task(status(app))
        await turns_of_the_loop()
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
def test_a_loop_that_dies_in_the_middle_of_the_first_refresh_does_not_make_it_red_for_ever(
    runner: Any, more: int, method: str, dying_loop: asyncio.AbstractEventLoop
) -> None:
    clock, check = Clock(), Counted(1000.0)
    app = HealthMiddleware(echo_nothing, Health([Check("database", check)], clock=clock))
    begin_and_die(dying_loop, app, check, more=more)
    check.seconds = 0.0
    seen = []
    for _ in range(4):
        clock.now += 4.0
        seen.append(runner(app, method))
    assert seen[-1] == 200
    assert check.runs == 2


@pytest.mark.parametrize("more", [0, 1])
def test_a_loop_that_dies_in_the_middle_of_a_later_refresh_does_not_outlive_the_deadline(
    more: int, dying_loop: asyncio.AbstractEventLoop
) -> None:
    clock, check = Clock(), Counted(0.0)
    health = Health([Check("database", check, failure_threshold=1)], clock=clock)
    app = HealthMiddleware(echo_nothing, health)
    assert asyncio.run(status(app)) == 200
    clock.now += 12.0
    check.seconds = 1000.0
    begin_and_die(dying_loop, app, check, more=more)
    clock.now += 4.0
    assert asyncio.run(status(app)) == 503


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("others", [0, 1], ids=["nobody asked meanwhile", "somebody asked meanwhile"])
def test_the_deadline_of_a_run_whose_prober_left_is_kept_by_the_next(backend: str, method: str, others: int) -> None:
    check = Counted(0.0)
    health = Health([Check("database", check, timeout=2.0, failure_threshold=1)], clock=clock_of(backend))
    app = HealthMiddleware(echo_nothing, health)

    async def main() -> list[int]:
        seen = [await status(app, method)]
        stall(backend, 12.0)
        check.seconds = 1000.0  # from now on it hangs
        with anyio.move_on_after(1.0):  # and the prober waits no longer than a second, as a kubelet does
            await status(app, method)
        seen += [await status(app, method) for _ in range(others)]
        await anyio.sleep(1.5)
        seen.append(await status(app, method))
        return seen

    assert run_virtual(backend, main) == [200, *[200] * others, 503]


def test_a_prober_never_waits_for_the_run_of_another_loop() -> None:
    clock, check = Clock(), Counted(1000.0)
    app = HealthMiddleware(echo_nothing, Health([Check("database", check)], clock=clock))

    async def main() -> list[int]:
        task = asyncio.create_task(status(app))
        await turns_of_the_loop()
        seen = await asyncio.to_thread(lambda: [RUNNERS[backend](app, "GET") for backend in BACKENDS])
        task.cancel()
        return seen

    assert asyncio.run(main()) == [503, 503]
    assert check.runs == 1


def test_a_drain_is_told_on_demand_too() -> None:
    app = HealthMiddleware(echo_nothing)
    assert get(app).status == 200
    app.health.drain()
    assert [get(app, path).status for path in ("/readyz", "/health", "/livez", "/startupz")] == [503, 503, 200, 200]


def test_a_drain_before_the_first_probe_leaves_startup_and_liveness_alone() -> None:
    app = HealthMiddleware(echo_nothing)
    app.health.drain()
    assert [get(app, path).status for path in ("/readyz", "/health", "/livez", "/startupz")] == [503, 503, 200, 200]
