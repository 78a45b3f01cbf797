"""Sends a stream as the response of an ASGI app."""

from functools import partial
from math import inf

from ...listener.interface import Stream, StreamedAnswer
from ...runtime.backends.detection import current_backend
from ...runtime.backends.interface import Flag
from ..types import Receive, Send


async def deliver(answer: StreamedAnswer, receive: Receive, send: Send) -> None:
    """Send `answer`, and return when the stream has ended, the client has gone or has stopped reading.

    Tasks of their own wait for the client: where it does not read, `send` never returns, and a scope with a deadline
    around it works on no task of granian's own (`--task-impl rust`).
    """
    # The messages are new each time, because middlewares outside of this one change them in place.
    await send({"type": "http.response.start", "status": answer.head.status, "headers": list(answer.head.headers)})
    if answer.open is None:
        await send({"type": "http.response.body", "body": b""})
        return
    backend = current_backend()
    ended = backend.flag()
    stream = answer.open(ended.set)
    delivery = _Delivery(stream, receive, send, ended)
    tasks = [
        backend.spawn("asgi-health event stream", delivery.send_all, ended.set),
        backend.spawn("asgi-health event stream's client", delivery.wait_for_disconnect, _nothing),
    ]
    try:
        await ended.wait(inf)
    finally:
        stream.close()
        for task in tasks:
            task.cancel()
    if delivery.error is not None:
        raise delivery.error


class _Delivery:
    """The two tasks of a delivery: one sends, one waits for the client to disconnect."""

    def __init__(self, stream: Stream, receive: Receive, send: Send, ended: Flag) -> None:
        self._stream = stream
        self._receive = receive
        self._send = send
        self._ended = ended
        self._disconnected = False
        self.error: Exception | None = None
        """What a middleware outside of this one has raised."""

    async def send_all(self) -> None:
        """Send every piece, and the end of the response."""
        body = partial(dict[str, object], type="http.response.body")
        try:
            while (piece := await self._stream.next()) is not None:
                await self._send(body(body=piece, more_body=True))
            if not self._disconnected:
                await self._send(body(body=b""))
        except OSError:  # the client has gone (ASGI 2.4)
            pass
        except Exception as error:
            if not self._disconnected:
                self.error = error

    async def wait_for_disconnect(self) -> None:
        """End the stream at once when the client disconnects."""
        try:
            while (await self._receive())["type"] != "http.disconnect":
                pass  # the body of the request
        except Exception as error:
            self.error = error
        self._disconnected = True
        self._stream.leave()
        self._ended.set()


def _nothing() -> None:
    pass
