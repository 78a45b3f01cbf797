"""Each server is started once, when a test first wants it, and killed at the end."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .port import reserved_port
from .rows import Row
from .servers import SERVERS, Missing, Server

GetServer = Callable[[str], Server]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"  # what the drivers are written for


@pytest.fixture(scope="session")
def get_server() -> Iterator[GetServer]:
    """Servers by name. A missing one skips the test; with CI set, where everything is to be installed, it fails it."""
    running: dict[str, Server] = {}
    missing: dict[str, str] = {}
    with ExitStack() as stack:

        def get(name: str) -> Server:
            if name not in running and name not in missing:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="asgi-health-")))
                try:
                    server = SERVERS[name](folder, stack.enter_context(reserved_port()))
                except Missing as error:
                    missing[name] = f"{name} is not installed: {error}"
                else:
                    stack.callback(server.daemon.kill)
                    server.start()
                    running[name] = server
            if name in missing:
                (pytest.fail if os.environ.get("CI") else pytest.skip)(missing[name])
            return running[name]

        yield get


@pytest.fixture
def server(row: Row, get_server: GetServer) -> Iterator[Server]:
    """The server of the row, which runs, and will run again for the next test."""
    server = get_server(row.server)
    yield server
    server.mend()


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port on which nobody listens."""
    with reserved_port() as port:
        yield port
