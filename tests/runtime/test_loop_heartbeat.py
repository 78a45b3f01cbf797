"""The heartbeat, on each event loop."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from math import inf

import anyio
import anyio.lowlevel
import pytest
import trio

from asgi_health.runtime.watchdog import loop_heartbeat
from asgi_health.runtime.watchdog.loop_heartbeat import PERIOD, LoopHeartbeat

from ..support.lifespan_driver import heartbeat_tasks, tasks_and_threads
from ..support.waiting import wait_until_async

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
    """Runs a function in a new event loop."""
    function: Run = request.param
    return function


async def next_beat(heartbeat: LoopHeartbeat) -> None:
    last = heartbeat.last_beat
    await wait_until_async(lambda: heartbeat.last_beat > last, "it beats")


def test_it_beats_until_it_is_stopped(run: Run) -> None:
    async def main() -> None:
        before = tasks_and_threads()
        heartbeat = LoopHeartbeat()
        assert heartbeat.lateness(time.monotonic()) == inf
        heartbeat.start()
        heartbeat.start()  # without effect
        assert heartbeat.alive
        assert heartbeat.thread_id == threading.get_ident()
        for _ in range(2):
            await next_beat(heartbeat)
        heartbeat.stop()
        heartbeat.stop()
        last = heartbeat.last_beat
        await wait_until_async(lambda: tasks_and_threads() <= before and not heartbeat.alive, "its task has ended")
        assert heartbeat.last_beat == last
        assert heartbeat.lateness(last + PERIOD + 7.0) == pytest.approx(7.0)

    run(main)


def test_at_whatever_moment_it_is_stopped_it_does_not_beat_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_heartbeat, "FIRST_PAUSE", 0.0)  # so that its waits end in every iteration of the loop

    async def main() -> None:
        for iterations in [*range(8)] * 3:  # repeated because trio runs the tasks of an iteration in random order
            heartbeat = LoopHeartbeat()
            heartbeat.start()
            await next_beat(heartbeat)
            for _ in range(iterations):
                await anyio.lowlevel.checkpoint()
            heartbeat.stop()
            last = heartbeat.last_beat
            for _ in range(10):  # a beat that came too late would come in the next iteration
                await anyio.lowlevel.checkpoint()
            assert heartbeat.last_beat == last

    run(main)


def test_a_loop_that_beats_in_time_is_not_late() -> None:
    heartbeat = LoopHeartbeat()
    heartbeat.last_beat = 100.0
    assert heartbeat.lateness(100.0) == heartbeat.lateness(100.0 + PERIOD) == 0.0
    assert heartbeat.lateness(99.0) == 0.0
    assert heartbeat.lateness(101.0) == 1.0 - PERIOD


def test_a_blocked_loop_is_a_stall_of_its_length(run: Run) -> None:
    async def main() -> None:
        heartbeat = LoopHeartbeat(0.1)
        heartbeat.start()
        began = heartbeat.last_beat
        time.sleep(PERIOD + 0.3)  # noqa: ASYNC251  blocks the loop
        assert heartbeat.lateness(time.monotonic()) >= 0.29
        await wait_until_async(
            lambda: any(before >= began and seconds >= 0.29 for before, seconds in heartbeat.past_stalls),
            "the stall is recorded",
        )
        heartbeat.stop()

    run(main)


def test_a_loop_that_is_late_by_less_than_slow_has_no_stall(run: Run) -> None:
    async def main() -> None:
        heartbeat = LoopHeartbeat(60.0)
        heartbeat.start()
        time.sleep(PERIOD + 0.1)  # noqa: ASYNC251  blocks the loop
        await next_beat(heartbeat)
        assert not heartbeat.past_stalls
        heartbeat.stop()

    run(main)


def test_any_thread_can_wake_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_heartbeat, "FIRST_PAUSE", 3600.0)  # so that each beat is due to a call of wake()
    monkeypatch.setattr(loop_heartbeat, "PERIOD", 3600.0)

    async def main() -> None:
        beats: list[float] = []
        heartbeat = LoopHeartbeat(on_beat=lambda: beats.append(heartbeat.last_beat))
        heartbeat.start()
        for expected in range(1, 11):
            threading.Thread(target=heartbeat.wake).start()
            await wait_until_async(lambda: len(beats) >= expected, "it beats")  # noqa: B023  called at once
        heartbeat.stop()
        heartbeat.wake()

    run(main)


def test_it_ends_with_its_loop(run: Run) -> None:
    heartbeat = LoopHeartbeat()

    async def main() -> None:
        heartbeat.start()
        await anyio.sleep(0.01)

    run(main)
    assert not heartbeat.alive
    heartbeat.wake()
    heartbeat.stop()


def test_it_beats_again_in_another_loop(run: Run) -> None:
    heartbeat = LoopHeartbeat()

    async def main() -> None:
        heartbeat.start()
        await next_beat(heartbeat)

    run(main)
    run(main)


def test_an_app_that_cancels_every_task_does_not_end_it(run: Run) -> None:
    async def main() -> None:
        heartbeat = LoopHeartbeat()
        heartbeat.start()
        if not trio.lowlevel.in_trio_run():
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
        await next_beat(heartbeat)
        assert heartbeat.alive
        heartbeat.stop()

    run(main)


def test_when_its_task_is_cancelled_it_is_not_alive() -> None:
    async def main() -> None:
        heartbeat = LoopHeartbeat()
        heartbeat.start()
        (task,) = heartbeat_tasks()
        task.cancel()
        await wait_until_async(lambda: not heartbeat.alive, "its task has ended")

    asyncio.run(main())


def test_stalls_that_are_not_read_are_bounded() -> None:
    heartbeat = LoopHeartbeat()
    for number in range(10_000):
        heartbeat.past_stalls.append((float(number), 1.0))
    assert len(heartbeat.past_stalls) <= 1000
