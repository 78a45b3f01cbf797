"""The pulse of a loop, on each loop."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from math import inf

import anyio
import anyio.lowlevel
import pytest
import trio

from asgi_health.runtime import heartbeat
from asgi_health.runtime.watchdog.loop_heartbeat import PERIOD, Heartbeat

from ..support.lifespan_driver import alive

Main = Callable[[], Awaitable[None]]
Run = Callable[[Main], None]


def on_trio(main: Main) -> None:
    trio.run(main)


def on_asyncio(main: Main) -> None:
    anyio.run(main)


def on_uvloop(main: Main) -> None:
    anyio.run(main, backend_options={"use_uvloop": True})


@pytest.fixture(params=[on_asyncio, on_uvloop, on_trio])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a test in a loop of its own."""
    function: Run = request.param
    return function


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(10.0):
        while not condition():  # noqa: ASYNC110  nobody tells when it holds
            await anyio.sleep(0.005)


def test_it_beats_until_it_is_stopped(run: Run) -> None:
    async def main() -> None:
        before = alive()
        pulse = Heartbeat()
        assert pulse.late(time.monotonic()) == inf
        pulse.start()
        pulse.start()  # no second one
        assert pulse.alive
        assert pulse.thread == threading.get_ident()
        first = pulse.at
        await until(lambda: pulse.at > first)
        second = pulse.at
        await until(lambda: pulse.at > second)
        pulse.stop()
        pulse.stop()
        last = pulse.at
        await until(lambda: alive() <= before and not pulse.alive)
        assert pulse.at == last
        assert pulse.late(last + PERIOD + 7.0) == pytest.approx(7.0)

    run(main)


def test_after_its_end_there_is_no_other_beat_in_whatever_moment_that_came(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "SOON", 0.0)  # so that a wait is over all the time

    async def main() -> None:
        for turns in [*range(8)] * 3:  # so often because the order of turns is a matter of luck on trio
            pulse = Heartbeat()
            pulse.start()
            first = pulse.at
            await until(lambda: pulse.at > first)  # noqa: B023  called at once
            for _ in range(turns):
                await anyio.lowlevel.checkpoint()
            task = pulse._task
            pulse.stop()
            last = pulse.at
            await until(lambda: task is not None and not task.alive())  # noqa: B023  called at once
            assert pulse.at == last

    run(main)


def test_a_loop_in_time_is_not_late() -> None:
    pulse = Heartbeat()
    pulse.at = 100.0
    assert pulse.late(100.0) == pulse.late(100.0 + PERIOD) == 0.0
    assert pulse.late(99.0) == 0.0
    assert pulse.late(101.0) == 1.0 - PERIOD


def test_a_block_is_a_stall_of_its_length(run: Run) -> None:
    async def main() -> None:
        pulse = Heartbeat(0.1)
        pulse.start()
        await until(lambda: pulse.at > 0)
        began = pulse.at
        time.sleep(PERIOD + 0.3)  # noqa: ASYNC251
        assert pulse.late(time.monotonic()) >= 0.29
        await until(lambda: any(before >= began and seconds >= 0.29 for before, seconds in pulse.stalls))
        pulse.stop()

    run(main)


def test_a_loop_that_is_slow_by_less_has_no_stall(run: Run) -> None:
    async def main() -> None:
        pulse = Heartbeat(60.0)
        pulse.start()
        time.sleep(PERIOD + 0.1)  # noqa: ASYNC251
        first = pulse.at
        await until(lambda: pulse.at > first)
        assert not pulse.stalls
        pulse.stop()

    run(main)


def test_it_is_woken_from_any_thread(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "SOON", 3600.0)
    monkeypatch.setattr(heartbeat, "PERIOD", 3600.0)

    async def main() -> None:
        beats: list[float] = []
        pulse = Heartbeat(each=lambda: beats.append(pulse.at))
        pulse.start()
        for wanted in range(1, 11):
            threading.Thread(target=pulse.wake).start()
            await until(lambda: len(beats) >= wanted)  # noqa: B023  called at once
        pulse.stop()
        pulse.wake()

    run(main)


def test_a_loop_that_has_ended_takes_it_along(run: Run) -> None:
    pulse = Heartbeat()

    async def main() -> None:
        pulse.start()
        await anyio.sleep(0.01)

    run(main)
    assert not pulse.alive
    pulse.wake()
    pulse.stop()


def test_it_beats_again_in_another_loop(run: Run) -> None:
    pulse = Heartbeat()

    async def main() -> None:
        pulse.start()
        first = pulse.at
        await until(lambda: pulse.at > first)

    run(main)
    run(main)


def test_an_app_that_cancels_every_task_does_not_reach_it(run: Run) -> None:
    async def main() -> None:
        pulse = Heartbeat()
        pulse.start()
        if not trio.lowlevel.in_trio_run():
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
        first = pulse.at
        await until(lambda: pulse.at > first)
        assert pulse.alive
        pulse.stop()

    run(main)


def test_a_cancellation_ends_it_and_it_says_so() -> None:
    """What does not beat must not look alive."""

    async def main() -> None:
        pulse = Heartbeat()
        pulse.start()
        assert pulse._task is not None
        pulse._task.cancel()
        await until(lambda: not pulse.alive)

    asyncio.run(main())


def test_stalls_that_nobody_reads_are_bounded() -> None:
    pulse = Heartbeat()
    for number in range(10_000):
        pulse.stalls.append((float(number), 1.0))
    assert len(pulse.stalls) <= 1000
