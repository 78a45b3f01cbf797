"""The listener: a thread with an event loop of its own."""

import asyncio
import socket
from collections.abc import Callable
from threading import Thread

from ..core.logger import logger
from ..core.status import Status
from ..formats.answer import MINIMAL, Answer
from .addresses import SocketFile, address_of, release
from .listener_connection import Connection
from .listener_places import Places
from .listening import CannotListen, Respond

EXHAUSTED = 0.1
"""Seconds until the next attempt where the system had no descriptor for a connection."""


class ListenerThread:
    """Answer requests on a socket from `start` to `stop`. A daemon thread, so that it ends with the process.

    Raises CannotListen, and lets go of the address, where the system gives no descriptor.
    """

    def __init__(self, listening: socket.socket, respond: Respond) -> None:
        self._listening = listening
        self._file = SocketFile(listening)
        self.respond = respond
        """Answers from the next request on. May be replaced from any thread."""
        try:
            self._loop: asyncio.AbstractEventLoop = asyncio.SelectorEventLoop()
        except OSError as error:  # no descriptor
            address = address_of(listening)
            self._let_go()
            raise CannotListen(f"listener: cannot answer at {address}: {error.strerror}") from None
        self._over = asyncio.Event()
        self._exhausted = False
        self._noticed: tuple[socket.socket, Callable[[], None]] | None = None
        self._thread = Thread(target=self._run, name="asgi-health listener", daemon=True)

    def start(self) -> None:
        """Begin. Raises RuntimeError, and lets go of the address, where the system gives no thread.

        Where it answers already, it has been taken over, and the log says so once more: that of the first time may have
        come before logging was configured.
        """
        address = address_of(self._listening)
        try:
            if not self._thread.is_alive():
                self._thread.start()
        except RuntimeError:
            self._let_go()
            self._loop.close()
            raise
        logger.info("the listener answers at %s", address)

    def notice(self, what: socket.socket, then: Callable[[], None]) -> None:
        """Have `then` called once, in the thread: when `what` can be read, or at the end. To be said before `start`."""
        self._noticed = (what, then)

    def stop(self) -> None:
        """End it, without waiting: the address is free at once, connections break off."""
        self._file.unlink()
        release(self._listening)
        try:
            self._loop.call_soon_threadsafe(self._over.set)
        except RuntimeError:  # it has ended already
            return

    def _let_go(self) -> None:
        self._file.unlink()
        release(self._listening)
        self._listening.close()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        except Exception:
            logger.exception("the listener has ended")

    async def _serve(self) -> None:
        self._listening.setblocking(False)
        places = Places(lambda client: self._talk(client, places))
        self._open(places)
        if self._noticed is not None:
            self._loop.add_reader(self._noticed[0], self._notice)
        try:
            await self._over.wait()
        finally:
            self._notice()
            self._loop.remove_reader(self._listening)
            self._listening.close()
            await places.close()

    def _open(self, places: Places) -> None:
        if not self._over.is_set():
            self._loop.add_reader(self._listening, self._take, places)

    def _notice(self) -> None:
        if self._noticed is not None:
            what, then = self._noticed
            self._noticed = None
            self._loop.remove_reader(what)
            then()

    def _take(self, places: Places) -> None:
        """Take one connection in each turn of the loop, so that a flood of them does not delay those that are in."""
        try:
            client, _ = self._listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):  # another worker was faster, or it has gone
            return
        except OSError as error:
            if not self._exhausted:
                logger.warning("the listener cannot take a connection, and tries on: %s", error.strerror)
            self._exhausted = True
            self._loop.remove_reader(self._listening)
            self._loop.call_later(EXHAUSTED, self._open, places)
            places.evict()
            return
        self._exhausted = False
        client.setblocking(False)
        if client.family != getattr(socket, "AF_UNIX", None):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # each answer is written at once
        places.admit(client)

    async def _talk(self, client: socket.socket, places: Places) -> None:
        try:
            await Connection(client, self._answer, places).run()
        except OSError:  # the client has gone; TimeoutError, which is one too: it is slow
            pass

    async def _answer(self, scope: dict[str, object]) -> Answer:
        try:
            return await self.respond(scope)
        except Exception:
            logger.exception("the listener could not answer")
            return MINIMAL[Status.UNHEALTHY]
