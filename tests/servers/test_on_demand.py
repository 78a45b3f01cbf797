"""Servers without lifespan: nothing starts or ends a background task, so probes run the checks that are due."""

import time
from collections.abc import Iterator

import pytest

from .apps import REGULAR
from .process import Running, started
from .servers import SERVERS, Server
from .wire import flood

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(params=[row for row in SERVERS if not row.lifespan], ids=str)
def fresh(request: pytest.FixtureRequest) -> Iterator[Running]:
    """A server that has had no probe yet."""
    server: Server = request.param
    with started(server, checks=("counted", "regular")) as running:
        yield running
        end = running.stop()
    end.assert_quiet()


def test_no_check_runs_before_the_first_probe_which_gets_the_real_status(fresh: Running) -> None:
    assert fresh.folder.events == []
    assert fresh.ask("GET", "/readyz").body == b'{"status":"pass"}'
    assert sorted(fresh.folder.events) == ["counted", "regular"]


def test_fifty_probes_at_once_cause_the_runs_that_are_due_and_no_more(fresh: Running) -> None:
    """The first fifty cause one run of each check."""
    begin = time.monotonic()
    assert {answer.status for answer in flood(fresh.address, "/readyz", 50)} <= {200, 503}
    fresh.wait_for_status("/readyz", 200)
    assert fresh.folder.events.count("counted") == 1
    for _ in range(10):
        assert {answer.status for answer in flood(fresh.address, "/readyz", 50)} == {200}
    most = 2 + (time.monotonic() - begin) / (0.9 * REGULAR)
    assert fresh.folder.events.count("regular") <= most
    assert fresh.folder.events.count("counted") == 1
