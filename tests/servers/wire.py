"""A minimal HTTP/1 client that shows the bytes as they are: a client library would repair or hide some."""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

Address = tuple[str, int] | str
TIMEOUT = 10.0


@dataclass(frozen=True)
class Answer:
    version: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def one(self, name: str) -> str:
        (value,) = self.all(name)
        return value


def request(
    method: str, target: str, headers: Sequence[tuple[str, str]] = (), body: bytes = b"", version: str = "1.1"
) -> bytes:
    """Return a request with Host, and with a content-length where there is a body."""
    lines = [f"{method} {target} HTTP/{version}", "host: localhost"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class Parser:
    """Parse answers from bytes, and keep the bytes after one for the next."""

    buffer: bytes = b""
    closed: bool = False

    def next(self, method: str) -> Answer | None:
        """Return the next answer to a request of that method, None until all of it has come."""
        head, end, rest = self.buffer.partition(b"\r\n\r\n")
        if not end:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        version, status, *_ = first.split(" ")
        pairs = (line.partition(":") for line in lines)
        headers = tuple((name.strip().lower(), value.strip()) for name, _, value in pairs)
        cut = self._body(method, int(status), dict(headers), rest)
        if cut is None:
            return None
        body, self.buffer = cut
        return Answer(version, int(status), headers, body)

    def _body(self, method: str, status: int, headers: dict[str, str], rest: bytes) -> tuple[bytes, bytes] | None:
        if method == "HEAD" or status in {204, 304}:
            return b"", rest
        if headers.get("transfer-encoding") == "chunked":
            return _dechunk(rest)
        if "content-length" in headers:
            length = int(headers["content-length"])
            return (rest[:length], rest[length:]) if len(rest) >= length else None
        return (rest, b"") if self.closed else None


def _dechunk(rest: bytes) -> tuple[bytes, bytes] | None:
    body = b""
    while True:
        size, end, rest = rest.partition(b"\r\n")
        length = int(size, 16) if end else 0
        if not end or len(rest) < length + 2:
            return None
        body, rest = body + rest[:length], rest[length + 2 :]
        if not length:
            return body, rest


@dataclass
class Connection:
    """One connection to a server, with `TIMEOUT` for each answer."""

    address: Address
    timeout: float = TIMEOUT
    parser: Parser = field(default_factory=Parser)

    def __enter__(self) -> Self:
        self.socket = socket.socket(socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET)
        self.socket.settimeout(self.timeout)
        try:
            self.socket.connect(self.address)
        except OSError:
            self.socket.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.socket.close()

    def ask(
        self, method: str, target: str, headers: Sequence[tuple[str, str]] = (), body: bytes = b"", version: str = "1.1"
    ) -> Answer:
        return self.exchange(request(method, target, headers, body, version), method)

    def exchange(self, raw: bytes, method: str) -> Answer:
        """Send these bytes, or none, and read one answer, after which the server may have closed the connection."""
        if raw:
            self.send(raw)
        while (answer := self.parser.next(method)) is None:
            self._read()
        return answer

    def send(self, raw: bytes) -> None:
        self.socket.sendall(raw)

    def rest(self) -> bytes:
        """Return what the server still sends until it closes the connection."""
        while not self.parser.closed:
            self._read()
        return self.parser.buffer

    def _read(self) -> None:
        if self.parser.closed:
            raise ConnectionError(f"closed in the middle of an answer: {self.parser.buffer!r}")
        data = self.socket.recv(65536)
        self.parser.buffer += data
        self.parser.closed = not data


def ask(
    address: Address, method: str, target: str, headers: Sequence[tuple[str, str]] = (), body: bytes = b""
) -> Answer:
    """Send one request on a connection of its own, as a kubelet does."""
    with Connection(address) as connection:
        return connection.ask(method, target, [*headers, ("connection", "close")], body)


async def _flood(address: Address, target: str, connections: int) -> list[Answer]:
    all_are_open = asyncio.Barrier(connections)

    async def one() -> Answer:
        if isinstance(address, str):
            reader, writer = await asyncio.open_unix_connection(address)
        else:
            reader, writer = await asyncio.open_connection(*address)
        try:
            await all_are_open.wait()
            writer.write(request("GET", target, [("connection", "close")]))
            answer = Parser(await reader.read(), closed=True).next("GET")
        finally:
            writer.close()
        assert answer is not None, "closed without an answer"
        return answer

    async with asyncio.timeout(3 * TIMEOUT), asyncio.TaskGroup() as group:
        tasks = [group.create_task(one()) for _ in range(connections)]
    return [task.result() for task in tasks]


def flood(address: Address, target: str, connections: int) -> list[Answer]:
    """Open that many connections, and then send one request on each."""
    return asyncio.run(_flood(address, target, connections))
