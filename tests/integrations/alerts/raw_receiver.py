"""A receiver on a real socket that answers as it is asked to: it hangs, trickles, redirects, closes."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.waiting import wait_until


@dataclass(frozen=True)
class Received:
    """A request.

    Attributes:
        line: The request line.
        headers: Headers, names in lower case.
        body: The body.
    """

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class RawReceiver:
    """A server with a thread per connection.

    Attributes:
        port: Its port on 127.0.0.1.
        received: The requests so far.
        connections: Number of connections accepted so far.
        answer: Called in the thread of the connection with the connection, after the request has been read.
    """

    port: int
    answer: "Answer"
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    closing: threading.Event = field(default_factory=threading.Event)

    def url(self, target: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{target}"

    def wait_for(self, count: int) -> list[Received]:
        """Return the requests when there are `count` of them or more."""
        wait_until(lambda: len(self.received) >= count, lambda: f"{count} requests, not {len(self.received)}")
        return list(self.received)


Answer = Callable[[RawReceiver, socket.socket], None]


def status(code: int, *headers: str, body: bytes = b"") -> Answer:
    """Answer with a status."""

    def answer(receiver: RawReceiver, connection: socket.socket) -> None:
        lines = [f"HTTP/1.1 {code} Whatever", f"Content-Length: {len(body)}", *headers, "", ""]
        connection.sendall("\r\n".join(lines).encode() + body)

    return answer


def send(data: bytes) -> Answer:
    """Answer with these bytes and close."""
    return lambda receiver, connection: connection.sendall(data)


def hang(receiver: RawReceiver, connection: socket.socket) -> None:
    """Never answer."""
    receiver.closing.wait(60)


def trickle(data: bytes, then: bytes = b"x: y\r\n") -> Answer:
    """Send `data`, and then a little again and again, without an end."""

    def answer(receiver: RawReceiver, connection: socket.socket) -> None:
        connection.sendall(data)
        while not receiver.closing.wait(0.02):
            connection.sendall(then)

    return answer


@contextmanager
def raw_receiver(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[RawReceiver]:
    """Serve on a free port of 127.0.0.1 for the block."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:
        receiver = RawReceiver(listener.getsockname()[1], answer)
        threads: list[threading.Thread] = []

        def accept() -> None:
            while True:
                try:
                    connection = listener.accept()[0]
                except OSError:
                    return
                receiver.connections += 1
                threads.append(threading.Thread(target=_serve, args=(receiver, connection, tls)))
                threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield receiver
        finally:
            receiver.closing.set()
            listener.shutdown(socket.SHUT_RDWR)
            for thread in (accepting, *threads):
                thread.join()


def _serve(receiver: RawReceiver, connection: socket.socket, tls: ssl.SSLContext | None) -> None:
    with connection:
        connection.settimeout(30)
        try:
            if tls is not None:
                with tls.wrap_socket(connection, server_side=True) as secure:
                    _answer(receiver, secure)
            else:
                _answer(receiver, connection)
        except OSError:  # the client has closed the connection, as it may
            return


def _answer(receiver: RawReceiver, connection: socket.socket) -> None:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    line, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    receiver.received.append(Received(line, headers, body))
    receiver.answer(receiver, connection)
