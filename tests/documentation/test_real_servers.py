"""Programs of the how-to pages whose subject is the stop of a real server: uvicorn runs them as printed."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from autobahn.twisted.websocket import WebSocketServerProtocol
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from ..checks.port import reserved_port
from ..support.waiting import wait_until
from .blocks import ROOT, blocks

pytestmark = pytest.mark.processes

LONGEST = 300.0  # seconds of a drain: it does not end by itself during a test


@dataclass(frozen=True)
class Program:
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def client(self) -> httpx.Client:
        # No proxy of the environment; each probe has a connection of its own.
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=30.0)

    def status(self, path: str) -> int:
        with self.client() as client:
            return client.get(path).status_code

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def assert_ends(self) -> None:
        """Check that it ends because of what the page shows, long before the drain and without an error."""
        assert self.process.wait(30.0) == -signal.SIGTERM, self.log.read_text()
        assert "Traceback" not in self.log.read_text()


@contextmanager
def running(page: str, folder: Path, before: str = "", **constants: float) -> Iterator[Program]:
    """Run `before` and the program of a page by uvicorn, with other constants, and wait until it is ready."""
    (text,) = (each for each in blocks("python", page) if "Drain(delay=DELAY)" in each)
    for name, value in constants.items():
        text, count = re.subn(rf"^{name} = [\d.]+", f"{name} = {value}", text, flags=re.MULTILINE)
        assert count == 1
    (folder / "program.py").write_text(before + text)
    log = folder / "log"
    with reserved_port() as port, log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "program:app", "--port", str(port)],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        program = Program(process, port, log)

        def is_ready() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                return program.status("/readyz") == 200
            except httpx.TransportError:
                return False

        try:
            wait_until(is_ready, lambda: f"{page} is ready: {log.read_text()}")
            yield program
        finally:
            process.kill()
            process.wait()


def test_a_drain_closes_websockets_and_ends_event_streams_before_the_server_gets_the_signal(tmp_path: Path) -> None:
    with (
        running("how-to/websockets.md", tmp_path, DELAY=LONGEST, NOTICED=0.1, SPREAD=0.1) as program,
        program.client() as client,
        client.stream("GET", "/news") as news,
        connect(f"ws://127.0.0.1:{program.port}/chat", close_timeout=1.0) as talk,
    ):
        events = news.iter_lines()
        assert next(events) == "data: no news"
        talk.send("hello")
        assert talk.recv(timeout=30.0) == "hello"
        program.terminate()
        with pytest.raises(ConnectionClosed) as closed:
            talk.recv(timeout=30.0)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        assert [*events][-2].startswith("retry: ")
        assert (program.status("/livez"), program.status("/readyz")) == (200, 503)
        program.terminate()  # a second one goes straight through, and nothing is open
        program.assert_ends()


def test_daphne_sends_no_code_1012() -> None:
    with pytest.raises(Exception, match=re.escape("must be 1000 or from [3000, 4999]")):
        WebSocketServerProtocol().sendClose(1012)


API = """
import asyncio
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

finished = asyncio.Event()


async def report(request):
    async def pages():
        yield "begun, "
        await finished.wait()
        yield "done"

    return StreamingResponse(pages())


async def finish(request):
    finished.set()
    return Response()


api = Starlette(routes=[Route("/report", report), Route("/finish", finish)])
"""
"""An app whose report lasts until another request ends it."""


def test_a_drain_lasts_until_the_last_request_has_ended(tmp_path: Path) -> None:
    with (
        running("how-to/long-requests.md", tmp_path, API, DELAY=LONGEST, NOTICED=0.0) as program,
        program.client() as client,
        client.stream("GET", "/report") as report,
    ):
        text = report.iter_text()
        assert next(text) == "begun, "
        program.terminate()
        wait_until(lambda: program.status("/readyz") == 503, "it drains")
        assert {program.status("/livez") for _ in range(20)} == {200}  # no new connection, had the server the signal
        assert program.status("/finish") == 200
        assert "".join(text) == "done"
        program.assert_ends()
