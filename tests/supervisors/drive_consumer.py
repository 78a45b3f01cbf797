"""Run one of the examples on a backend. Its messages say what happens while they are handled.

python -m tests.supervisors.drive_consumer asyncio|uvloop|trio FOLDER DELAY
"""

import importlib.util
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio

from asgi_health import Drain, Listener

from .program import ADDRESS, EXAMPLES, QUEUE, RELEASE, STALL_LIVE, STALL_READY, note


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(backend: str, folder: Path, delay: float) -> None:
    example: Any = load("consumer_trio" if backend == "trio" else "consumer")
    consume = example.consume

    async def consume_and_note(queue: Path, stopping: Any) -> None:
        async def handle(message: str) -> None:
            note(folder, f"begins {message}")
            if message == "stops":
                while not stopping.is_set():  # noqa: ASYNC110  an event of asyncio or of trio
                    await anyio.sleep(0.01)
                note(folder, "sees the stop")
                await anyio.sleep(0.2)
            while message == "blocks" and not (folder / RELEASE).exists():
                time.sleep(0.01)  # noqa: ASYNC251  to block the loop is the purpose
            note(folder, f"ends {message}")

        example.handle = handle
        await consume(queue, stopping)

    example.consume = consume_and_note
    anyio.run(
        example.main,
        folder / QUEUE,
        Listener(str(folder / ADDRESS), stall_ready=STALL_READY, stall_live=STALL_LIVE),
        Drain(delay=delay),
        backend="trio" if backend == "trio" else "asyncio",
        backend_options={"use_uvloop": True} if backend == "uvloop" else {},
    )


if __name__ == "__main__":
    run(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]))
