"""One process per server for the tests that change nothing in it; other tests start their own."""

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
    """A ready server. After all its tests it must end, without a traceback in its log."""
    with started(server, checks=("dependency", "regular")) as process:
        process.wait_for_status("/readyz", 200)
        yield process
        end = process.stop()
    end.assert_quiet()
