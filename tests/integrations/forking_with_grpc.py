"""Answer gRPC calls, and fork a child that goes on with the same memory: `python -m ... ADDRESS`."""

import asyncio
import os
import sys
import time

from asgi_health import Health
from asgi_health.integrations.grpc import Grpc


async def main() -> None:
    async with Health().running(integrations=[Grpc(sys.argv[1])]):
        if os.fork() == 0:
            print(os.getpid(), flush=True)  # by the child, after it has closed what it inherited
            time.sleep(60.0)  # noqa: ASYNC251  in a process of its own
            os._exit(0)
        await asyncio.sleep(60.0)


asyncio.run(main())
