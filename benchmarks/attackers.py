"""Hostile clients: `python -m benchmarks.attackers NAME ADDRESS` attacks until the process is killed."""

import asyncio
import itertools
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]

SMALL = b"GET /x HTTP/1.1\r\nHost:\r\n\r\n"
BODY = b"POST /readyz HTTP/1.1\r\nHost: x\r\nContent-Length: 32\r\n\r\n" + b"x" * 32
CHUNKED = b"POST /readyz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKS = CHUNKED + b"1\r\nx\r\n" * 8 + b"0\r\n\r\n"
MIXED = b"".join(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path for path in (b"/readyz", b"/livez", b"/health", b"/x?y"))
HEAD = b"GET /readyz HTTP/1.1\r\nHost: x\r\n" + b"a:b\r\n" * 3000 + b"\r\n"


@dataclass(frozen=True)
class Attack:
    """Clients that open a new connection as soon as the old one is closed."""

    connections: int
    """Number of clients, each with one connection at a time."""
    talk: Talk


def _sends(data: bytes, times: int) -> Talk:
    """Return a client that sends `data` `times` times in one piece, then reads all answers."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data * times)
        while await reader.read(65536):
            pass

    return talk


async def _does_not_read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # asyncio reads ahead up to its limit; paused, it reads nothing.
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    while True:
        writer.write(SMALL * 100)
        await writer.drain()


async def _is_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def _is_slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for byte in itertools.chain(b"GET /readyz HTTP/1.1\r\n", itertools.cycle(b"a: b\r\n")):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.25)


ATTACKS = {
    "40 pipeline": Attack(40, _sends(SMALL, 1500)),
    "40 pipeline bodies": Attack(40, _sends(BODY, 1500)),
    "40 pipeline chunks": Attack(40, _sends(CHUNKS, 1500)),
    "40 pipeline mixed paths": Attack(40, _sends(MIXED, 375)),
    "300 pipeline": Attack(300, _sends(SMALL, 1500)),
    "300 do not read": Attack(300, _does_not_read),
    "300 are silent": Attack(300, _is_silent),
    "300 are slow": Attack(300, _is_slow),
    "40 send large heads": Attack(40, _sends(HEAD, 100)),
    "40 send endless chunks": Attack(40, _sends(CHUNKED + b"1\r\nx\r\n" * 10_000, 1)),
    "40 send garbage": Attack(40, _sends(b"\x16\x03\x01\r\n\r\n", 1000)),
    "40 come and go": Attack(40, _sends(b"GET /x HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", 1)),
}


async def _attack(attack: Attack, address: str) -> None:
    begun = 0
    all_are_in = asyncio.Event()

    async def client() -> None:
        nonlocal begun
        first = True
        while True:
            writer: asyncio.StreamWriter | None = None
            try:
                if "/" in address:
                    reader, writer = await asyncio.open_unix_connection(address)
                else:
                    host, _, port = address.rpartition(":")
                    reader, writer = await asyncio.open_connection(host, int(port))
                begun, first = begun + first, False
                if begun == attack.connections:
                    all_are_in.set()
                await attack.talk(reader, writer)
            except OSError:
                await asyncio.sleep(0.01)
            finally:
                if writer is not None:
                    writer.transport.abort()

    async with asyncio.TaskGroup() as group:
        for _ in range(attack.connections):
            group.create_task(client())
        # A server that accepts no more of them is under attack already.
        await asyncio.wait([asyncio.ensure_future(all_are_in.wait())], timeout=2.0)
        print("started", flush=True)


if __name__ == "__main__":
    asyncio.run(_attack(ATTACKS[sys.argv[1]], sys.argv[2]))
