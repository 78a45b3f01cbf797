"""A client that watches the events of a real server, over a socket."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ..servers.wire import Address, request
from .event_client import PATH, Event, parse
from .waiting import wait_until

Headers = Sequence[tuple[str, str]]


class StreamReader:
    """A client that watches the events of a server, and reads in a thread until the stream ends.

    Attributes:
        received: The bytes that have come.
        ended_at: When the stream has ended (monotonic seconds); None while it goes on.
    """

    def __init__(self, address: Address, headers: Headers = (), version: str = "1.1") -> None:
        self.socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self.socket.settimeout(60.0)
        self.socket.connect(address)
        self.socket.sendall(request("GET", PATH, headers, version=version))
        self.received = b""
        self.ended_at: float | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        return self.ended_at is not None

    @property
    def head(self) -> bytes:
        return self.received.partition(b"\r\n\r\n")[0]

    @property
    def body(self) -> bytes:
        """What has come of the body, whose framing must be complete when the stream has ended."""
        head, _, rest = self.received.partition(b"\r\n\r\n")
        if b"chunked" not in head.lower():
            return rest
        body = b""
        while rest:
            size, end, rest = rest.partition(b"\r\n")
            if not end:
                break
            body += rest[: int(size, 16)]
            rest = rest[int(size, 16) + 2 :]
        return body

    @property
    def events(self) -> list[Event]:
        return parse(self.body)

    @property
    def complete(self) -> bool:
        """Whether the end of the body has come, where its framing shows that."""
        return self.received.endswith(b"\r\n0\r\n\r\n")

    def wait_for(self, text: bytes) -> None:
        wait_until(lambda: text in self.received, lambda: f"{text!r} comes: {self.received!r}")

    def wait_for_event(self, condition: Callable[[Event], bool], since: int = 0) -> None:
        """Wait for an event that `condition` is true of, after the first `since`."""
        wait_until(lambda: any(map(condition, self.events[since:])), lambda: f"the event comes: {self.events[since:]}")

    def wait_for_end(self) -> None:
        wait_until(lambda: self.ended, lambda: f"the stream ends: {self.received!r}")

    def close(self) -> None:
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._thread.join(10.0)
        self.socket.close()

    def _read(self) -> None:
        try:
            while data := self.socket.recv(65536):
                self.received += data
        except OSError:
            pass
        self.ended_at = time.monotonic()


@contextmanager
def reading(address: Address, headers: Headers = (), version: str = "1.1") -> Iterator[StreamReader]:
    reader = StreamReader(address, headers, version)
    try:
        yield reader
    finally:
        reader.close()
