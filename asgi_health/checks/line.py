"""A question on a line that is cut at the deadline.

Drivers answer a cancellation by asking the server to cancel, and wait until it agrees: for ever, if it is frozen or the
network silent. A run that waits for that would keep the next one from starting.
"""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def cut_at_deadline(question: Coroutine[Any, Any, T], cut: Callable[[], None]) -> T:
    """Return what `question` returns. When this is cancelled, `cut` its line instead, which makes it fail at once."""
    task = asyncio.ensure_future(question)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.done():
            cut()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # looked at, or asyncio would complain that nobody did
        raise


def shut_down(descriptor: int) -> None:
    """Shut down the socket behind `descriptor`, which stays open: its owner reads the end of the stream."""
    line = socket.socket(fileno=descriptor)
    try:
        line.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the other side was faster
    finally:
        line.detach()
