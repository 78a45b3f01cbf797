"""Event loops whose time jumps to the next timer instead of passing: hours of sleep in milliseconds.

For async code only. While a loop waits for a thread it has nothing else to do, so its time jumps to the next timer at
once: tests with threads need a real loop.
"""

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio
import trio.testing

T = TypeVar("T")

BACKENDS = ("asyncio", "trio")

DEADLOCK = 10.0
"""Real seconds that a virtual loop without a timer waits for an event before it reports a deadlock."""


class _Time:
    """The time of the running loop, or of the last one."""

    now = 0.0
    mock = trio.testing.MockClock()


def run_virtual(backend: str, main: Callable[[], Awaitable[T]], *, start: float = 0.0) -> T:
    """Run `main` to its end in a new loop of `backend` ("asyncio", "trio") whose time begins at `start`.

    To continue the time of an earlier loop: ``start=clock_of(backend)()``.
    """

    async def run() -> T:
        return await main()

    if backend == "trio":
        mock = _Time.mock = trio.testing.MockClock(autojump_threshold=0)
        mock.jump(start)
        return trio.run(run, clock=mock)
    _Time.now = start
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(run())


def clock_of(backend: str) -> Callable[[], float]:
    """Return the clock of the virtual loops of `backend`, for ``Health(clock=...)``. It can be read at any moment.

    Outside of `run_virtual` it keeps the time at which the last loop ended.
    """
    return _trio_now if backend == "trio" else _asyncio_now


def stall(backend: str, seconds: float) -> None:
    """Advance the time by `seconds` while no task runs, as when a computation blocks the loop."""
    if backend == "trio":
        _Time.mock.jump(seconds)
    else:
        _Time.now += seconds


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop of asyncio on virtual time."""

    def __init__(self) -> None:
        super().__init__(_JumpingSelector())

    def time(self) -> float:
        return _Time.now


class _JumpingSelector(selectors.DefaultSelector):
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None:
            events = super().select(0)
            if not events and timeout > 0:
                _Time.now += timeout
            return events
        events = super().select(DEADLOCK)
        if not events:
            raise RuntimeError("deadlock: the virtual loop has no timer, and no event has woken it")
        return events


def _asyncio_now() -> float:
    return _Time.now


def _trio_now() -> float:
    return _Time.mock.current_time()
