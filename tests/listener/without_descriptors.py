"""Start with 0, 1, 2, ... descriptors left until it works: `python -m ... ADDRESS` prints a line for each attempt."""

import asyncio
import gc
import os
import resource
import sys
import threading
from itertools import count

from asgi_health import Drain, Health, Listener
from asgi_health.listener.interface import CannotListen


def fill() -> list[int]:
    """Open descriptors until the system gives no more."""
    taken: list[int] = []
    try:
        while True:
            taken.append(os.dup(0))
    except OSError:
        return taken


async def start(health: Health, address: str) -> str:
    try:
        async with health.running(listener=Listener(address), drain=Drain(delay=1.0)):
            return "it runs"
    except CannotListen as error:
        return str(error)


def file_of(address: str) -> str:
    return "a file" if os.path.exists(address) else "no file"


def join() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("asgi-health"):
            thread.join(10.0)


async def main(address: str) -> None:
    health = Health()
    await start(health, address)  # so that the modules that it needs are imported
    join()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    taken = fill()
    outcome = ""
    for left in count():
        kept = taken[left:]
        for each in taken[:left]:
            os.close(each)
        outcome = await start(health, address)
        for each in kept:
            os.close(each)
        join()
        gc.collect()
        taken = fill()
        print(f"{left} left: {outcome}; {len(taken)} free again; {file_of(address)}")
        if outcome == "it runs":
            return


asyncio.run(main(sys.argv[1]))
