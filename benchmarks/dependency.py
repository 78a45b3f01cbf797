"""The dependency that every contender checks: counted, and made to misbehave, from another process."""

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
    """How the dependency behaves."""

    WELL = 0
    """It answers at once."""
    SLOW = 1
    """It answers after 50 ms."""
    HANGS = 2
    """It never answers, but a check that waits for it can be cancelled."""
    DEAF = 3
    """It never answers, and the check ignores its cancellation."""


class Board:
    """A few bytes of shared memory: how often the dependency was asked, and how it is to behave."""

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
    """One dependency, asked by as many checks as are wanted."""

    def __init__(self, board: Board | None = None) -> None:
        self._board = board
        self.runs = 0

    async def ping(self) -> bool:
        """Ask it."""
        self.runs += 1
        if self._board is None:
            return True
        self._board.count()
        match self._board.mode:
            case Mode.SLOW:
                await asyncio.sleep(0.05)
            case Mode.HANGS:
                await asyncio.sleep(3600)
            case Mode.DEAF:
                await _ignore_cancellation(3600)
        return True

    def checks(self, count: int) -> tuple[tuple[str, Callable[[], Awaitable[bool]]], ...]:
        """Return `count` checks of different names that all ask this dependency."""
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
            # What a `finally` that waits for a dead server, or a broad except, amounts to. A short pause, because
            # some runners cancel again and again.
            end = min(end, asyncio.get_running_loop().time() + 6.0)
