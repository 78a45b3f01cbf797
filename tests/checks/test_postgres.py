"""What is special about PostgreSQL: what a run costs, by the server's own counters."""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from asgi_health import Status

from .conftest import GetServer
from .observe import expect, observe, until
from .rows import ROWS, Row
from .servers import Target
from .servers.postgres import Postgres

pytestmark = pytest.mark.anyio


@pytest.fixture
def server(get_server: GetServer) -> Iterator[Postgres]:
    server = get_server("postgres")
    assert isinstance(server, Postgres)
    yield server
    server.mend()


TRANSACTIONS = {"asyncpg": 2} | dict.fromkeys(
    ("psycopg", "sqlalchemy+asyncpg", "sqlalchemy+psycopg-async", "sqlalchemy+psycopg", "django", "django+pool"), 1
)


@pytest.mark.parametrize("row", [row for row in ROWS if row.server == "postgres"], ids=str)
async def test_a_run_is_as_many_transactions_as_the_docs_say(server: Postgres, row: Row) -> None:
    async def committed(runs: int) -> int:
        before = server.transactions()
        async with row.open(Target(server.port)) as pool:
            check = row.check(pool)
            if row.occupy is not None:
                async with row.occupy(pool):
                    pass  # its connections are open from here on
            for _ in range(runs):
                assert (await observe(check)).result.status is Status.HEALTHY
        # PostgreSQL is sure to have counted what a connection did when that connection has ended.
        await until(lambda: server.connections() == 0, "nobody is connected")
        return server.transactions() - before

    # From one hundred to two: what a connection does once, such as preparing a statement, is not counted.
    assert await committed(200) - await committed(100) == 100 * TRANSACTIONS[row.name]


@pytest.mark.parametrize("row", [row for row in ROWS if row.server == "postgres" and row.occupy], ids=str)
async def test_what_is_opened_beside_an_exhausted_pool_is_closed_again(server: Postgres, row: Row) -> None:
    async with row.open(Target(server.port)) as pool, occupied(row, pool):
        for _ in range(20):
            await expect(row.check(pool), Status.DEGRADED, "pool exhausted")
        await until(lambda: server.connections() == 2, "only the pool is connected")


def occupied(row: Row, pool: Any) -> AbstractAsyncContextManager[None]:
    assert row.occupy is not None
    return row.occupy(pool)
