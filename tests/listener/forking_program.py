"""Listen, and fork a child that goes on with the same memory: `python -m ... ADDRESS`."""

import asyncio
import os
import sys
import time

from asgi_health import Health, Listener


async def main() -> None:
    async with Health().running(listener=Listener(sys.argv[1])):
        child = os.fork()
        if child == 0:
            time.sleep(60.0)  # noqa: ASYNC251  in a process of its own
            os._exit(0)
        print(child, flush=True)
        await asyncio.sleep(60.0)


asyncio.run(main())
