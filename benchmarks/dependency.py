"""The dependency of every contender. Another process reads how often it was called, and sets how it behaves."""

import asyncio
import mmap
import struct
from collections.abc import Awaitable, Callable
from enum import IntEnum
from pathlib import Path

_COUNT = struct.Struct("<Q")
_MODE = struct.Struct("<B")
_SIZE = 16


class Mode(IntEnum):
    """The behaviour of the dependency."""

    HEALTHY = 0
    """It answers immediately."""
    SLOW = 1
    """It answers after 50 ms."""
    HANGS = 2
    """It never answers, but a check that waits for it can be cancelled."""
    IGNORES_CANCELLATION = 3
    """It never answers, and the check ignores its cancellation."""


class SharedState:
    """A few bytes of shared memory: the number of calls of the dependency, and its mode."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_SIZE))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _SIZE)
        self.path = path

    @property
    def runs(self) -> int:
        count: int = _COUNT.unpack_from(self._memory, 0)[0]
        return count

    def count(self) -> None:
        _COUNT.pack_into(self._memory, 0, self.runs + 1)

    @property
    def mode(self) -> Mode:
        return Mode(_MODE.unpack_from(self._memory, 8)[0])

    @mode.setter
    def mode(self, mode: Mode) -> None:
        _MODE.pack_into(self._memory, 8, mode)


class Dependency:
    """One dependency, which any number of checks call."""

    def __init__(self, state: SharedState | None = None) -> None:
        self._state = state
        self.runs = 0

    async def ping(self) -> bool:
        """Call it once."""
        self.runs += 1
        if self._state is None:
            return True
        self._state.count()
        match self._state.mode:
            case Mode.SLOW:
                await asyncio.sleep(0.05)
            case Mode.HANGS:
                await asyncio.sleep(3600)
            case Mode.IGNORES_CANCELLATION:
                await _ignore_cancellation(3600)
        return True

    def checks(self, count: int) -> tuple[tuple[str, Callable[[], Awaitable[bool]]], ...]:
        """Return `count` checks of different names that all call this dependency."""
        return tuple((f"check-{number}", _named(self.ping, number)) for number in range(count))


def _named(ping: Callable[[], Awaitable[bool]], number: int) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return await ping()

    check.__name__ = f"check_{number}"  # fastapi-health makes parameters of these names
    return check


async def _ignore_cancellation(seconds: float) -> None:
    end = asyncio.get_running_loop().time() + seconds
    while (left := end - asyncio.get_running_loop().time()) > 0:
        try:
            await asyncio.sleep(left)
        except asyncio.CancelledError:
            # As a `finally` that waits for a dead server, or a broad except. At most 6 s, because some runners
            # cancel again and again.
            end = min(end, asyncio.get_running_loop().time() + 6.0)
