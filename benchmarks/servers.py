"""Real servers, each in a process of its own on a port of its own."""

import http.client
import json
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from . import processes
from .contenders import Contender, installed
from .dependency import SharedState

HOST = "127.0.0.1"
APP = "benchmarks.served_app:app"

COMMANDS = {
    "uvicorn": f"uvicorn {APP} --host {HOST} --port PORT --loop uvloop --http httptools --no-access-log "
    "--log-level critical",
    "hypercorn": f"hypercorn {APP} --bind {HOST}:PORT -k uvloop -w 0 --log-level CRITICAL",
    "granian": f"granian {APP} --host {HOST} --port PORT --interface asgi --loop uvloop --workers 1 --no-ws "
    "--log-level critical",
}
NEEDS = {
    "uvicorn": ("uvicorn", "uvloop", "httptools"),
    "hypercorn": ("hypercorn", "uvloop"),
    "granian": ("granian", "uvloop"),
}


def missing(server: str) -> list[str]:
    """Return the distributions that a server needs and that are not installed."""
    return [name for name in NEEDS[server] if not installed(name)]


class Server:
    """One contender under one server."""

    def __init__(
        self,
        contender: Contender,
        server: str = "uvicorn",
        *,
        checks: int = 1,
        interval: float = 10.0,
        timeout: float = 2.0,
        slow_loop: float = 1.0,
        metrics: bool = False,
    ) -> None:
        self.contender = contender
        self.name = server
        self._resources = ExitStack()
        folder = Path(self._resources.enter_context(TemporaryDirectory(dir=processes.folder())))
        self.state = SharedState(folder / "state")
        self.port = free_port()
        described = {
            "contender": contender.name,
            "state": str(self.state.path),
            "checks": checks,
            "interval": interval,
            "timeout": timeout,
            "slow_loop": slow_loop,
            "metrics": metrics,
        }
        self._said = (folder / "said").open("w+")
        self._process = processes.start(
            [sys.executable, "-m", *COMMANDS[server].replace("PORT", str(self.port)).split()],
            first=True,
            env=processes.environment(BENCHMARK_APP=json.dumps(described)),
            stdout=self._said,
            stderr=self._said,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}{self.contender.ready}"

    @property
    def cpu(self) -> float:
        """The seconds of processor time of its process; 0 on other systems than Linux."""
        if sys.platform != "linux":
            return 0.0
        # The number that Linux gives the processor clock of another process. It has nanoseconds; /proc has 10 ms.
        return time.clock_gettime((~self._process.pid << 3) | 2)

    def wait(self, seconds: float = 15.0) -> None:
        """Wait until it answers 200. Raises RuntimeError when it does not."""
        end = time.monotonic() + seconds
        answer = "no answer"
        while time.monotonic() < end and self._process.poll() is None:
            try:
                connection = http.client.HTTPConnection(HOST, self.port, timeout=5.0)
                connection.request("GET", self.contender.ready)
                status = connection.getresponse().status
                connection.close()
                if status == 200:
                    return
                answer = f"it answers {status}"
            except (OSError, http.client.HTTPException) as error:
                answer = str(error)
            time.sleep(0.05)
        self._said.seek(0)
        last = self._said.read().strip().splitlines()[-1:] or [answer]
        raise RuntimeError(f"{self.contender.name} under {self.name} does not answer: {last[0]}")

    def close(self) -> None:
        """Kill the server and its children."""
        processes.end(self._process)
        self._said.close()
        self._resources.close()


def start(servers: ExitStack, wanted: Sequence[Server], skip: Callable[[str], None]) -> list[Server]:
    """Return the servers that answer; report the others to `skip`."""
    for server in wanted:
        servers.enter_context(server)
    up = []
    for server in wanted:
        try:
            server.wait()
        except RuntimeError as error:
            skip(str(error))
        else:
            up.append(server)
    return up


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port
