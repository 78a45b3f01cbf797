"""A server that refuses an extra connection because it is full is alive: the exhausted pool has its connections."""

import gc
from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from asgi_health import Status
from asgi_health.checks._support.pool import refused_because_full
from tests.support.waiting import wait_until_async

from .conftest import GetServer
from .observe import expect
from .rows import ROWS, Row
from .servers import Server, Target
from .servers.postgres import Postgres
from .servers.server import LIMITED

pytestmark = pytest.mark.anyio

DATABASES = {"postgres": "health", "mariadb": "information_schema"}
OTHERS = {"postgres": "asyncpg", "mariadb": "aiomysql"}
NO_ROOM = "too many connections for role|exceeded the 'max_user_connections' resource"


def rows(*, of_alembic: bool = False, server: str = "") -> pytest.MarkDecorator:
    found = [row for row in ROWS if row.server in DATABASES and row.occupy and (row.extra == "alembic") is of_alembic]
    return pytest.mark.parametrize("row", [row for row in found if server in row.server], ids=str)


@asynccontextmanager
async def limited_client(server: Server, row: Row) -> AsyncGenerator[Any]:
    """A client whose user may have two connections, and has none yet."""
    gc.collect()  # connections of cancelled runs may be open until then
    await wait_until_async(lambda: server.connections() == 0, "no client is connected")
    async with one_more(server, row) as client:
        yield client


def one_more(server: Server, row: Row) -> AbstractAsyncContextManager[Any]:
    return row.open(replace(Target(server.port), user=LIMITED, database=DATABASES[row.server]))


def occupied(row: Row, pool: Any) -> AbstractAsyncContextManager[None]:
    assert row.occupy is not None
    return row.occupy(pool)


@rows()
async def test_an_exhausted_pool_with_all_connections_of_a_full_server_is_degraded(server: Server, row: Row) -> None:
    async with limited_client(server, row) as pool, occupied(row, pool):
        await expect(row.check(pool), Status.DEGRADED, "^pool exhausted: 2 of 2 in use$")


@rows(of_alembic=True)
async def test_a_refusal_of_a_full_server_fails_the_check_of_a_schema(server: Server, row: Row) -> None:
    async with limited_client(server, row) as pool, occupied(row, pool):
        await expect(row.check(pool), Status.UNHEALTHY, NO_ROOM)


@rows()
async def test_a_pool_without_connections_on_a_full_server_is_not_exhausted(server: Server, row: Row) -> None:
    other = next(each for each in ROWS if each.name == OTHERS[row.server])
    async with limited_client(server, other) as others, occupied(other, others), one_more(server, row) as pool:
        await expect(row.check(pool), Status.UNHEALTHY, NO_ROOM)


@pytest.fixture
def postgres(get_server: GetServer) -> Iterator[Postgres]:
    server = get_server("postgres")
    assert isinstance(server, Postgres)
    yield server
    server.ask(f"ALTER ROLE {LIMITED} PASSWORD 'rightsecret'")


@rows(server="postgres")
async def test_another_refusal_for_an_exhausted_pool_stays_a_failure(postgres: Postgres, row: Row) -> None:
    async with limited_client(postgres, row) as pool, occupied(row, pool):
        postgres.ask(f"ALTER ROLE {LIMITED} PASSWORD 'wrongsecret'")
        await expect(row.check(pool), Status.UNHEALTHY, 'password authentication failed for user "limited"')


class DriverError(Exception):
    """What a driver raises."""

    sqlstate: str | None = None


class Wrapped(Exception):
    def __init__(self, orig: Exception) -> None:
        super().__init__(f"(driver) {orig}")
        self.orig = orig


def coded(code: str, *arguments: Any) -> DriverError:
    error = DriverError(*arguments)
    error.sqlstate = code
    return error


FULL = [
    DriverError('connection to server at "127.0.0.1", port 5432 failed: FATAL:  sorry, too many clients already'),
    DriverError("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute"),
    DriverError('FATAL:  too many connections for database "health"'),
    coded("53300"),
    coded("53400"),
    coded("42000", 1203, "User health already has more than 'max_user_connections' active connections"),
    DriverError(1040, "Too many connections"),
    DriverError(1203, "User health already has more than 'max_user_connections' active connections"),
    DriverError(1226, "User 'health' has exceeded the 'max_user_connections' resource (current value: 2)"),
    DriverError(1226, "User 'health' has exceeded the 'max_connections_per_hour' resource (current value: 2)"),
]
NOT_FULL = [
    DriverError(),
    DriverError('FATAL:  password authentication failed for user "too many connections for role"'),
    coded("28P01"),
    DriverError(1045, "Access denied"),
    DriverError(1226, "User 'health' has exceeded the 'max_questions' resource (current value: 2)"),
    ConnectionRefusedError(111, "Connection refused"),
]


@pytest.mark.parametrize("error", [*FULL, *map(Wrapped, FULL)], ids=str)
def test_a_full_server_is_recognised_by_its_code_its_number_or_its_message(error: Exception) -> None:
    assert refused_because_full(error)


@pytest.mark.parametrize("error", [*NOT_FULL, *map(Wrapped, NOT_FULL)], ids=str)
def test_every_other_refusal_is_not_that_of_a_full_server(error: Exception) -> None:
    assert not refused_because_full(error)
