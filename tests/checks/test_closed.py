"""What docs/reference/checks.md says of clients that are closed for good."""

import functools
import re
from typing import Any

import nats
import pytest

from asgi_health import Probe, Status
from asgi_health.checks._support.document import document
from asgi_health.testing import lifespan, probe, settled
from tests.support.waiting import wait_until_async

from .conftest import GetServer
from .observe import expect
from .rows import ROWS, Row
from .servers import Target
from .servers.server import PASSWORD, USER

pytestmark = pytest.mark.anyio

SECTION = document().partition("## A client that is closed for good\n")[2].partition("\n## ")[0]
(PROGRAM,) = re.findall("^```python\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
CLOSED = dict(re.findall(r"^\| ([\w-]+)(?:, a \w+)? \| `(.+)` \|$", SECTION, re.MULTILINE))


async def test_the_program_of_the_docs_fails_liveness_once_its_client_is_closed_and_not_before(
    get_server: GetServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = get_server("nats")

    async def ignore(error: Exception) -> None: ...

    options: Any = {"user": USER, "password": PASSWORD, "error_cb": ignore, "reconnect_time_wait": 0.05}
    monkeypatch.setattr(nats, "connect", functools.partial(nats.connect, max_reconnect_attempts=4, **options))
    async with server.proxied() as proxy:
        namespace: dict[str, Any] = {"NATS": f"nats://127.0.0.1:{proxy.port}"}
        exec(PROGRAM, namespace)
        app, api, not_closed = namespace["app"], namespace["api"], namespace["not_closed"]
        await expect(not_closed, Status.HEALTHY, "^$")
        async with lifespan(app):
            await settled(app.health)
            assert (await probe(app, "/livez")).status == 200
            assert (await probe(app, "/readyz")).status == 200
            assert [check.name for check in app.health.report(Probe.LIVENESS).checks] == ["client-open"]
            proxy.reset()
            await wait_until_async(lambda: api.state.nats.is_reconnecting, "it reconnects")
            await expect(not_closed, Status.HEALTHY, "^$")
            await wait_until_async(lambda: api.state.nats.is_closed, "it has given up")
            await expect(not_closed, Status.UNHEALTHY, "^RuntimeError: the client of NATS is closed for good")


DRIVERS = {
    "nats": "nats-py",
    "asyncpg": "asyncpg",
    "psycopg": "psycopg",
    "aiomysql": "aiomysql",
    "aio-pika": "aio-pika",
    "aio-pika-plain": "aio-pika",
}
"""By row: the name of its client in the table."""


@pytest.mark.parametrize("row", [row for row in ROWS if row.name in DRIVERS], ids=str)
async def test_the_property_of_a_closed_client_is_true(row: Row, get_server: GetServer) -> None:
    closed = CLOSED[DRIVERS[row.name]]
    assert row.close is not None
    async with row.open(Target(get_server(row.server).port)) as client:
        await expect(row.check(client), Status.HEALTHY, "")
        assert not eval(closed, {"client": client})
        await row.close(client)
        assert eval(closed, {"client": client})


def test_every_client_of_the_table_is_tested() -> None:
    assert set(DRIVERS.values()) == set(CLOSED)
    assert set(DRIVERS) <= {row.name for row in ROWS}
