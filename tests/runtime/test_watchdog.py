"""Who blocked the loop: moments that are given, a heartbeat that does what it is told, and made-up frames."""

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from traceback import walk_stack
from types import CodeType

import anyio
import pytest
import trio

from asgi_health.runtime import watchdog
from asgi_health.runtime.watchdog.loop_heartbeat import PERIOD, Heartbeat
from asgi_health.runtime.watchdog.stall_detector import PATIENCE, QUIET, Watchdog, stack_of

from ..servers.process import wait_until

SLOW = 1.0


class Pulse(Heartbeat):
    """Beats when a test says so, and is in the thread of the test."""

    def __init__(self) -> None:
        super().__init__(SLOW)
        self.at = 0.0
        self.thread = threading.get_ident()
        self.breathes = True

    @property
    def alive(self) -> bool:
        return self.breathes

    def beat(self, now: float) -> None:
        """As the loop does, when it has a turn at last."""
        before, self.at = self.at, now
        if now - before - PERIOD > SLOW:
            self.stalls.append((before, now - before - PERIOD))


class Scene:
    def __init__(self) -> None:
        self.pulse = Pulse()
        self.counted: list[float] = []
        self.watchdog = Watchdog(self.pulse, SLOW, self.counted.append)
        self.watchdog.begin(0.0)

    def stall(self, began: float, seconds: float) -> None:
        """A stall that is looked at in its middle and at its end."""
        self.pulse.at = began
        self.watchdog.look(began + PERIOD + seconds)
        self.pulse.beat(began + PERIOD + seconds)
        self.watchdog.look(self.pulse.at)

    @contextmanager
    def doing(self, work: Callable[[], None]) -> Iterator[None]:
        """The loop's thread is at `work`, which ends when it is let go."""
        thread = threading.Thread(target=work)
        thread.start()
        ARRIVED.wait(10.0)
        self.pulse.thread = thread.ident or 0
        yield
        LET_GO.set()
        thread.join(10.0)
        ARRIVED.clear()
        LET_GO.clear()


ARRIVED, LET_GO = threading.Event(), threading.Event()


def slow_query() -> None:
    ARRIVED.set()
    LET_GO.wait(10.0)


def slow_template() -> None:
    ARRIVED.set()
    LET_GO.wait(10.0)


def dig(depth: int) -> None:
    if depth:
        dig(depth - 1) if depth % 2 else dig_too(depth - 1)
    else:
        slow_query()


def dig_too(depth: int) -> None:
    dig(depth)


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def told() -> Iterator[list[str]]:
    """The records, filled while the test runs."""
    records: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record.getMessage())

    logger = logging.getLogger("asgi_health")
    handler = Keep()
    logger.addHandler(handler)
    yield records
    logger.removeHandler(handler)


def test_a_stall_is_one_record_with_its_length_and_its_culprit(scene: Scene, told: list[str]) -> None:
    with scene.doing(slow_query):
        for moment in (1.26, 1.5, 2.0, 3.0):
            scene.watchdog.look(moment)
    assert told == []
    scene.pulse.beat(3.45)
    for moment in (3.5, 3.75, 4.0):
        scene.watchdog.look(moment)
    (record,) = told
    line = slow_query.__code__.co_firstlineno + 2
    first, *stack = record.split("\n")
    assert first == f"the event loop was blocked for 3.2 s by slow_query ({__file__}:{line})"
    assert f'  File "{__file__}", line {line}, in slow_query' in stack
    assert "    LET_GO.wait(10.0)" in stack
    assert scene.counted == [pytest.approx(3.2)]


def test_a_loop_that_is_in_time_is_no_news(scene: Scene, told: list[str]) -> None:
    for beat in range(1, 100):
        scene.watchdog.look(beat * PERIOD)
        scene.pulse.beat(beat * PERIOD)
    assert told == []
    assert scene.counted == []


def test_late_is_later_than_slow(scene: Scene, told: list[str]) -> None:
    scene.stall(0.0, SLOW)
    assert (told, scene.counted) == ([], [])
    scene.stall(10.0, SLOW + 0.01)
    assert len(told) == 1
    assert scene.counted == [pytest.approx(SLOW + 0.01)]


def test_an_app_that_starts_keeps_nobody_waiting(told: list[str]) -> None:
    scene = Scene()
    scene.watchdog.begin(float("inf"))
    scene.stall(0.0, 20.0)
    assert (told, scene.counted) == ([], [])
    scene.pulse.at = 21.0
    scene.watchdog.begin(30.0)
    scene.stall(21.0, 9.0)  # over soon after the startup
    assert (told, scene.counted) == ([], [])


def test_what_begins_with_the_end_of_the_startup_is_counted_from_there(told: list[str]) -> None:
    scene = Scene()
    scene.watchdog.begin(30.0)
    scene.stall(21.0, 14.0)
    assert told[0].startswith("the event loop was blocked for 5.0 s")
    assert scene.counted == [pytest.approx(5.0)]


def test_a_startup_that_blocks_is_not_looked_at_all_the_time() -> None:
    scene = Scene()
    scene.watchdog.begin(float("inf"))
    assert scene.watchdog.look(100.0) - 100.0 >= PERIOD


@pytest.mark.parametrize("now", [0.1, 0.25, 1.0, 1.25])
def test_it_looks_when_the_loop_would_be_late(scene: Scene, now: float) -> None:
    assert scene.watchdog.look(now) == pytest.approx(PERIOD + SLOW, abs=0.01)


def test_during_a_stall_it_looks_as_often_as_the_loop_beats(scene: Scene) -> None:
    assert scene.watchdog.look(2.0) == pytest.approx(2.0 + PERIOD)


def test_a_loop_that_has_ended_is_not_blocked(scene: Scene, told: list[str]) -> None:
    scene.pulse.breathes = False
    assert scene.watchdog.look(1000.0) > 1000.0
    assert told == []


def test_a_stall_without_end_is_told_while_it_goes_on_and_not_again(scene: Scene, told: list[str]) -> None:
    with scene.doing(slow_query):
        scene.watchdog.look(2.0)
        scene.watchdog.look(PATIENCE)
        assert told == []
        scene.watchdog.look(PATIENCE + PERIOD)
    assert told[0].startswith(f"the event loop has been blocked for {PATIENCE:.1f} s and still is by slow_query (")
    for moment in (20.0, 100.0, 1000.0):
        scene.watchdog.look(moment)
    scene.pulse.beat(1000.0)
    scene.watchdog.look(1000.0)
    assert len(told) == 1
    assert scene.counted == [pytest.approx(1000.0 - PERIOD)]


def test_a_loop_that_stumbles_all_the_time_does_not_drown_the_log(scene: Scene, told: list[str]) -> None:
    for number in range(5):
        scene.stall(number * 2.0, 1.5)
    assert len(told) == 1
    scene.stall(QUIET + 20.0, 1.5)
    assert len(told) == 2
    assert told[1].split("\n")[0].endswith(" (4 more since the last record)")
    scene.stall(2 * QUIET + 40.0, 1.5)
    assert "more since" not in told[2]
    assert len(scene.counted) == 7


def test_each_stall_has_the_stack_of_its_own(scene: Scene, told: list[str]) -> None:
    with scene.doing(slow_query):
        scene.stall(0.0, 2.0)
    with scene.doing(slow_template):
        scene.stall(50.0, 2.0)
    assert "slow_query" in told[0]
    assert "slow_template" not in told[0]
    assert "slow_template" in told[1]
    assert "slow_query" not in told[1]


def test_a_stall_that_nobody_saw_is_told_without_a_culprit(scene: Scene, told: list[str]) -> None:
    """A call that keeps the interpreter keeps the watch from looking too."""
    scene.pulse.beat(5.25)
    scene.watchdog.look(5.3)
    assert told == ["the event loop was blocked for 5.0 s, by what could not be seen"]


def test_a_loop_that_waits_for_something_to_do_is_not_blocked_by_python(scene: Scene, told: list[str]) -> None:
    """The process was stopped, or never had its turn: no line of anybody is to blame."""
    loop = asyncio.SelectorEventLoop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        scene.pulse.thread = thread.ident or 0
        wait_until(lambda: codes_of(scene.pulse.thread)[-1].co_filename.endswith("selectors.py"), "it waits")
        scene.pulse.below = codes_of(scene.pulse.thread)[:-1]
        scene.stall(0.0, 3.0)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10.0)
        loop.close()
    assert told == [
        "the event loop was blocked for 3.0 s, and not by Python: by C code that it called, or the whole process stood"
        " still"
    ]


def codes_of(thread: int) -> tuple[CodeType, ...]:
    return tuple(frame.f_code for frame, _ in walk_stack(sys._current_frames()[thread]))[::-1]


def test_a_thread_that_has_ended_has_no_stack(scene: Scene, told: list[str]) -> None:
    scene.pulse.thread = 0
    scene.stall(0.0, 3.0)
    assert told[0].startswith("the event loop was blocked for 3.0 s")


def test_a_stack_is_shown_from_its_inner_end(scene: Scene, told: list[str]) -> None:
    with scene.doing(lambda: dig(200)):
        scene.stall(0.0, 2.0)
    lines = [line for line in told[0].split("\n") if line.startswith('  File "')]
    assert len(lines) == watchdog.DEPTH
    assert any("in slow_query" in line for line in lines)


# -- stacks of loops


def where(loop: str) -> list[str]:
    """The names of the functions that a stall in a task of a real loop shows."""
    found: list[str] = []

    async def main() -> None:
        pulse = Heartbeat()
        pulse.start()
        while not pulse.below:  # noqa: ASYNC110  nobody tells
            await anyio.sleep(0.005)
        found.extend(frame.name for frame in stack_of(pulse.thread, pulse.below))
        pulse.stop()

    if loop == "trio":
        trio.run(main)
    elif loop == "uvloop":
        import uvloop

        asyncio.Runner(loop_factory=uvloop.new_event_loop).run(main())
    else:
        asyncio.run(main())
    return found


@pytest.mark.parametrize("loop", ["asyncio", "uvloop", "trio"])
def test_of_a_stack_the_server_and_the_loop_are_left_out(loop: str) -> None:
    assert where(loop) == ["main", "stack_of"]
