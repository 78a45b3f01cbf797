"""What a run costs a database: its round trips, counted on the wire, and its statements, counted by the server."""

from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from asgi_health import Status
from asgi_health.checks.sqlalchemy import sqlalchemy_engine

from .conftest import GetServer
from .observe import CheckFunction, observe
from .proxy import Proxy, proxied
from .rows import ROWS, Row
from .rows.sqlalchemy import url
from .servers import Target
from .servers.mariadb import MariaDB
from .servers.postgres import Postgres

pytestmark = pytest.mark.anyio

WARM = 10  # runs after which the connection is open and the driver has prepared its statements
RUNS = 20

PING = ["SELECT 1"]
ALEMBIC_QUERIES = ["SELECT pg_catalog.pg_class.relname ", "SELECT alembic_version.version_num "]  # their first lines
STATEMENTS = {
    "alembic+asyncpg": ALEMBIC_QUERIES,
    "alembic+psycopg": ALEMBIC_QUERIES,
    "asyncpg": ["SELECT 1", "SELECT pg_advisory_unlock_all();"],  # the first line of asyncpg's reset
    "django": PING,
    "django+pool": PING,
    "psycopg": PING,
    "sqlalchemy+asyncpg": PING,
    "sqlalchemy+psycopg": PING,
    "sqlalchemy+psycopg-async": PING,
}

COM_PING = {"Com_admin_commands": 1}
QUERY = {"Com_select": 1, "Questions": 1}
QUERY_AND_ROLLBACK = {"Com_select": 1, "Com_rollback": 1, "Questions": 2}
COUNTED: dict[str, Mapping[str, int]] = {
    "aiomysql": COM_PING,
    "asyncmy": COM_PING,
    "django+pymysql": QUERY,
    "sqlalchemy+aiomysql": QUERY_AND_ROLLBACK,
    "sqlalchemy+asyncmy": QUERY_AND_ROLLBACK,
}
COUNTERS = (
    "Com_admin_commands",
    "Com_begin",
    "Com_commit",
    "Com_rollback",
    "Com_select",
    "Com_set_option",
    "Questions",
)


def rows(server: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", [row for row in ROWS if row.server == server], ids=str)


@rows("postgres")
async def test_a_run_is_as_many_statements_of_postgresql_as_the_docs_say(row: Row, server: Postgres) -> None:
    async with running(row, server.port) as (check, proxy):
        statements, trips = len(server.statements()), proxy.trips
        await run(check)
        assert server.statements()[statements:] == STATEMENTS[row.name] * RUNS
        assert proxy.trips - trips == len(STATEMENTS[row.name]) * RUNS


@rows("mariadb")
async def test_a_run_is_as_many_commands_of_mariadb_as_the_docs_say(row: Row, server: MariaDB) -> None:
    async with running(row, server.port) as (check, proxy):
        with server.counting(*COUNTERS) as count:
            before, trips = count(), proxy.trips
            await run(check)
            assert count() - before == Counter({name: n * RUNS for name, n in COUNTED[row.name].items()})
        of_both = COUNTED[row.name].get("Questions", 0) + COUNTED[row.name].get("Com_admin_commands", 0)
        assert proxy.trips - trips == of_both * RUNS


@pytest.mark.parametrize(
    ("driver", "server", "trips"),
    [
        ("postgresql+asyncpg", "postgres", 1 + 3),
        ("postgresql+psycopg", "postgres", 1 + 1),
        ("mysql+aiomysql", "mariadb", 2 + 1),
        ("mysql+asyncmy", "mariadb", 2 + 1),
    ],
)
async def test_an_engine_that_pings_first_costs_as_much_more_as_the_docs_say(
    get_server: GetServer, driver: str, server: str, trips: int
) -> None:
    async with proxied(get_server(server).port) as proxy:
        engine = create_async_engine(url(driver, Target(proxy.port)), pool_pre_ping=True)
        try:
            check = sqlalchemy_engine(engine)
            await run(check, WARM)
            before = proxy.trips
            await run(check)
            assert proxy.trips - before == trips * RUNS
        finally:
            await engine.dispose()


@asynccontextmanager
async def running(row: Row, port: int) -> AsyncGenerator[tuple[CheckFunction, Proxy]]:
    async with proxied(port) as proxy, row.open(Target(proxy.port)) as client:
        check = row.check(client)
        await run(check, WARM)
        yield check, proxy


async def run(check: CheckFunction, times: int = RUNS) -> None:
    for _ in range(times):
        assert (await observe(check)).result.status is Status.HEALTHY
