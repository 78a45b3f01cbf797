"""A TCP proxy that can act as a faulty network: silent, resetting or slow."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

from .port import HOST, reserved_port

DRIP = 0.2  # seconds between two bytes of an answer that trickles


class Proxy:
    """Forward connections, until a method changes that."""

    def __init__(self) -> None:
        self.trips = 0
        """How often a client has sent data after its server, or as the first: round trips."""
        self._upstream: dict[int, int] = {}
        self._servers: list[asyncio.Server] = []
        self._silent = False
        self._slow = False
        self._resetting = False
        self._delay = 0.0
        self._closed = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._pumps: set[asyncio.Task[None]] = set()

    @property
    def ports(self) -> list[int]:
        """The ports on which it listens, in the order of their upstreams."""
        return list(self._upstream)

    @property
    def port(self) -> int:
        """The first port on which it listens."""
        return self.ports[0]

    async def listen(self, upstream: int, at: int) -> None:
        """Forward connections of the port `at` to `upstream`, in the running loop."""
        self._servers.append(await asyncio.start_server(self.adopt, HOST, at))
        self._upstream[at] = upstream

    def swallow(self) -> None:
        """From now on connections are accepted and nothing comes back, as behind a firewall that drops packets."""
        self._silent = True

    def trickle(self) -> None:
        """From now on answers come byte by byte, slower than any deadline allows."""
        self._slow = True

    def delay(self, seconds: float) -> None:
        """From now on answers are delayed by `seconds`."""
        self._delay = seconds

    def reset(self) -> None:
        """Reset all connections, and from now on every new one."""
        self._resetting = True
        self.cut()

    def cut(self) -> None:
        """Reset all open connections."""
        for writer in self._writers:
            _reset(writer)

    def die(self) -> None:
        """Close all connections, and refuse every new one, as the kernel does when a process is killed."""
        for server in self._servers:
            server.close()
        for writer in self._writers:
            writer.close()

    async def rise(self) -> None:
        """Listen again on the same ports."""
        for port, upstream in list(self._upstream.items()):
            await self.listen(upstream, port)

    def heal(self) -> None:
        """Forward new connections again. Old ones are reset, because what was swallowed is lost."""
        self._silent = self._slow = self._resetting = False
        self.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._resetting:
            _reset(writer)
            self._writers.discard(writer)
            return
        try:
            upstream = self._upstream[writer.get_extra_info("sockname")[1]]
            far_reader, far_writer = await asyncio.open_connection(HOST, upstream)
        except OSError:
            _reset(writer)
            self._writers.discard(writer)
            return
        self._writers.add(far_writer)
        if self._closed:
            self.cut()
            return
        spoken: list[bool] = [True]  # whether the server was the last
        pumps = [
            asyncio.create_task(self._pump(reader, far_writer, spoken)),
            asyncio.create_task(self._pump(far_reader, writer, spoken, answers=True)),
        ]
        self._pumps.update(pumps)
        await asyncio.wait(pumps)
        self._pumps.difference_update(pumps)
        for each in (writer, far_writer):
            self._writers.discard(each)
            each.close()

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, spoken: list[bool], *, answers: bool = False
    ) -> None:
        try:
            while data := await source.read(65536):
                self.trips += spoken[0] and not answers
                spoken[0] = answers
                if self._silent:
                    continue
                if self._slow and answers:
                    for byte in data:
                        sink.write(bytes([byte]))
                        await asyncio.sleep(DRIP)
                else:
                    if self._delay and answers:
                        await asyncio.sleep(self._delay)
                    sink.write(data)
                    await sink.drain()
            if not (self._silent or sink.transport.is_closing()):
                sink.write_eof()
        except (OSError, RuntimeError):  # uvloop raises RuntimeError for a closed transport
            sink.close()

    def adopt(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward a new connection. No coroutine, whose task could be cancelled before it knows of the connection."""
        if self._closed:
            _reset(writer)
            return
        self._writers.add(writer)
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        self._closed = True
        for server in self._servers:
            server.close()
        self.cut()
        # Not the tasks that connect to the server: such a connection would be lost while it is open.
        for pump in self._pumps:
            pump.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10.0)
        self.cut()  # connections that a driver has opened in the background
        for server in self._servers:
            await server.wait_closed()
        await asyncio.sleep(0)  # in which the loop closes the sockets of these transports


def _reset(writer: asyncio.StreamWriter) -> None:
    if not writer.transport.is_closing():
        line = writer.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()


@asynccontextmanager
async def proxied(*ports: int, at: int = 0) -> AsyncIterator[Proxy]:
    """Put one faulty network in front of all of `ports`. `at` is its own port; by default any free one."""
    proxy = Proxy()
    with ExitStack() as held:  # so that no other test is given its ports while the proxy does not listen there
        for port in ports:
            await proxy.listen(port, at or held.enter_context(reserved_port()))
        try:
            yield proxy
        finally:
            await proxy.close()
