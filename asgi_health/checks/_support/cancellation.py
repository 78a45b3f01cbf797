"""A question that ends when its check is cancelled, whatever its driver thinks of that.

Drivers answer a cancellation by asking the server to cancel, or by closing politely, and wait until the server agrees:
for ever, if it is frozen or the network silent. A run that waits for that would keep the next one from starting.
"""

import asyncio
from collections.abc import Coroutine
from traceback import clear_frames
from typing import Any, TypeVar

from .client import require_asyncio

T = TypeVar("T")

CLEANUP = 0.1
"""Seconds that a driver gets for cleaning up before it is cancelled once more."""


async def ends_when_cancelled(question: Coroutine[Any, Any, T]) -> T:
    """Return what `question` returns; when this is cancelled, cancel it again and again until it has ended.

    The connection that was asked must not be asked another time after that. Raises ClientError on trio.
    """
    try:
        require_asyncio()
    except BaseException:
        question.close()
        raise
    task = asyncio.ensure_future(question)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=CLEANUP)
        try:
            task.result()  # looked at, or asyncio would complain that nobody did
        except asyncio.CancelledError as cancelled:
            # Drivers leave tracebacks in circles, and half a connection among what these hold: open until the garbage
            # collector comes by. Other exceptions may come from tasks of the driver that go on.
            clear_frames(cancelled.__traceback__)
        except BaseException:
            pass
        raise
