"""Run the lifespan of an app on asyncio, as a server does."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from .check_error import CheckError
from .message_writer import MessageWriter

CANCEL_TIMEOUT = 1.0
"""Seconds to wait for the lifespan task of the app after it was cancelled."""

MIN_SHUTDOWN_TIME = 0.5
"""Seconds for the shutdown of the app, even if its checks have used up the timeout."""


class LifespanClient:
    """Starts an app and shuts it down over the ASGI lifespan protocol.

    An app that does not support the protocol counts as started, as it does for servers.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._requests = asyncio.Queue[dict[str, Any]]()
        self._replies = asyncio.Queue[dict[str, Any] | None]()
        self._supported = False
        self._error: BaseException | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return when the app has started. Raises CheckError if its startup fails or crashes."""
        self._task = asyncio.create_task(self._run(), name="lifespan")
        await self._request("startup", "start")

    async def stop(self) -> None:
        """Return when the app has shut down. Raises CheckError if its shutdown fails or crashes."""
        await self._request("shutdown", "shut down")

    async def cancel(self) -> None:
        """Cancel the lifespan task. Abandon it if it does not end in `CANCEL_TIMEOUT`."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=CANCEL_TIMEOUT)

    async def _request(self, event: str, action: str) -> None:
        self._requests.put_nowait({"type": f"lifespan.{event}"})
        reply = await self._replies.get()
        if reply is None:
            self._replies.put_nowait(None)  # the task has ended; the next request finds this again
            if self._error is not None and self._supported:
                raise CheckError(f"the app failed to {action}", self._error) from self._error
        elif reply.get("type") != f"lifespan.{event}.complete":
            raise CheckError(f"the app failed to {action}", str(reply.get("message") or reply.get("type")))

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        try:
            await self._app(scope, self._receive, self._replies.put)
        except BaseException as error:  # SystemExit too, which would end the loop
            self._error = error
        finally:
            self._replies.put_nowait(None)

    async def _receive(self) -> dict[str, Any]:
        # An app without support for lifespan (Django, Channels) raises before it calls this. An app that has called
        # this and raises has crashed.
        self._supported = True
        return await self._requests.get()


@asynccontextmanager
async def lifespan(app: Any, messages: MessageWriter, remaining: Callable[[], float]) -> AsyncGenerator[None, None]:
    """Run the block between the startup and the shutdown of `app`, and report `done` after the shutdown.

    Args:
        app: The app.
        messages: Takes the steps.
        remaining: Returns the seconds that are left.

    Raises:
        CheckError: The startup or the shutdown fails. In a startup that fails, the block does not run.
        TimeoutError: The time is over.
    """
    client = LifespanClient(app)
    try:
        messages.begin("starting the app")
        async with asyncio.timeout(remaining()):
            await client.start()
        yield
        messages.begin("shutting down the app")
        async with asyncio.timeout(max(remaining(), MIN_SHUTDOWN_TIME)):
            await client.stop()
        messages.write(done=True)  # before asyncio.run closes the loop, which tasks of the app can prevent
    finally:
        await client.cancel()
