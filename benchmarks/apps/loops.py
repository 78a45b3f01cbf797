"""Checks without a library: one asyncio task in a loop for each, which keeps no result."""

import asyncio
from random import uniform

from ..setup import App, CheckFunction, Receive, Scope, Send, Setup
from . import limit

JITTER = 0.1
"""Share of the interval, as in asgi-health. Loops in step would wake the process once for all of them, at a tenth of
the cost. For the same reason they start one after the other.
"""


def app(setup: Setup) -> App:
    """Return an app that runs its checks and discards their results."""
    answer = limit.app(setup)

    async def run(check: CheckFunction, after: float) -> None:
        await asyncio.sleep(after)
        while True:
            await check()
            await asyncio.sleep(setup.interval * uniform(1 - JITTER, 1 + JITTER))

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await answer(scope, receive, send)
            return
        loops = [
            asyncio.create_task(run(check, setup.interval * number / len(setup.checks)))
            for number, (_, check) in enumerate(setup.checks)
        ]
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await send({"type": "lifespan.shutdown.complete"})

    return served
