"""One process per server for everything that only reads; a test that needs a state of its own starts its own."""

from collections.abc import Iterator

import pytest

from .process import Running, started
from .servers import SERVERS, Server


@pytest.fixture(scope="session", params=SERVERS, ids=str)
def server(request: pytest.FixtureRequest) -> Server:
    row: Server = request.param
    return row


@pytest.fixture(scope="session")
def running(server: Server) -> Iterator[Running]:
    """A ready server; when all tests are through with it, it must end, and without a complaint in its log."""
    with started(server, checks=("dependency", "regular")) as process:
        process.wait_for_status("/readyz", 200)
        yield process
        end = process.stop()
    end.assert_quiet()
