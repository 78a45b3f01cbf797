"""Load by wrk, in a process of its own."""

import json
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from . import processes

PERCENTILES = ("p50", "p90", "p99", "p99.9")


@dataclass(frozen=True)
class Load:
    """The result of one run of load. Latencies in microseconds."""

    requests: int
    per_second: float
    latency: dict[str, float]
    errors: int
    bad: int
    """Answers that were not 2xx or 3xx."""


def missing() -> str | None:
    """Return what to install where wrk is missing, None where it is installed."""
    return None if which("wrk") else "wrk, which sends the load, was not found: apt-get install wrk (macOS: brew)"


class Running:
    """Load that goes on until its time is over."""

    def __init__(self, url: str, connections: int, seconds: float, *, close: bool = False) -> None:
        self._seconds = seconds
        # wrk takes whole seconds only; `result` interrupts it when the time is over, and it reports all the same.
        command = ["wrk", "-t1", f"-c{connections}", "-d60s", "--timeout", "10s"]
        command += ["-s", str(Path(__file__).with_name("wrk.lua"))]
        command += ["-H", "Connection: close"] if close else []
        self._process = processes.start(
            [*command, url], first=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._started = time.monotonic()

    def result(self) -> Load:
        """Wait for the end. Raises RuntimeError where wrk reports no answer."""
        try:
            time.sleep(max(0.0, self._started + self._seconds - time.monotonic()))
            self._process.send_signal(signal.SIGINT)
            output, _ = self._process.communicate(timeout=30.0)
        finally:
            self.close()
        line = next((line for line in output.splitlines() if line.startswith("{")), None)
        if line is None:
            raise RuntimeError("wrk wrote no result")
        result = json.loads(line)
        if not result["requests"]:
            raise RuntimeError(f"not one answer within {self._seconds} s")
        return Load(
            result["requests"],
            result["requests"] / (result["microseconds"] / 1e6),
            {name: result[name] for name in (*PERCENTILES, "max")},
            result["errors"],
            result["bad"],
        )

    def close(self) -> None:
        """Stop it now."""
        processes.end(self._process)


def run(url: str, connections: int, seconds: float, *, close: bool = False) -> Load:
    """Keep `connections` busy for `seconds`, with a new connection for each request when `close`."""
    return Running(url, connections, seconds, close=close).result()
