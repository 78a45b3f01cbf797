"""Requests that last longer than the grace of their server, and whether a drain is a part of that grace.

All servers run at the same time, with a grace of one second and a drain that no test waits for.
"""

import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace

import pytest

from benchmarks.rolling.app import Settings
from benchmarks.rolling.backend import held_port, launched
from benchmarks.rolling.servers import SERVERS

from ..support.waiting import wait_until
from .process import Exit, Running
from .servers import Server
from .test_drain import to_all_processes
from .wire import Connection, request
from .workers import wait_until_ready

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("grace")]

OPTIONS = {
    "uvicorn": "--timeout-graceful-shutdown",
    "gunicorn": "--graceful-timeout",
    "granian": "--workers-kill-timeout",
    "hypercorn": "--graceful-timeout",
}
NAMES = (
    "uvicorn-h11-asyncio", "gunicorn-uvicorn-worker", "gunicorn-asgi", "granian-asyncio", "hypercorn-0-workers",
    "daphne",
)  # fmt: skip
ROWS = [row for row in SERVERS if row.name in NAMES]
COUNTED_FROM_THE_SIGNAL = ("gunicorn", "granian")
"""Servers whose parent process kills a worker when the grace is over, which begins with the signal."""
ANSWERED_500 = ("uvicorn", "hypercorn")
"""Servers that cancel a request when the grace is over, and answer in its place."""
WAITS = ("hypercorn",) if sys.version_info >= (3, 12) else ()
"""Servers that wait for open connections whatever their grace is: since 3.12 asyncio's Server.wait_closed does so."""
NEVER = 300.0
SHORT, LONG, WAITED_FOR = "/slow/2.5", f"/slow/{NEVER}", "/slow/8.0"
"""A request that is over in the drain, but not in the grace; one that never is; one for servers that wait."""


@dataclass
class Ending:
    """How one server ended.

    Attributes:
        short: What the client of the short request has read until its connection was closed.
        long: What the client of the long one has read.
        draining: Whether the server still served after the short request.
        end: The exit.
    """

    short: bytes
    long: bytes
    draining: bool
    end: Exit


@pytest.fixture(scope="module")
def endings() -> dict[str, Ending]:
    with ThreadPoolExecutor(len(ROWS)) as pool:
        return dict(zip(NAMES, pool.map(ending_of, (graced(name) for name in NAMES)), strict=True))


def graced(name: str) -> Server:
    """Return the server of that name with a grace of one second. daphne has no such option."""
    (row,) = (row for row in ROWS if row.name == name)
    option = OPTIONS.get(row.command[0])
    return replace(row, command=(*row.command, option, "1")) if option else row


def ending_of(server: Server) -> Ending:
    with ExitStack() as stack:
        running = stack.enter_context(launched(server, stack.enter_context(held_port()), Settings({"delay": NEVER})))
        wait_until_ready(running)
        paths = (SHORT, WAITED_FOR if server.name.startswith(WAITS) else LONG)
        short, long = (begun(stack, running, path) for path in paths)
        running.terminate()
        answer = short.rest()
        draining = server.command[0] not in COUNTED_FROM_THE_SIGNAL and running.status("/readyz") == 503
        if draining:
            to_all_processes(running, signal.SIGTERM)  # the second one ends the drain
        else:
            running.deadline = time.monotonic() + 30.0
        return Ending(answer, long.rest(), draining, running.wait_for_exit())


def begun(stack: ExitStack, running: Running, path: str) -> Connection:
    connection = stack.enter_context(Connection(running.address))
    connection.send(request("GET", path, [("connection", "close")]))
    wait_until(lambda: f"begun {path}" in running.folder.events, f"{path} has begun")
    return connection


@pytest.mark.parametrize("name", NAMES)
def test_a_drain_is_a_part_of_the_grace_where_a_parent_kills_its_workers(name: str, endings: dict[str, Ending]) -> None:
    ending = endings[name]
    if name.startswith(COUNTED_FROM_THE_SIGNAL):
        assert (ending.short, ending.draining) == (b"", False)
    else:
        assert b" 200 " in ending.short.partition(b"\r\n")[0]
        assert ending.draining


@pytest.mark.parametrize("name", NAMES)
def test_a_request_longer_than_the_grace_gets_500_before_the_shutdown_of_the_app_or_no_answer_and_no_shutdown(
    name: str, endings: dict[str, Ending]
) -> None:
    ending = endings[name]
    shut_down = any(event.startswith("shutdown ") for event in ending.end.events)
    assert shut_down == name.startswith(ANSWERED_500)
    if name.startswith(WAITS):
        assert ending.long.startswith(b"HTTP/1.1 200 ")
    elif name.startswith(ANSWERED_500):
        assert ending.long.startswith(b"HTTP/1.1 500 ")
    else:
        assert ending.long == b""
    assert ending.end.code is not None
    assert ending.end.alone
