"""A rolling restart of every server that can drain."""

import os

import pytest

from ..servers.servers import Server
from .app import Settings
from .haproxy import missing
from .load import CLIENTS
from .rolling import DELAY, Outcome, roll
from .servers import SERVERS, UVICORN

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
    """Five of the one that most people run and one of each backend of the others; as many as are asked for of all.

    Each loses a few requests where something is wrong. README's table is of twenty: `python -m tests.rolling`.
    """
    wanted = os.environ.get("ASGI_HEALTH_RESTARTS")
    return int(wanted) if wanted else 5 if server is UVICORN else 2


def assert_true(outcome: Outcome, restarts: int) -> None:
    """Everything that was to happen happened, and nothing stood between the servers and the clients' count."""
    assert len(outcome.exits) == restarts
    for end in outcome.exits:
        end.assert_quiet()
    assert set(outcome.answered) == {client.name for client in CLIENTS}
    assert all(view.served > 0 and view.retried == 0 for view in outcome.views)


@pytest.mark.parametrize("server", SERVERS, ids=str)
def test_with_a_drain_no_request_is_lost(server: Server) -> None:
    restarts = restarts_of(server)
    outcome = roll(server, DRAINS, restarts)
    assert not outcome.lost, outcome.log
    assert_true(outcome, restarts)
    assert outcome.drains == restarts


def test_without_a_drain_requests_are_lost() -> None:
    restarts = 2
    outcome = roll(UVICORN, JUST_STOPS, restarts)
    assert outcome.lost.total() > 0
    assert_true(outcome, restarts)
    assert outcome.drains == 0
