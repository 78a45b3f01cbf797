"""Many probers at once, while a check hangs."""

import time
from collections.abc import Iterator

import pytest

from .apps import REGULAR
from .process import Running, started
from .servers import Server
from .wire import flood

pytestmark = pytest.mark.timeout(120)

WARN = b'{"status":"warn"}'


@pytest.fixture(scope="session")
def hung(server: Server) -> Iterator[Running]:
    """A server whose optional dependency hangs for ever in a thread."""
    with started(server, checks=("blocks", "counted", "regular")) as running:
        running.wait_for_body("/readyz", WARN)
        yield running
        end = running.stop()
    end.assert_quiet()


def test_three_hundred_connections_at_once_are_all_answered_and_cause_no_run(hung: Running) -> None:
    before = hung.folder.events.count("regular")
    begin = time.monotonic()
    answers = flood(hung.address, "/readyz", 300)
    answers += [hung.ask("GET", "/readyz") for _ in range(100)]
    most = 2 + (time.monotonic() - begin) / (0.9 * REGULAR)
    events = hung.folder.events
    assert {(answer.status, answer.body) for answer in answers} == {(200, WARN)}
    assert len(answers) == 400
    assert events.count("counted") == 1
    assert events.count("blocks") == 1
    assert events.count("regular") - before <= most


def test_a_hung_thread_delays_nothing_else(hung: Running) -> None:
    """It hangs until the process ends: whoever waited for it would get no answer."""
    assert hung.status("/livez") == 200
    assert hung.status("/ordinary") == 200
    assert hung.status("/readyz") == 200
