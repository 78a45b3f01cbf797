"""Detects which event loop is running."""

import sys

from .interface import Backend


def current_backend() -> Backend:
    """Return the backend of the loop that runs at the moment; a library that was never imported runs no loop."""
    if "trio" in sys.modules:
        import trio

        if trio.lowlevel.in_trio_task():
            from .trio_backend import TrioBackend

            return TrioBackend()
    from .asyncio_backend import AsyncioBackend

    return AsyncioBackend()
