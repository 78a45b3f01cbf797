"""Which event loop is running."""

import sys

from .backend import Backend


def current_backend() -> Backend:
    """Return the backend of the loop that runs at the moment; a loop whose library was never imported does not run."""
    if "trio" in sys.modules:
        import trio

        if trio.lowlevel.in_trio_task():
            from .on_trio import TrioBackend

            return TrioBackend()
    from .on_asyncio import AsyncioBackend

    return AsyncioBackend()
