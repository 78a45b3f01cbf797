"""Load from a process of its own: wrk, or a stand-in in Python where wrk is missing.

`python -m benchmarks.load HOST PORT PATH CONNECTIONS SECONDS keep|close` is the stand-in.
"""

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import cast

from . import processes
from .stats import percentile

PERCENTILES = ("p50", "p90", "p99", "p99.9")


@dataclass(frozen=True)
class Load:
    """What came of one run of load. Latencies in microseconds."""

    requests: int
    per_second: float
    latency: dict[str, float]
    errors: int
    bad: int
    """Answers that were not 2xx or 3xx."""


def tool() -> str:
    return "wrk" if which("wrk") else "python"


class Running:
    """Load that goes on until its time is over."""

    def __init__(self, url: str, connections: int, seconds: float, *, close: bool = False) -> None:
        self._seconds = seconds
        host, _, path = url.removeprefix("http://").partition("/")
        name, _, port = host.partition(":")
        if tool() == "wrk":
            # wrk takes whole seconds only; it is interrupted when the time is up and reports all the same.
            command = ["wrk", "-t1", f"-c{connections}", "-d60s", "--timeout", "10s"]
            command += ["-s", str(Path(__file__).with_name("wrk.lua"))]
            command += ["-H", "Connection: close"] if close else []
            command.append(url)
        else:
            command = [sys.executable, "-m", "benchmarks.load", name, port, f"/{path}", str(connections), str(seconds)]
            command.append("close" if close else "keep")
        self._process = processes.start(
            command, first=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._started = time.monotonic()

    def result(self) -> Load:
        """Wait for the end. Raises RuntimeError when nothing came of it."""
        try:
            if tool() == "wrk":
                time.sleep(max(0.0, self._started + self._seconds - time.monotonic()))
                self._process.send_signal(2)
            said, _ = self._process.communicate(timeout=30.0)
        finally:
            self.close()
        line = next((line for line in said.splitlines() if line.startswith("{")), None)
        if line is None:
            raise RuntimeError("the load generator said nothing")
        told = json.loads(line)
        if not told["requests"]:
            raise RuntimeError(f"not one answer within {self._seconds} s")
        return Load(
            told["requests"],
            told["requests"] / (told["microseconds"] / 1e6),
            {name: told[name] for name in (*PERCENTILES, "max")},
            told["errors"],
            told["bad"],
        )

    def close(self) -> None:
        """End it now."""
        processes.end(self._process)


def run(url: str, connections: int, seconds: float, *, close: bool = False) -> Load:
    """Keep `connections` busy for so long, with a new connection for each request when `close`."""
    return Running(url, connections, seconds, close=close).result()


# -- the stand-in


class _Tally:
    def __init__(self, request: bytes) -> None:
        self.request = request
        self.took: list[float] = []
        self.bad = 0
        self.errors = 0


class _Client(asyncio.Protocol):
    """One connection that asks again as soon as it is answered."""

    def __init__(self, tally: _Tally, *, close: bool) -> None:
        self.lost = asyncio.Event()
        self._tally = tally
        self._close = close
        self._transport: asyncio.Transport | None = None
        self._got = b""
        self._asked = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, end, body = self._got.partition(b"\r\n\r\n")
        if not end or not _complete(head, body):
            return
        self._tally.took.append((time.perf_counter() - self._asked) * 1e6)
        self._tally.bad += not head.startswith((b"HTTP/1.1 2", b"HTTP/1.1 3"))
        if self._close:
            assert self._transport is not None
            self._transport.close()
        else:
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()

    def _ask(self) -> None:
        assert self._transport is not None
        self._got = b""
        self._asked = time.perf_counter()
        self._transport.write(self._tally.request)


def _complete(head: bytes, body: bytes) -> bool:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line.partition(b":")[2])
        if line == b"transfer-encoding: chunked":  # Django's, and others' without a content-length
            return body.endswith(b"0\r\n\r\n")
    return True


async def _keep_busy(host: str, port: int, tally: _Tally, end: float, *, close: bool) -> None:
    loop = asyncio.get_running_loop()
    while loop.time() < end:
        try:
            transport, client = await loop.create_connection(lambda: _Client(tally, close=close), host, port)
        except OSError:
            tally.errors += 1
            continue
        try:
            await asyncio.wait_for(client.lost.wait(), end - loop.time())
        except TimeoutError:
            transport.close()
            return  # uvloop's timers may be a millisecond early: the time is up all the same


async def _stand_in(host: str, port: int, path: str, connections: int, seconds: float, *, close: bool) -> None:
    header = "close" if close else "keep-alive"
    tally = _Tally(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: {header}\r\n\r\n".encode())
    end = asyncio.get_running_loop().time() + seconds
    await asyncio.gather(*(_keep_busy(host, port, tally, end, close=close) for _ in range(connections)))
    told: dict[str, float] = {"requests": len(tally.took), "errors": tally.errors, "bad": tally.bad}
    took = tally.took or [0.0]
    told |= {name: percentile(took, float(name[1:]) / 100) for name in PERCENTILES}
    print(json.dumps({**told, "max": max(took), "microseconds": int(seconds * 1e6)}))


def main(arguments: list[str]) -> None:
    """Run the stand-in."""
    host, port, path, connections, seconds, mode = arguments
    if find_spec("uvloop"):
        asyncio.set_event_loop_policy(import_module("uvloop").EventLoopPolicy())
    asyncio.run(_stand_in(host, int(port), path, int(connections), float(seconds), close=mode == "close"))


if __name__ == "__main__":
    main(sys.argv[1:])
