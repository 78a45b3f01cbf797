"""What a run costs a database: its round trips, counted on the wire, and its statements, as the server logs them."""

import pytest
from tests.checks.conftest import GetServer
from tests.checks.observe import observe
from tests.checks.proxy import proxied
from tests.checks.rows import ROWS, Row
from tests.checks.servers import Target
from asgi_health import Status
pytestmark = pytest.mark.anyio

@pytest.mark.parametrize("row", [row for row in ROWS if row.server in ( "postgres", "mariadb")], ids=str)
async def test_x(row: Row, server) -> None:
    async with proxied(server.port) as proxy, row.open(Target(proxy.port)) as pool:
        check = row.check(pool)
        for _ in range(10):
            r = (await observe(check)).result
            assert r.status is Status.HEALTHY, r
        t = proxy.trips
        n = len(server.statements()) if row.server == "postgres" else server.status("Questions")
        for _ in range(20):
            assert (await observe(check)).result.status is Status.HEALTHY
        print(row, (proxy.trips - t)/20,  server.statements()[n:n+5] if row.server == "postgres" else server.status("Questions")-n)
