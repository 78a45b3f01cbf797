"""The server of the listener: a thread with an event loop of its own."""

import asyncio
import socket
from collections.abc import Callable
from threading import Thread

from ..core.logger import logger
from ..core.status import Status
from ..formats.answer import MINIMAL, Answer
from .connection import Connection
from .interface import CannotListen, ConnectionCounts, Respond, StreamedAnswer
from .open_connections import OpenConnections
from .sockets import SocketFile, address_of, path_of, release

RETRY_PAUSE = 0.1
"""Seconds until the next attempt to accept a connection after the system had no descriptor for one."""


class ListenerThread:
    """Answer requests on a socket from `start` to `stop`. A daemon thread, so that it ends with the process.

    Raises CannotListen, and releases the address, where the system gives no descriptor.
    """

    def __init__(self, listening: socket.socket, respond: Respond) -> None:
        self._listening = listening
        self._file = SocketFile(path_of(listening))
        self.respond = respond
        """Answers each request. Any thread may replace it."""
        self.counts = ConnectionCounts()
        try:
            self._loop: asyncio.AbstractEventLoop = asyncio.SelectorEventLoop()
        except OSError as error:  # no descriptor
            address = address_of(listening)
            self._release()
            raise CannotListen(f"listener: cannot answer at {address}: {error.strerror}") from None
        self._stopped = asyncio.Event()
        self._exhausted = False
        self._watched: tuple[socket.socket, Callable[[], None]] | None = None
        self._thread = Thread(target=self._run, name="asgi-health listener", daemon=True)

    def start(self) -> None:
        """Begin. Raises RuntimeError, and releases the address, where the system gives no thread.

        An early listener answers already. The address is logged again, because the first record may have come before
        logging was configured.
        """
        address = address_of(self._listening)
        try:
            if not self._thread.is_alive():
                self._thread.start()
        except RuntimeError:
            self._release()
            self._loop.close()
            raise
        logger.info("the listener answers at %s", address)

    def on_readable(self, readable: socket.socket, callback: Callable[[], None]) -> None:
        """Call `callback` once, in the thread: when `readable` can be read, or at the end. Call this before `start`."""
        self._watched = (readable, callback)

    def stop(self) -> None:
        """End it, without waiting. Connections are closed; another listener of this process may bind the address."""
        self._file.unlink()
        release(self._listening)
        try:
            self._loop.call_soon_threadsafe(self._stopped.set)
        except RuntimeError:  # it has ended already
            return

    def _release(self) -> None:
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
        connections: OpenConnections = OpenConnections(
            lambda client: self._serve_client(client, connections), self.counts
        )
        self._accept_from(connections)
        if self._watched is not None:
            self._loop.add_reader(self._watched[0], self._call_back)
        try:
            await self._stopped.wait()
        finally:
            self._call_back()
            self._loop.remove_reader(self._listening)
            self._listening.close()
            await connections.close()

    def _accept_from(self, connections: OpenConnections) -> None:
        if not self._stopped.is_set():
            self._loop.add_reader(self._listening, self._accept, connections)

    def _call_back(self) -> None:
        if self._watched is not None:
            readable, callback = self._watched
            self._watched = None
            self._loop.remove_reader(readable)
            callback()

    def _accept(self, connections: OpenConnections) -> None:
        """Accept one connection per iteration of the loop, so that a flood does not delay the connections there are."""
        try:
            client, _ = self._listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another worker was faster, or the client has gone
        except OSError as error:
            if not self._exhausted:
                logger.warning("the listener cannot accept a connection, and tries again: %s", error.strerror)
            self._exhausted = True
            self._loop.remove_reader(self._listening)
            self._loop.call_later(RETRY_PAUSE, self._accept_from, connections)
            connections.evict()
            return
        self._exhausted = False
        client.setblocking(False)
        if client.family != getattr(socket, "AF_UNIX", None):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # each answer is written at once
        connections.admit(client)

    async def _serve_client(self, client: socket.socket, connections: OpenConnections) -> None:
        try:
            await Connection(client, self._answer, connections).run()
        except OSError:  # the client has gone; TimeoutError, which is one too: it is slow
            pass

    async def _answer(self, scope: dict[str, object]) -> Answer | StreamedAnswer:
        try:
            return await self.respond(scope)
        except Exception:
            logger.exception("the listener could not answer")
            return MINIMAL[Status.UNHEALTHY]
