"""One connection to the listener: HTTP/1 by h11 over a socket that does not block."""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import unquote

import h11

from ..formats.answer import REFUSALS, Answer
from .interface import Stream, StreamedAnswer

CLIENT_TIMEOUT = 10.0
"""Seconds that a client has to send a request, and to read the answer. Idle connections are kept as long."""

LINGER_TIMEOUT = 1.0
"""Seconds in which the data that a refused client still sends is discarded: closed at once, TCP would reset the
connection, and the client would lose the answer that says why (RFC 9112, 9.6)."""

MAX_REQUESTS = 100
"""Answers on one connection, then it is closed; a prober opens the next one. Apache's default, and enough for Envoy to
keep a connection for minutes."""

BUFFER_SIZE = 16_384
"""Bytes read at a time, and the maximum size of a request's head. A connection buffers at most twice as much."""

MAX_HEADER_LINES = 100
"""Lines of a request's head: 16 kB of the shortest headers take h11 forty times as long as a prober's head."""

MAX_BODY = 16_384
"""Bytes of a request's body as it is sent, with the framing of its chunks. It is read and discarded, because the next
request follows it."""

EVENTS_PER_STEP = 16
"""Chunks of a body that are processed in one step: as much work as a request."""

CLOSE = (b"connection", b"close")

_END_OF_HEAD = re.compile(rb"\n\r?\n")
_AUTHORITY = re.compile(rb"https?://[^/?#]+", re.IGNORECASE)


class Turns(Protocol):
    """How a connection shares the loop with the others."""

    async def turn(self) -> None:
        """Wait until the connection may take its next step. Each request but the first begins with this."""

    def answering(self) -> AbstractContextManager[None]:
        """The block in which a client is answered: its connection must not be evicted meanwhile."""
        ...


class Connection:
    """One connection of a client: request after request, until one side closes it."""

    def __init__(
        self,
        client: socket.socket,
        respond: Callable[[dict[str, Any]], Awaitable[Answer | StreamedAnswer]],
        turns: Turns,
    ) -> None:
        self._client = client
        self._respond = respond
        self._turns = turns
        self._loop = asyncio.get_running_loop()
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=BUFFER_SIZE)
        self._method = b""
        self._clean = True

    async def run(self) -> None:
        """Serve it until it may be closed. Raises OSError or TimeoutError when the client is gone or too slow."""
        for number in range(1, MAX_REQUESTS + 1):
            try:
                async with asyncio.timeout(CLIENT_TIMEOUT):
                    if number > 1:
                        await self._turns.turn()
                    request = await self._request()
            except h11.RemoteProtocolError as error:
                await self._refuse(error.error_status_hint)
                return
            if request is None:
                return
            with self._turns.answering():
                answer = await self._respond(self._scope(request))
                if isinstance(answer, StreamedAnswer):
                    if answer.open is not None:
                        await self._stream(answer.head, answer.open)
                        return
                    answer = answer.head
            close = number == MAX_REQUESTS or not self._clean
            # While the app drains the answer has the header itself.
            await self._send(answer, *([CLOSE] if close and CLOSE not in answer.headers else []))
            if close or self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                if self._http.trailing_data[0]:
                    await self._linger()
                return
            self._http.start_next_cycle()

    async def _request(self) -> h11.Request | None:
        """Return the next request when all of it has arrived, None when the client has closed the connection."""
        request: h11.Request | None = None
        self._method = b""
        size = events = 0
        while True:
            if request is None:
                _check_head(self._http.trailing_data[0])
            event = self._http.next_event()
            events += 1
            if events % EVENTS_PER_STEP == 0:
                await self._turns.turn()
            if event is h11.NEED_DATA:
                if self._http.they_are_waiting_for_100_continue:
                    await self._out(self._http.send(h11.InformationalResponse(status_code=100, headers=[])))
                data = await self._loop.sock_recv(self._client, BUFFER_SIZE)
                size += len(data) if request is not None else 0
                self._http.receive_data(data)
            elif isinstance(event, h11.Request):
                self._method = event.method
                if not event.http_version.startswith(b"1."):  # the preface of HTTP/2, which h11 parses as a request
                    raise h11.RemoteProtocolError("another version of HTTP", 505)
                request = event
                size = len(self._http.trailing_data[0])
                headers = dict(event.headers)
                length = headers.get(b"content-length")
                # With both headers a proxy may have seen another end of the body: close afterwards (RFC 9112, 6.1).
                self._clean = length is None or b"transfer-encoding" not in headers
                if self._clean and length is not None and int(length) > MAX_BODY:
                    raise h11.RemoteProtocolError("the body is too large", 413)
            elif isinstance(event, h11.Data):
                pass
            elif isinstance(event, h11.EndOfMessage):
                return request
            else:
                return None
            if request is not None and size - len(self._http.trailing_data[0]) > MAX_BODY:
                raise h11.RemoteProtocolError("the body is too large", 413)

    async def _refuse(self, status: int) -> None:
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            await self._send(REFUSALS.get(status, REFUSALS[400]), CLOSE)
            await self._linger()

    async def _linger(self) -> None:
        self._client.shutdown(socket.SHUT_WR)
        async with asyncio.timeout(LINGER_TIMEOUT):
            while await self._loop.sock_recv(self._client, BUFFER_SIZE):
                await self._turns.turn()

    async def _send(self, answer: Answer, *more: tuple[bytes, bytes]) -> None:
        http = self._http
        data = [http.send(self._response(answer, *more))]
        if self._method != b"HEAD":
            data.append(http.send(h11.Data(data=answer.body)))
        data.append(http.send(h11.EndOfMessage()))
        async with asyncio.timeout(CLIENT_TIMEOUT):
            await self._out(b"".join(each for each in data if each))

    @staticmethod
    def _response(answer: Answer, *more: tuple[bytes, bytes]) -> h11.Response:
        reason = HTTPStatus(answer.status).phrase.encode()
        # An origin server must send a date (RFC 9110, 6.6.1); the servers of apps add it themselves.
        headers = [*answer.headers, (b"date", formatdate(usegmt=True).encode()), *more]
        return h11.Response(status_code=answer.status, headers=headers, reason=reason)

    async def _stream(self, head: Answer, begin: Callable[[Callable[[], None]], Stream]) -> None:
        """Send an answer whose body goes on. Then the connection ends, because its client has got no answer since."""
        await self._out(self._http.send(self._response(head, CLOSE)))
        task = asyncio.current_task()
        assert task is not None

        def give_up() -> None:
            task.cancel()

        stream = begin(give_up)
        gone = self._loop.create_task(self._client_leaves())
        gone.add_done_callback(lambda _: stream.leave())
        try:
            while (piece := await stream.next()) is not None:
                async with asyncio.timeout(CLIENT_TIMEOUT):
                    await self._out(self._http.send(h11.Data(data=piece)))
            await self._out(self._http.send(h11.EndOfMessage()))
        finally:
            gone.cancel()
            stream.close()

    async def _client_leaves(self) -> None:
        """Return when the client has closed the connection, or has sent more than a body: it waits for no stream."""
        size = 0
        try:
            while size <= MAX_BODY and (data := await self._loop.sock_recv(self._client, BUFFER_SIZE)):
                size += len(data)
        except OSError:
            return

    async def _out(self, data: bytes | None) -> None:
        await self._loop.sock_sendall(self._client, data or b"")

    def _scope(self, request: h11.Request) -> dict[str, Any]:
        raw_path, _, query = _origin_form(request.target).partition(b"?")
        name = self._client.getsockname()
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
            "client": _pair(self._client.getpeername()),
            "server": _pair(name) or (name, None),
        }


def _check_head(received: bytes) -> None:
    """Raise h11.RemoteProtocolError for a head that is too long, before h11 spends time on it."""
    found = _END_OF_HEAD.search(received)
    end = found.start() if found else len(received)
    if end > BUFFER_SIZE:  # h11 checks it only in a head that is not complete yet
        raise h11.RemoteProtocolError("the head is too long", 431)
    if received.count(b"\n", 0, end) > MAX_HEADER_LINES:
        raise h11.RemoteProtocolError("the head has too many lines", 431)


def _origin_form(target: bytes) -> bytes:
    """Return path and query of a target in absolute form, which a server must accept (RFC 9112, 3.2.2)."""
    authority = _AUTHORITY.match(target)
    if authority is None:
        return target
    rest = target[authority.end() :]
    return rest if rest.startswith(b"/") else b"/" + rest


def _pair(address: tuple[Any, ...] | str) -> tuple[Any, Any] | None:
    """Return host and port of a TCP address, None for that of a unix socket."""
    if not isinstance(address, tuple):
        return None
    return address[0], address[1]
