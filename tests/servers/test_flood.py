"""Many clients at once, while a check hangs."""

import time

import pytest

from .apps import REGULAR
from .process import started
from .servers import PARSERS, SERVERS, Server
from .wire import flood

pytestmark = pytest.mark.timeout(120)

TWINS = (*PARSERS, "hypercorn-asyncio-worker", "granian-uvloop", "uvicorn-lifespan-off")
"""Servers that accept connections and pass requests on in the same code as another one."""

WARN = b'{"status":"warn"}'


@pytest.mark.parametrize(
    "server", [each for each in SERVERS if each.name not in TWINS], ids=str, scope="session", indirect=True
)
def test_three_hundred_connections_at_once_are_answered_while_a_check_hangs_and_cause_no_run(server: Server) -> None:
    """The check hangs forever in a thread, and is not critical."""
    with started(server, checks=("blocks", "counted", "regular")) as hung:
        hung.wait_for_body("/readyz", WARN)
        before = hung.folder.events.count("regular")
        begin = time.monotonic()
        answers = flood(hung.address, "/readyz", 300)
        answers += [hung.ask("GET", "/readyz") for _ in range(100)]
        most = 2 + (time.monotonic() - begin) / (0.9 * REGULAR)
        events = hung.folder.events
        others = {path: hung.status(path) for path in ("/livez", "/ordinary")}
        end = hung.stop()
    assert {(answer.status, answer.body) for answer in answers} == {(200, WARN)}
    assert len(answers) == 400
    assert events.count("counted") == 1
    assert events.count("blocks") == 1
    assert events.count("regular") - before <= most
    assert others == {"/livez": 200, "/ordinary": 200}
    end.assert_quiet()
