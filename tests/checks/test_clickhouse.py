"""What is special about ClickHouse: sessions that take one query at a time, and what is asked on another connection."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, ProgrammingError

from asgi_health import Status
from asgi_health.checks.clickhouse import clickhouse_client
from tests.support.waiting import wait_until_async

from .conftest import GetServer
from .observe import expect, observe
from .proxy import proxied
from .rows.clickhouse import REFUSED, Client, occupy, opener
from .servers import Target
from .servers.clickhouse import ClickHouse
from .servers.server import UNPRIVILEGED

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("checks clickhouse")]

SESSION = "of-the-application"
open_client = opener(session=None)
open_client_with_session = opener(session=SESSION)
each_client = pytest.mark.parametrize("opened", [open_client, open_client_with_session], ids=["plain", "with session"])


@pytest.fixture
def server(get_server: GetServer) -> Iterator[ClickHouse]:
    server = get_server("clickhouse")
    assert isinstance(server, ClickHouse)
    yield server
    server.restore()


@each_client
async def test_a_run_is_one_round_trip_and_one_query(server: ClickHouse, opened: Any) -> None:
    def queries() -> int:
        return int(server.query("SELECT value FROM system.events WHERE event = 'Query'"))

    async with proxied(server.port) as proxy, opened(Target(proxy.port)) as client:
        check = clickhouse_client(client)
        await expect(check, Status.HEALTHY, "^$")
        trips, first, second = proxy.trips, queries(), queries()
        for _ in range(20):
            assert (await observe(check)).result.status is Status.HEALTHY
        assert proxy.trips - trips == 20
        assert queries() - second - (second - first) == 20


async def test_to_connect_is_enough(server: ClickHouse) -> None:
    async with open_client(replace(Target(server.port), user=UNPRIVILEGED, database="default")) as client:
        with pytest.raises(DatabaseError):
            await client.command("CREATE TABLE default.pages (number UInt8) ENGINE = Memory")
        await expect(clickhouse_client(client), Status.HEALTHY, "^$")


async def test_a_query_of_the_application_in_its_session_does_not_fail_the_check(server: ClickHouse) -> None:
    async with open_client_with_session(Target(server.port)) as client:
        query = asyncio.create_task(client.command("SELECT sleep(1)"))
        await wait_until_async(lambda: "sleep" in server.query("SHOW PROCESSLIST"), "the query runs")
        with pytest.raises(ProgrammingError, match="concurrent queries within the same session"):
            await client.command("SELECT 1")
        await expect(clickhouse_client(client), Status.HEALTHY, "^$")
        await query


async def test_a_run_does_not_fail_a_query_of_the_application_in_its_session(server: ClickHouse) -> None:
    async with proxied(server.port) as proxy, open_client_with_session(Target(proxy.port)) as client:
        check = clickhouse_client(client)
        proxy.delay(0.2)
        running = asyncio.create_task(observe(check))
        # Private: the session is what two queries at once are refused for.
        await wait_until_async(lambda: client._backend._active_session is not None, "the check has asked")
        assert await client.command("SELECT 2") == 2
        assert (await running).result.status is Status.HEALTHY


@each_client
async def test_a_run_that_was_cut_off_leaves_the_client_as_it_was(server: ClickHouse, opened: Any) -> None:
    async with opened(Target(server.port)) as client:
        if opened is open_client_with_session:
            await client.command("CREATE TEMPORARY TABLE pages AS SELECT 7 AS number")
        check = clickhouse_client(client)
        await expect(check, Status.HEALTHY, "^$")
        server.daemon.freeze()
        for _ in range(3):
            await expect(check, Status.UNHEALTHY, "timed out", timeout=0.05)
        server.daemon.thaw()
        assert [await client.command(f"SELECT {number}") for number in range(5)] == [*range(5)]
        if opened is open_client_with_session:
            assert await client.command("SELECT number FROM pages") == 7


async def test_the_session_of_a_run_is_dropped_by_the_server(
    server: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_client_with_session(Target(server.port)) as client:
        used: list[dict[str, str]] = []
        command = client.command

        async def noted(question: str, settings: dict[str, str]) -> object:
            used.append(settings)
            return await command(question, settings=settings)

        monkeypatch.setattr(client, "command", noted)
        for _ in range(2):
            await expect(clickhouse_client(client), Status.HEALTHY, "^$")
        first, second = used
        assert len({first["session_id"], second["session_id"], SESSION}) == 3

        look = {**first, "session_check": "1"}  # an error where there is no such session
        with pytest.raises(DatabaseError, match="Session not found"):
            for seconds in (0.0, 3.0, 6.0, 12.0):  # a look gives the session another second, so it cannot be polled
                await asyncio.sleep(seconds)
                await command("SELECT 1", settings=look)


async def test_what_is_opened_while_all_connections_are_in_use_is_closed_again(server: ClickHouse) -> None:
    async with open_client(Target(server.port)) as client, occupy(client):
        before = server.connections()
        for _ in range(5):
            await expect(clickhouse_client(client), Status.DEGRADED, "^pool exhausted: 2 of 2 in use$")
        await wait_until_async(lambda: server.connections() == before, "the connections of the client alone are open")


async def test_a_client_that_hides_errors_hides_no_reason(free_port: int) -> None:
    client = Client("http", "127.0.0.1", free_port, show_clickhouse_errors=False)
    client._backend.ensure_session()  # private: the public functions ask the server first
    try:
        await expect(clickhouse_client(client), Status.UNHEALTHY, REFUSED)
    finally:
        await client.close()
