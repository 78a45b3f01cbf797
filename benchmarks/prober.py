"""A prober like the kubelet: a new connection for each probe, and a timeout."""

import asyncio
import time
from dataclasses import dataclass

from .servers import HOST

TIMEOUT = 5.0
"""Seconds after which a probe gives up. The kubelet's default is 1."""


@dataclass(frozen=True)
class Probe:
    """The outcome of one probe."""

    seconds: float
    status: int
    """0 when it gave up or was refused."""


async def probe(port: int, path: str, timeout: float = TIMEOUT) -> Probe:
    """Send one probe."""
    return await probe_at(f"{HOST}:{port}", path, timeout)


async def probe_at(address: str, path: str, timeout: float = TIMEOUT) -> Probe:
    """Send one probe to host:port or to a unix socket; an address with a slash is the path of one."""
    started = time.perf_counter()
    status = 0
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(timeout):
            if "/" in address:
                reader, writer = await asyncio.open_unix_connection(address)
            else:
                host, _, port = address.rpartition(":")
                reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
            line = await reader.readline()
            while await reader.read(65536):
                pass
            status = int(line.split()[1])
    except (OSError, TimeoutError, IndexError):
        status = 0
    finally:
        if writer is not None:
            writer.close()
    return Probe(time.perf_counter() - started, status)


async def burst(port: int, path: str, count: int) -> list[Probe]:
    """Send `count` probes at once."""
    return await asyncio.gather(*(probe(port, path) for _ in range(count)))


async def stream(port: int, path: str, every: float, seconds: float, timeout: float = TIMEOUT) -> list[Probe]:
    """Send a probe each `every` seconds, without waiting for the answers of the earlier ones."""
    probes = []
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        probes.append(asyncio.create_task(probe(port, path, timeout)))
        await asyncio.sleep(every)
    return list(await asyncio.gather(*probes))
