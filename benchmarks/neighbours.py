"""The other three workers of a host: `python -m benchmarks.neighbours` prints the path of their board.

They take their turns until stdin ends, which it does when the process that started this one has ended in any way.
"""

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from asgi_health import Board, Health

OTHERS = 3
"""Number of the other workers: `uvicorn --workers 4` is what most examples show."""
_MEMORY = "/dev/shm"
_FOLDER = _MEMORY if os.path.isdir(_MEMORY) else None  # in memory, as the documentation recommends it


async def main() -> None:
    """Run the workers."""
    with TemporaryDirectory(prefix="benchmark-", dir=_FOLDER) as folder:
        path = Path(folder, "health.db")
        async with AsyncExitStack() as stack:
            for _ in range(OTHERS):
                health = Health({"database": _well})
                await stack.enter_async_context(health.running(board=Board(path)))
            print(path, flush=True)
            await asyncio.to_thread(sys.stdin.read)


async def _well() -> bool:
    return True


if __name__ == "__main__":
    asyncio.run(main())
