"""Event loops whose time jumps to the next timer instead of passing: hours of sleep in milliseconds.

For async code alone. A loop that waits for a thread has nothing else to do, so its time jumps to the next timer at
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
"""Real seconds without any timer to jump to after which a virtual loop calls it a deadlock."""


class _Time:
    """The time of the loop that runs, or of the last that ran."""

    now = 0.0
    mock = trio.testing.MockClock()


def run_virtual(backend: str, main: Callable[[], Awaitable[T]], *, start: float = 0.0) -> T:
    """Run `main` to its end in a new loop of `backend` ("asyncio", "trio") whose time begins at `start`.

    For a second loop whose time continues that of the first: ``start=clock_of(backend)()``.
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

    Outside of `run_virtual` it stands where the last loop left it.
    """
    return _trio_now if backend == "trio" else _asyncio_now


def stall(backend: str, seconds: float) -> None:
    """Let the time pass while nothing else happens: a loop that is blocked by somebody's computation."""
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
            raise RuntimeError("deadlock: the virtual loop has no timer, and nothing has woken it")
        return events


def _asyncio_now() -> float:
    return _Time.now


def _trio_now() -> float:
    return _Time.mock.current_time()
