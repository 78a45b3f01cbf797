"""Requests that end when the run that made them is cancelled, whatever their driver does.

Drivers react to a cancellation by asking the server to cancel, or by closing politely, and wait until the server
agrees. They wait without end while the server is frozen or the network is silent. The next run could not start
meanwhile.
"""

import asyncio
from collections.abc import Coroutine
from traceback import clear_frames
from typing import Any, TypeVar

from .client import require_asyncio

T = TypeVar("T")

CANCEL_INTERVAL = 0.1
"""Seconds that a driver has for its cleanup before it is cancelled again."""


async def ends_when_cancelled(request: Coroutine[Any, Any, T]) -> T:
    """Return what `request` returns. When this is cancelled, cancel `request` again and again until it has ended.

    Do not use the connection of the request after a cancellation. Raises ClientError on trio.
    """
    try:
        require_asyncio()
    except BaseException:
        request.close()
        raise
    task = asyncio.ensure_future(request)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=CANCEL_INTERVAL)
        try:
            task.result()  # retrieved, or asyncio logs that it never was
        except asyncio.CancelledError as cancelled:
            # Drivers leave tracebacks in reference cycles, which keep half a connection open until the garbage
            # collector runs. Other exceptions may belong to tasks of the driver that are still running.
            clear_frames(cancelled.__traceback__)
        except BaseException:
            pass
        raise
