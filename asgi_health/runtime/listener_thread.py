"""The listener: HTTP/1 by h11, in a thread with an event loop of its own."""

import asyncio
import logging
import socket
from collections.abc import Callable
from http import HTTPStatus
from threading import Thread
from typing import Any
from urllib.parse import unquote

import h11

from ..core.status import Status
from ..formats.answer import BAD_REQUEST, MINIMAL, Answer
from .addresses import SocketFile, address_of
from .listening import CannotListen, Respond

logger = logging.getLogger("asgi_health")

PATIENCE = 10.0
"""Seconds that a client has for a request, and for reading the answer. Idle connections are kept as long."""

MOST = 256
"""Connections at a time: a flood must not take the memory of the app. Whoever comes then may be the kubelet: it takes
the place of the one that has been silent longest, and is turned away where none is."""

LARGEST = 65_536
"""Bytes of a request's body, which nobody reads."""

BUFFER = 16_384
"""Bytes that are read at a time, and the longest head of a request. Twice as much is kept of each connection."""


class ListenerThread:
    """Answer requests on a socket from `start` to `stop`. A daemon thread, so that it ends with the process.

    Raises CannotListen, and lets go of the address, where the system gives no descriptor.
    """

    def __init__(self, listening: socket.socket, respond: Respond) -> None:
        self._listening = listening
        self._file = SocketFile(listening)
        self._respond = respond
        try:
            self._loop: asyncio.AbstractEventLoop = asyncio.SelectorEventLoop()
        except OSError as error:  # no descriptor
            address = address_of(listening)
            self._let_go()
            raise CannotListen(f"listener: cannot answer at {address}: {error.strerror}") from None
        self._over = asyncio.Event()
        self._begun: set[asyncio.Task[None]] = set()
        self._silent: dict[asyncio.Task[None], None] = {}
        self._thread = Thread(target=self._run, name="asgi-health listener", daemon=True)

    def start(self) -> None:
        """Begin. Raises RuntimeError, and lets go of the address, where the system gives no thread."""
        address = address_of(self._listening)
        try:
            self._thread.start()
        except RuntimeError:
            self._let_go()
            self._loop.close()
            raise
        logger.info("the listener answers at %s", address)

    def stop(self) -> None:
        """End it, without waiting: the address is free at once, connections break off."""
        self._file.unlink()
        try:
            self._loop.call_soon_threadsafe(self._over.set)
        except RuntimeError:  # it has ended already
            return

    def _let_go(self) -> None:
        self._file.unlink()
        self._listening.close()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        except Exception:
            logger.exception("the listener has ended")

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, sock=self._listening, limit=BUFFER)
        try:
            await self._over.wait()
        finally:
            # In this order: asyncio loses a connection whose server is closed while it is taken in, and one that is
            # cancelled before its task has begun is closed by nobody.
            asyncio.get_running_loop().remove_reader(self._listening)
            while others := asyncio.all_tasks() - {asyncio.current_task()}:
                for task in self._begun:
                    task.cancel()
                await asyncio.wait(others, timeout=0.01)
            server.close()
            await asyncio.sleep(0)  # in which the connections are closed

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._begun.add(task)
        try:
            if len(self._begun) > MOST and self._silent:
                oldest = next(iter(self._silent))
                self._note(oldest, silent=False)
                self._begun.discard(oldest)
                oldest.cancel()
            if len(self._begun) <= MOST:
                await _Connection(reader, writer, self._respond, lambda silent: self._note(task, silent=silent)).run()
        except (OSError, TimeoutError):  # the client has gone, or never was in a hurry
            pass
        except asyncio.CancelledError:  # it is over: asyncio complains of a connection that ends by being cancelled
            pass
        finally:
            self._begun.discard(task)
            self._silent.pop(task, None)
            # What was sent is out, or never will be: a client that does not read must not be remembered for it.
            writer.transport.abort()

    def _note(self, task: asyncio.Task[None], *, silent: bool) -> None:
        """Keep who waits for a client in the order in which they began to."""
        self._silent.pop(task, None)
        if silent:
            self._silent[task] = None


class _Connection:
    """One connection of a client: request after request, until one of the two has enough."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        respond: Respond,
        silent: Callable[[bool], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._respond = respond
        self._silent = silent
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=BUFFER)
        self._method = b""
        writer.transport.set_write_buffer_limits(high=0)  # so that drain() returns when everything is out

    async def run(self) -> None:
        while True:
            self._silent(True)
            try:
                async with asyncio.timeout(PATIENCE):
                    request = await self._request()
            except h11.RemoteProtocolError:
                if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                    await self._send(BAD_REQUEST, (b"connection", b"close"))
                return
            if request is None:
                return
            self._silent(False)
            try:
                answer = await self._respond(self._scope(request))
            except Exception:
                logger.exception("the listener could not answer")
                answer = MINIMAL[Status.UNHEALTHY]
            await self._send(answer)
            if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                return
            self._http.start_next_cycle()

    async def _request(self) -> h11.Request | None:
        """Return the next request when all of it has come, None when there is none any more."""
        request: h11.Request | None = None
        self._method = b""
        size = 0
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                if self._http.they_are_waiting_for_100_continue:
                    self._writer.write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
                self._http.receive_data(await self._reader.read(BUFFER))
            elif isinstance(event, h11.Request):
                request = event
                self._method = event.method
            elif isinstance(event, h11.Data):
                size += len(event.data)
                if size > LARGEST:
                    raise h11.RemoteProtocolError("the body is too large")
            elif isinstance(event, h11.EndOfMessage):
                return request
            else:
                return None

    async def _send(self, answer: Answer, *more: tuple[bytes, bytes]) -> None:
        http = self._http
        reason = HTTPStatus(answer.status).phrase.encode()
        data = [http.send(h11.Response(status_code=answer.status, headers=[*answer.headers, *more], reason=reason))]
        if self._method != b"HEAD":
            data.append(http.send(h11.Data(data=answer.body)))
        data.append(http.send(h11.EndOfMessage()))
        self._writer.write(b"".join(each for each in data if each))
        async with asyncio.timeout(PATIENCE):
            await self._writer.drain()

    def _scope(self, request: h11.Request) -> dict[str, Any]:
        raw_path, _, query = request.target.partition(b"?")
        peer = self._writer.get_extra_info("peername")
        name = self._writer.get_extra_info("sockname")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": request.http_version.decode("ascii"),
            "method": request.method.decode("ascii"),
            "scheme": "http",
            "path": unquote(raw_path.decode("latin-1")),
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": [(name, value) for name, value in request.headers],
            "client": _pair(peer),
            "server": _pair(name) or (name, None),
        }


def _pair(address: tuple[Any, ...] | str | None) -> tuple[Any, Any] | None:
    """Return host and port of an address of TCP, None for that of a unix socket."""
    if not isinstance(address, tuple):
        return None
    return address[0], address[1]
