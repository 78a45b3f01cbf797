"""The receiver of a service's messages, in the place of systemd."""

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock, Semaphore, Thread
from typing import Any

from .waiting import wait_until, wait_until_async

CREDENTIALS = struct.Struct("3i")
MARK = b"X_MARK=1"


@dataclass(frozen=True)
class Message:
    """One datagram.

    Attributes:
        at: When it was received (seconds of `time.monotonic`).
        pid: The process that has sent it.
        fields: Its lines.
    """

    at: float
    pid: int
    fields: tuple[str, ...]


class Receiver:
    """Receive messages in a thread, as systemd does: with the number of the process that sent them.

    Attributes:
        address: The value of NOTIFY_SOCKET.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._messages: list[Message] = []
        self._lock = Lock()
        self._marks = Semaphore(0)
        self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._sender.connect(self._socket.getsockname())
        self._closing = False
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def messages(self) -> tuple[Message, ...]:
        """What has been sent so far: a mark, sent now, is received after all of it."""
        with self._lock:
            if not self._closing:
                self._sender.send(MARK)
                assert self._marks.acquire(timeout=10.0)
            return tuple(self._messages)

    def values(self, name: str, pid: int | None = None) -> list[str]:
        """Return the values of all fields of that name, in order; of one process if `pid` is given."""
        return [
            field.partition("=")[2]
            for message in self.messages
            for field in message.fields
            if field.startswith(f"{name}=") and pid in (None, message.pid)
        ]

    def times(self, field: str, pid: int | None = None) -> list[float]:
        """Return when messages with `field` were received."""
        return [each.at for each in self.messages if field in each.fields and pid in (None, each.pid)]

    def pids(self, field: str) -> set[int]:
        """Return the processes that have sent `field`."""
        return {each.pid for each in self.messages if field in each.fields}

    def status(self) -> str:
        """Return the last status line, empty before the first."""
        return (self.values("STATUS") or [""])[-1]

    def wait_for(self, field: str, count: int = 1, timeout: float = 30.0) -> None:
        """Return when `count` messages with `field` have been received. Blocks the thread."""
        wait_until(lambda: len(self.times(field)) >= count, lambda: f"{field} in\n{self}", timeout)

    def wait_until_status(self, status: str) -> None:
        """Return when `status` is the last status line."""
        wait_until(lambda: self.status() == status, lambda: f"STATUS={status}, in {self}")

    async def wait_for_async(self, field: str, count: int = 1) -> None:
        """Return when `count` messages with `field` have been received."""
        await wait_until_async(lambda: len(self.times(field)) >= count, lambda: f"{field} in\n{self}")

    async def wait_for_status(self, status: str) -> None:
        """Return when the last status line is `status`."""
        await wait_until_async(lambda: self.status() == status, lambda: f"STATUS={status} in\n{self}")

    def close(self) -> None:
        self._closing = True
        self._socket.shutdown(socket.SHUT_RD)
        self._thread.join(10.0)
        self._socket.close()
        self._sender.close()

    def __str__(self) -> str:
        return "\n".join(f"{each.at:.2f} {each.pid} {' '.join(each.fields)}" for each in self.messages)

    def _run(self) -> None:
        while True:
            data, ancillary, _, _ = self._socket.recvmsg(4096, socket.CMSG_SPACE(CREDENTIALS.size))
            if self._closing:
                return
            if data == MARK:
                self._marks.release()
                continue
            self._messages.append(Message(time.monotonic(), _sender(ancillary), tuple(data.decode().split("\n"))))


def _sender(ancillary: list[tuple[int, int, Any]]) -> int:
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
            return int(CREDENTIALS.unpack(data)[0])
    raise AssertionError("a message without credentials")


@contextmanager
def receiving(address: str) -> Iterator[Receiver]:
    """Receive messages at `address` until the end of the block."""
    receiver = Receiver(address)
    try:
        yield receiver
    finally:
        receiver.close()
