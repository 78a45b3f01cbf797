"""A rolling restart of every server that can drain loses no request."""

import os

import pytest

from benchmarks.rolling.app import Settings
from benchmarks.rolling.haproxy import missing
from benchmarks.rolling.load import CLIENTS
from benchmarks.rolling.restarts import DELAY, Outcome, roll
from benchmarks.rolling.servers import SERVERS, UVICORN

from ..servers.servers import Server
from ..servers.workers import PARSERS

pytestmark = pytest.mark.timeout(600)

DRAINS = Settings(drain={"delay": DELAY})
JUST_STOPS = Settings()


@pytest.fixture(scope="module", autouse=True)
def haproxy() -> None:
    if reason := missing():
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


def restarts_of(server: Server) -> int:
    """Return three for the server that most people run, two for the others: one for each backend.

    Where something is wrong, each restart loses a few requests. ASGI_HEALTH_RESTARTS sets the number for all servers.
    The published table comes from twenty: `python -m benchmarks.rolling --write`.
    """
    wanted = os.environ.get("ASGI_HEALTH_RESTARTS")
    return int(wanted) if wanted else 3 if server is UVICORN else 2


def assert_true(outcome: Outcome, restarts: int) -> None:
    """Check that all restarts happened, all clients were served, and HAProxy sent no request again."""
    assert len(outcome.exits) == restarts
    for end in outcome.exits:
        end.assert_quiet()
    assert set(outcome.answered) == {client.name for client in CLIENTS}
    assert all(view.served > 0 and view.retried == 0 for view in outcome.views)


@pytest.mark.parametrize("server", [each for each in SERVERS if each.name not in PARSERS], ids=str)
def test_with_a_drain_no_request_is_lost(server: Server) -> None:
    restarts = restarts_of(server)
    outcome = roll(server, DRAINS, restarts)
    assert not outcome.lost, outcome.log
    assert_true(outcome, restarts)
    assert outcome.drains == restarts


def test_without_a_drain_requests_are_lost() -> None:
    """A control. Where the machine is busy a few restarts may lose none by chance, so more of them follow."""
    restarts = 2
    for _ in range(5):
        outcome = roll(UVICORN, JUST_STOPS, restarts)
        assert_true(outcome, restarts)
        assert outcome.drains == 0
        if outcome.lost.total() > 0:
            return
    pytest.fail("no restart without a drain has lost a request")
