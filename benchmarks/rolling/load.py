"""Clients that send requests almost without pause and count the answers. Every other outcome counts as lost."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

from tests.servers.wire import Answer, Parser, request

from .backend import Address

TIMEOUT = 10.0
"""Seconds until a client gives up an answer."""
PAUSE = 0.02
"""Seconds between two requests of a client."""
SLOW = 0.3
"""Seconds that a slow request takes."""


@dataclass(frozen=True)
class Client:
    """The behaviour of one client."""

    name: str
    keeps: bool
    """Whether it keeps its connection until the server closes it."""
    path: str = "/quick"


CLIENTS = (
    *[Client("kept connections", keeps=True)] * 4,
    *[Client("new connections", keeps=False)] * 4,
    *[Client("slow requests", keeps=True, path=f"/slow/{SLOW}")] * 2,
)


@dataclass
class Outcomes:
    """The outcomes of the requests. Only the thread of the clients writes; other threads may read at any time."""

    answered: Counter[str] = field(default_factory=Counter)
    """By the name of the client."""
    lost: Counter[str] = field(default_factory=Counter)
    """By the name of the client and the outcome."""

    @property
    def requests(self) -> int:
        return self.answered.total() + self.lost.total()


class Lost(Exception):
    """The outcome of a request is not the answer to that request."""


@contextmanager
def load(address: Address, outcomes: Outcomes, timeout: float = TIMEOUT) -> Iterator[None]:
    """Run the clients until the end of the block; then wait until each open request has its outcome."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(_run_clients(address, outcomes, timeout, stop))
        except BaseException as error:  # a fault of the clients themselves: it must not count as "nothing lost"
            failures.append(error)

    thread = threading.Thread(target=run, name="load")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if failures:
        raise failures[0]


async def _run_clients(address: Address, outcomes: Outcomes, timeout: float, stop: threading.Event) -> None:
    numbers = count()
    async with asyncio.TaskGroup() as group:
        for client in CLIENTS:
            group.create_task(_run_client(client, address, outcomes, timeout, stop, numbers))


async def _run_client(
    client: Client, address: Address, outcomes: Outcomes, timeout: float, stop: threading.Event, numbers: Iterator[int]
) -> None:
    connection: Connection | None = None
    while not stop.is_set():
        path = f"{client.path}/{next(numbers)}"
        try:
            async with asyncio.timeout(timeout):
                if connection is None:
                    connection = await Connection.open(address)
                answer = await connection.ask(path, keep=client.keeps)
            if answer.status != 200:
                raise Lost(str(answer.status))
            if answer.body != path.encode():
                raise Lost("the answer to another request")
        except (OSError, Lost) as error:  # TimeoutError is an OSError
            outcomes.lost[f"{client.name}: {error if isinstance(error, Lost) else type(error).__name__}"] += 1
            keeps = False
        else:
            outcomes.answered[client.name] += 1
            keeps = client.keeps and answer.all("connection") != ["close"]
        if connection is not None and not keeps:
            connection.close()
            connection = None
        await asyncio.sleep(PAUSE)
    if connection is not None:
        connection.close()


@dataclass
class Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    parser: Parser = field(default_factory=Parser)

    @classmethod
    async def open(cls, address: Address) -> "Connection":
        return cls(*await asyncio.open_connection(*address))

    async def ask(self, path: str, *, keep: bool) -> Answer:
        """Return the whole answer. Raises OSError or Lost where none arrives."""
        self.writer.write(request("GET", path, [] if keep else [("connection", "close")]))
        while (answer := self.parser.next("GET")) is None:
            if self.parser.closed:
                raise Lost("half an answer" if self.parser.buffer else "closed without an answer")
            data = await self.reader.read(65536)
            self.parser.buffer += data
            self.parser.closed = not data
        return answer

    def close(self) -> None:
        self.writer.close()
