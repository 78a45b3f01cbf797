"""The lifespan protocol between a server and an app, with the checks in between.

Seen by running it on thirteen configurations of servers: nothing may stand around the app's call, for a task group
there turns its exceptions into groups, ends with an app that returns early, and makes a foreign cancellation vanish.
"""

from typing import Protocol

from ..core.logger import logger
from ..formats.redact import redact
from ..runtime.lifecycle import InUse
from ..runtime.listening import CannotListen
from .types import App, Message, Receive, Scope, Send

DECLINED = (ValueError, AssertionError, NotImplementedError, TypeError, LookupError)
"""What says that a lifespan is not known there. Anything else is a fault, which no server would see: we serve on, as
all of them do by default, and the log tells of it."""


class Life(Protocol):
    """What happens along the life of an app."""

    def begin(self, scope: Scope) -> object:
        """The app is about to start. Returns what tells this life from any other. Raises CannotListen and InUse."""
        ...

    def started(self, life: object) -> None:
        """The app's own startup is complete."""

    async def stopping(self, life: object) -> object:
        """The server wants to stop, and the app does not know yet."""

    def ended(self, life: object) -> None:
        """It is over, in whatever way. Must not wait: hypercorn cancels whoever does."""


class Lifespan:
    """Hand one lifespan through to `app`, and speak for an app that does not speak lifespan or stops speaking it."""

    def __init__(self, app: App, receive: Receive, send: Send, life: Life) -> None:
        self._app = app
        self._server_receive = receive
        self._server_send = send
        self._life = life
        self._token: object = None
        self._received = False
        self._started = False
        self._stopping = False
        self._over = False

    async def run(self, scope: Scope) -> None:
        """Return when it is over. An exception of the app comes out as it was, unless it meant "I do not take part"."""
        try:
            self._token = self._life.begin(scope)
        except (CannotListen, InUse) as error:
            # Said in the protocol: what a lifespan raises, servers take for "not supported" and serve on.
            logger.error("%s", error)
            await self._server_receive()
            await self._server_send({"type": "lifespan.startup.failed", "message": str(error)})
            if isinstance(error, InUse):  # a fault of the program: as Starlette does it, for who calls it in a test
                raise
            return
        try:
            try:
                await self._app(scope, self._receive, self._send)
            except Exception as error:
                # Django and Channels raise before they call receive(): that tells "declined" from "startup crashed".
                if self._received:
                    raise
                log = logger.debug if isinstance(error, DECLINED) else logger.warning
                log("the app takes no part in lifespan: %s", redact(f"{type(error).__name__}: {error}"))
            if not self._over:
                await self._speak_for_the_app()
        finally:
            self._life.ended(self._token)

    async def _speak_for_the_app(self) -> None:
        if not self._received:
            await self._receive()
        if not self._started:
            await self._send({"type": "lifespan.startup.complete"})
        while not self._stopping:
            await self._receive()
        await self._send({"type": "lifespan.shutdown.complete"})

    async def _receive(self) -> Message:
        self._received = True
        message = await self._server_receive()
        if message["type"] == "lifespan.shutdown":
            await self._life.stopping(self._token)
            self._stopping = True
        return message

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind in ("lifespan.startup.failed", "lifespan.shutdown.complete", "lifespan.shutdown.failed"):
            self._over = True
        await self._server_send(message)
        if kind == "lifespan.startup.complete":
            self._started = True
            self._life.started(self._token)
