"""The life of an app around the checks, on asyncio."""

import asyncio
from typing import Any

from .trouble import Trouble

MOMENT = 1.0
"""Seconds for the app's lifespan to end after its last word."""


class Life:
    """Start an app as a server would, and shut it down.

    One that takes no part in lifespan counts as started, as it does for a server.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._requests = asyncio.Queue[dict[str, Any]]()
        self._replies = asyncio.Queue[dict[str, Any] | None]()
        self._takes_part = False
        self._error: BaseException | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return when the app has started. Raises Trouble when it says that it failed, or crashes."""
        self._task = asyncio.create_task(self._run(), name="lifespan")
        await self._ask("startup", "start")

    async def stop(self) -> None:
        """Return when the app has shut down. Raises Trouble when it says that it failed, or crashes."""
        await self._ask("shutdown", "shut down")

    async def leave(self) -> None:
        """End what is left of it, or let it go."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=MOMENT)

    async def _ask(self, what: str, doing: str) -> None:
        self._requests.put_nowait({"type": f"lifespan.{what}"})
        reply = await self._replies.get()
        if reply is None:
            self._replies.put_nowait(None)  # and so it stays
            if self._error is not None and self._takes_part:
                raise Trouble(f"the app failed to {doing}", self._error) from self._error
        elif reply.get("type") != f"lifespan.{what}.complete":
            raise Trouble(f"the app failed to {doing}", str(reply.get("message") or reply.get("type")))

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        try:
            await self._app(scope, self._receive, self._replies.put)
        except BaseException as error:  # sys.exit too, which would end the loop
            self._error = error
        finally:
            self._replies.put_nowait(None)

    async def _receive(self) -> dict[str, Any]:
        # Django and Channels raise before they call this: that tells "takes no part" from "has crashed".
        self._takes_part = True
        return await self._requests.get()
