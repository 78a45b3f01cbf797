"""The lifespan protocol between a server and an app, with the checks in between.

Tested on thirteen configurations of servers: no task group may surround the app's call, because it turns the app's
exceptions into groups, ends with an app that returns early, and hides a cancellation that comes from elsewhere.
"""

from typing import Protocol

from ..core.logger import logger
from ..formats.redact import redact
from ..listener.interface import CannotListen
from ..runtime.lifespan import InUse
from .types import App, Message, Receive, Scope, Send

DECLINED = (ValueError, AssertionError, NotImplementedError, TypeError, LookupError)
"""Exceptions of an app that does not support lifespan. Any other is an error, which no server would report: the app
continues to serve, as all servers do by default, and the log says so."""


class LifespanHooks(Protocol):
    """Called in the course of a lifespan; `Services` implements it."""

    def start(self, scope: Scope) -> object:
        """The app is about to start. Returns the identity of the lifespan. Raises CannotListen and InUse."""
        ...

    def serving(self, lifespan: object) -> None:
        """The app's own startup is complete."""

    async def stop_checks(self, lifespan: object) -> object:
        """The server is about to stop, and the app does not know yet."""

    def close(self, lifespan: object) -> None:
        """The lifespan is over, for whatever reason. Must not wait: hypercorn cancels a task that does."""


class Lifespan:
    """Pass one lifespan on to `app`, and answer the server for an app that does not support it or stops early."""

    def __init__(self, app: App, receive: Receive, send: Send, hooks: LifespanHooks) -> None:
        self._app = app
        self._server_receive = receive
        self._server_send = send
        self._hooks = hooks
        self._identity: object = None
        self._received = False
        self._started = False
        self._stopping = False
        self._over = False

    async def run(self, scope: Scope) -> None:
        """Return when it is over. The app's exceptions are passed on unchanged, unless they mean "not supported"."""
        try:
            self._identity = self._hooks.start(scope)
        except (CannotListen, InUse) as error:
            # As a message of the protocol: servers treat an exception in the lifespan as "not supported" and start.
            logger.error("%s", error)
            await self._server_receive()
            await self._server_send({"type": "lifespan.startup.failed", "message": str(error)})
            if isinstance(error, InUse):  # an error of the program: raised as well, as Starlette does, for test clients
                raise
            return
        try:
            try:
                await self._app(scope, self._receive, self._send)
            except Exception as error:
                # Django and Channels raise before they call receive(): this tells "not supported" from "crashed".
                if self._received:
                    raise
                text = redact(f"{type(error).__name__}: {error}")
                if isinstance(error, DECLINED):
                    logger.debug("the app does not support lifespan: %s", text)
                else:
                    logger.warning("the app's lifespan failed before its startup; it serves without one: %s", text)
            if not self._over:
                await self._answer_for_the_app()
        finally:
            self._hooks.close(self._identity)

    async def _answer_for_the_app(self) -> None:
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
            await self._hooks.stop_checks(self._identity)
            self._stopping = True
        return message

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind in ("lifespan.startup.failed", "lifespan.shutdown.complete", "lifespan.shutdown.failed"):
            self._over = True
        await self._server_send(message)
        if kind == "lifespan.startup.complete":
            self._started = True
            self._hooks.serving(self._identity)
