"""Many watchers in a process of its own: `python -m ... ADDRESS NUMBER [SERVICE]`. It prints a line for each change.

The line has the number of calls whose last status is SERVING and NOT_SERVING, and of those that have ended, by code and
last status.
"""

import asyncio
import sys
from collections import Counter
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

PER_CONNECTION = 100


async def main(address: str, number: int, service: str) -> None:
    last: Counter[str] = Counter()
    changed = asyncio.Event()

    async def watch(stub: Any) -> None:
        before = ""
        try:
            async for each in stub.Watch(health_pb2.HealthCheckRequest(service=service)):
                now = health_pb2.HealthCheckResponse.ServingStatus.Name(each.status)
                last.update({now: 1, before: -1})
                before = now
                changed.set()
        except grpc.aio.AioRpcError as error:
            last.update({f"{error.code().name}-after-{before}": 1, before: -1})
            changed.set()

    async def show() -> None:
        while True:
            await changed.wait()
            changed.clear()
            print(*(f"{name}={count}" for name, count in sorted(last.items()) if name and count), flush=True)

    channels = [
        grpc.aio.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)])
        for _ in range(-(-number // PER_CONNECTION))
    ]
    shows = asyncio.create_task(show())
    stubs = [health_pb2_grpc.HealthStub(channels[each // PER_CONNECTION]) for each in range(number)]
    await asyncio.gather(*map(watch, stubs))
    await asyncio.sleep(0)
    shows.cancel()
    print(*(f"{name}={count}" for name, count in sorted(last.items()) if name and count), flush=True)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:] or [""]))
