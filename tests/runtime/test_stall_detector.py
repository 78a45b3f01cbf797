"""What is logged about a blocked loop: given moments, a heartbeat that a test moves, and real stacks."""

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from traceback import walk_stack
from types import CodeType

import pytest
import trio
import uvloop

from asgi_health.runtime.watchdog.loop_heartbeat import PERIOD, LoopHeartbeat
from asgi_health.runtime.watchdog.stall_detector import (
    LOGGED_WHILE_BLOCKED_AFTER,
    MAX_FRAMES,
    PAUSE_BETWEEN_RECORDS,
    StallDetector,
    stack_of,
)

from ..support.waiting import wait_until, wait_until_async

SLOW = 1.0


class StubHeartbeat(LoopHeartbeat):
    """Beats when a test says so, in the thread of the test."""

    loop_runs = True

    def __init__(self) -> None:
        super().__init__(SLOW)
        self.last_beat = 0.0
        self.thread_id = threading.get_ident()

    @property
    def alive(self) -> bool:
        return self.loop_runs

    def beat(self, now: float) -> None:
        before, self.last_beat = self.last_beat, now
        if now - before - PERIOD > SLOW:
            self.past_stalls.append((before, now - before - PERIOD))


class Work:
    """A function that blocks a thread until the test releases it."""

    def __init__(self) -> None:
        self.begun, self.released = threading.Event(), threading.Event()

    def slow_query(self) -> None:
        self.begun.set()
        self.released.wait(10.0)

    def slow_template(self) -> None:
        self.begun.set()
        self.released.wait(10.0)

    def recurse(self, depth: int) -> None:
        if depth:
            self.recurse(depth - 1) if depth % 2 else self.recurse_further(depth - 1)
        else:
            self.slow_query()

    def recurse_further(self, depth: int) -> None:
        self.recurse(depth)


class Loop:
    """A loop that a test blocks, and its detector."""

    def __init__(self) -> None:
        self.heartbeat = StubHeartbeat()
        self.durations: list[float] = []
        self.detector = StallDetector(self.heartbeat, SLOW, self.durations.append)
        self.detector.start(0.0)

    def stall(self, began: float, seconds: float) -> None:
        """A stall during which and after which the detector is polled."""
        self.heartbeat.last_beat = began
        self.detector.poll(began + PERIOD + seconds)
        self.heartbeat.beat(began + PERIOD + seconds)
        self.detector.poll(self.heartbeat.last_beat)

    @contextmanager
    def running(self, function: Callable[[Work], None]) -> Iterator[None]:
        """The loop's thread runs `function` until the end of the block."""
        work = Work()
        thread = threading.Thread(target=function, args=(work,))
        thread.start()
        assert work.begun.wait(10.0)
        self.heartbeat.thread_id = thread.ident or 0
        yield
        work.released.set()
        thread.join(10.0)


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def records() -> Iterator[list[str]]:
    """The log records, collected while the test runs."""
    records: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record.getMessage())

    logger = logging.getLogger("asgi_health")
    handler = Collect()
    logger.addHandler(handler)
    yield records
    logger.removeHandler(handler)


def test_a_stall_is_one_record_with_its_length_and_its_culprit(loop: Loop, records: list[str]) -> None:
    with loop.running(Work.slow_query):
        for moment in (1.26, 1.5, 2.0, 3.0):
            loop.detector.poll(moment)
    assert records == []
    loop.heartbeat.beat(3.45)
    for moment in (3.5, 3.75, 4.0):
        loop.detector.poll(moment)
    (record,) = records
    line = Work.slow_query.__code__.co_firstlineno + 2
    first, *stack = record.split("\n")
    assert first == f"the event loop was blocked for 3.2 s by slow_query ({__file__}:{line})"
    assert f'  File "{__file__}", line {line}, in slow_query' in stack
    assert "    self.released.wait(10.0)" in stack
    assert loop.durations == [pytest.approx(3.2)]


def test_a_loop_that_beats_in_time_is_not_logged(loop: Loop, records: list[str]) -> None:
    for beat in range(1, 100):
        loop.detector.poll(beat * PERIOD)
        loop.heartbeat.beat(beat * PERIOD)
    assert records == []
    assert loop.durations == []


def test_a_stall_must_be_longer_than_slow(loop: Loop, records: list[str]) -> None:
    loop.stall(0.0, SLOW)
    assert (records, loop.durations) == ([], [])
    loop.stall(10.0, SLOW + 0.01)
    assert len(records) == 1
    assert loop.durations == [pytest.approx(SLOW + 0.01)]


def test_a_stall_before_start_does_not_count(loop: Loop, records: list[str]) -> None:
    loop.detector.start(inf)
    loop.stall(0.0, 20.0)
    assert (records, loop.durations) == ([], [])
    loop.heartbeat.last_beat = 21.0
    loop.detector.start(30.0)
    loop.stall(21.0, 9.0)  # ends soon after the start
    assert (records, loop.durations) == ([], [])


def test_a_stall_that_goes_on_after_start_counts_from_there(loop: Loop, records: list[str]) -> None:
    loop.detector.start(30.0)
    loop.stall(21.0, 14.0)
    assert records[0].startswith("the event loop was blocked for 5.0 s")
    assert loop.durations == [pytest.approx(5.0)]


def test_before_start_it_polls_no_more_often_than_the_loop_beats(loop: Loop) -> None:
    loop.detector.start(inf)
    assert loop.detector.poll(100.0) - 100.0 >= PERIOD


@pytest.mark.parametrize("now", [0.1, 0.25, 1.0, 1.25])
def test_the_next_poll_is_due_when_the_loop_would_be_late(loop: Loop, now: float) -> None:
    assert loop.detector.poll(now) == pytest.approx(PERIOD + SLOW, abs=0.01)


def test_during_a_stall_it_polls_as_often_as_the_loop_beats(loop: Loop) -> None:
    assert loop.detector.poll(2.0) == pytest.approx(2.0 + PERIOD)


def test_a_loop_that_has_ended_is_not_blocked(loop: Loop, records: list[str]) -> None:
    loop.heartbeat.loop_runs = False
    assert loop.detector.poll(1000.0) > 1000.0
    assert records == []


def test_a_stall_without_end_is_logged_once_while_it_goes_on(loop: Loop, records: list[str]) -> None:
    after = LOGGED_WHILE_BLOCKED_AFTER
    with loop.running(Work.slow_query):
        loop.detector.poll(2.0)
        loop.detector.poll(after)
        assert records == []
        loop.detector.poll(after + PERIOD)
    assert records[0].startswith(f"the event loop has been blocked for {after:.1f} s and still is by slow_query (")
    for moment in (20.0, 100.0, 1000.0):
        loop.detector.poll(moment)
    loop.heartbeat.beat(1000.0)
    loop.detector.poll(1000.0)
    assert len(records) == 1
    assert loop.durations == [pytest.approx(1000.0 - PERIOD)]


def test_a_loop_that_is_blocked_again_and_again_does_not_flood_the_log(loop: Loop, records: list[str]) -> None:
    for number in range(5):
        loop.stall(number * 2.0, 1.5)
    assert len(records) == 1
    loop.stall(PAUSE_BETWEEN_RECORDS + 20.0, 1.5)
    assert len(records) == 2
    assert records[1].split("\n")[0].endswith(" (4 more since the last record)")
    loop.stall(2 * PAUSE_BETWEEN_RECORDS + 40.0, 1.5)
    assert "more since" not in records[2]
    assert len(loop.durations) == 7


def test_each_stall_is_logged_with_its_own_stack(loop: Loop, records: list[str]) -> None:
    with loop.running(Work.slow_query):
        loop.stall(0.0, 2.0)
    with loop.running(Work.slow_template):
        loop.stall(50.0, 2.0)
    assert "slow_query" in records[0]
    assert "slow_template" not in records[0]
    assert "slow_template" in records[1]
    assert "slow_query" not in records[1]


def test_a_stall_that_was_not_seen_is_logged_without_a_culprit(loop: Loop, records: list[str]) -> None:
    """A call into C that keeps the interpreter's lock stops the monitor thread too."""
    loop.heartbeat.beat(5.25)
    loop.detector.poll(5.3)
    assert records == ["the event loop was blocked for 5.0 s; the code that blocked it was not seen"]


def test_a_loop_that_waits_for_events_is_not_blocked_by_python(loop: Loop, records: list[str]) -> None:
    """The process was stopped, or the system gave it no time: no line of code is the reason."""
    selector_loop = asyncio.SelectorEventLoop()
    thread = threading.Thread(target=selector_loop.run_forever)
    thread.start()
    try:
        thread_id = loop.heartbeat.thread_id = thread.ident or 0
        wait_until(lambda: codes_of(thread_id)[-1].co_filename.endswith("selectors.py"), "the loop waits for events")
        loop.heartbeat.base_frames = codes_of(thread_id)[:-1]
        loop.stall(0.0, 3.0)
    finally:
        selector_loop.call_soon_threadsafe(selector_loop.stop)
        thread.join(10.0)
        selector_loop.close()
    assert records == [
        "the event loop was blocked for 3.0 s, and not by Python: by C code that it called, or the whole process was"
        " paused"
    ]


def codes_of(thread_id: int) -> tuple[CodeType, ...]:
    return tuple(frame.f_code for frame, _ in walk_stack(sys._current_frames()[thread_id]))[::-1]


def test_a_stall_of_a_thread_that_has_ended_is_logged_without_a_stack(loop: Loop, records: list[str]) -> None:
    loop.heartbeat.thread_id = 0
    loop.stall(0.0, 3.0)
    assert records[0].startswith("the event loop was blocked for 3.0 s")


def test_of_a_long_stack_the_innermost_frames_are_logged(loop: Loop, records: list[str]) -> None:
    with loop.running(lambda work: work.recurse(200)):
        loop.stall(0.0, 2.0)
    lines = [line for line in records[0].split("\n") if line.startswith('  File "')]
    assert len(lines) == MAX_FRAMES
    assert any("in slow_query" in line for line in lines)


def functions_in_stack(loop: str) -> list[str]:
    """Return the names of the functions that the stack of a task of a real loop shows."""
    found: list[str] = []

    async def main() -> None:
        heartbeat = LoopHeartbeat()
        heartbeat.start()
        await wait_until_async(lambda: heartbeat.base_frames != (), "it has beaten")
        found.extend(frame.name for frame in stack_of(heartbeat.thread_id, heartbeat.base_frames))
        heartbeat.stop()

    if loop == "trio":
        trio.run(main)
    else:  # not anyio.run(), which adds a function of its own to the stack
        factory = uvloop.new_event_loop if loop == "uvloop" else None
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(main())
    return found


@pytest.mark.parametrize("loop", ["asyncio", "uvloop", "trio"])
def test_a_stack_begins_below_the_server_and_its_loop(loop: str) -> None:
    assert functions_in_stack(loop) == ["main", "stack_of"]
