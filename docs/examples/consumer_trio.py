"""consumer.py on trio.

python consumer_trio.py /tmp/queue 127.0.0.1:9000
"""

import signal
import sys
from pathlib import Path

import trio

from asgi_health import Check, Drain, Health, Listener


async def handle(message: str) -> None:
    print(message, flush=True)


def first(queue: Path) -> Path | None:
    return min(queue.glob("*"), default=None)


async def consume(queue: Path, stopping: trio.Event) -> None:
    while not stopping.is_set():
        message = first(queue)
        if message is None:
            await trio.sleep(0.1)
        else:
            await handle(message.read_text())
            message.unlink()


async def stop_at_sigterm(stopping: trio.Event, task_status: trio.TaskStatus[None]) -> None:
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            stopping.set()


async def main(queue: Path, listener: Listener, drain: Drain) -> None:
    stopping = trio.Event()
    health = Health([Check("queue", queue.is_dir, interval=1.0)])
    async with trio.open_nursery() as nursery:
        await nursery.start(stop_at_sigterm, stopping)
        async with health.running(listener=listener, drain=drain):
            await consume(queue, stopping)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), Listener(sys.argv[2]), Drain(delay=2.0))
