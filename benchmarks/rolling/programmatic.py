"""Run hypercorn from code and stop it by a `shutdown_trigger`, as hypercorn's documentation shows it."""

import asyncio
import signal
import sys
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config

from .target import app


async def main(bind: str) -> None:
    config = Config()
    config.bind = [bind]
    shutdown = asyncio.Event()

    def stop(*_: Any) -> None:
        shutdown.set()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    await serve(app, config, shutdown_trigger=shutdown.wait)  # type: ignore[arg-type]


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
