"""Each server is started once, when a test first needs it, and killed at the end."""

import gc
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import pytest

from .loops import ASYNCIO
from .port import reserved_port
from .rows import Row
from .servers import SERVERS, Missing, Server

GetServer = Callable[[str], Server]


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return ASYNCIO


@pytest.fixture(scope="session", autouse=True)
def freeze_imported_objects() -> Iterator[None]:
    """Keep the objects of the imports from garbage collections, which the tests for leaks run: it saves 0.5 s each."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def get_server() -> Iterator[GetServer]:
    """Servers by name."""
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
                do_without(missing[name])
            return running[name]

        yield get


def do_without(what: str) -> NoReturn:
    """Skip the test because a server is missing; fail it in the gate (CI), where every server must be installed."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture
def server(row: Row, get_server: GetServer) -> Iterator[Server]:
    """The running server of the row. It runs again for the next test."""
    server = get_server(row.server)
    yield server
    server.restore()


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port on which no process listens."""
    with reserved_port() as port:
        yield port
