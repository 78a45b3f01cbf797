"""A program without a web server. Its queue is a folder: each file that is moved into it is a message.

python consumer.py /tmp/queue 127.0.0.1:9000
"""

import asyncio
import signal
import sys
from pathlib import Path

from asgi_health import Check, Drain, Health, Listener


async def handle(message: str) -> None:
    print(message, flush=True)


def first(queue: Path) -> Path | None:
    return min(queue.glob("*"), default=None)


async def consume(queue: Path, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        message = first(queue)
        if message is None:
            await asyncio.sleep(0.1)
        else:
            await handle(message.read_text())
            message.unlink()


async def main(queue: Path, listener: Listener, drain: Drain) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    health = Health([Check("queue", queue.is_dir, interval=1.0)])
    async with health.running(listener=listener, drain=drain):
        await consume(queue, stopping)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Listener(sys.argv[2]), Drain(delay=2.0)))
