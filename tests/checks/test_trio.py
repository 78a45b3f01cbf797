"""Checks that work on trio, and checks that fail there with the reason."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from inspect import iscoroutinefunction
from pathlib import Path

import aiosqlite
import pytest
from anyio.from_thread import start_blocking_portal

from asgi_health import Status
from asgi_health.checks.dns import dns_name
from asgi_health.checks.heartbeat import Heartbeat
from asgi_health.checks.loop import loop_lag
from asgi_health.checks.process import open_files
from asgi_health.checks.sqlite import aiosqlite_connection, sqlite_database
from asgi_health.checks.threads import thread_limiter

from .loops import on_trio
from .observe import CheckFunction, expect
from .rows import ROWS, Row
from .servers import Server, Target

pytestmark = [pytest.mark.anyio, on_trio]

NEEDS_ASYNCIO = "^ClientError: the driver needs asyncio, and the event loop is trio's$"


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_a_check_works_on_trio_or_fails_because_of_its_driver(row: Row, server: Server) -> None:
    if row.any_loop:
        async with row.open(Target(server.port)) as client:
            await expect(row.check(client), Status.HEALTHY, row.messages["healthy"])
        return
    # The client works, on another loop.
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(row.open(Target(server.port))) as client:
        plain = not iscoroutinefunction(row.check(client))
        for given in (client, lambda: client) if row.takes_client else (client,):
            if plain:
                await expect(row.check(given), Status.HEALTHY, row.messages["healthy"])
            else:
                await expect(row.check(given), Status.UNHEALTHY, NEEDS_ASYNCIO)


async def test_aiosqlite_reports_trio_too() -> None:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(aiosqlite.connect(":memory:")) as client:
        await expect(aiosqlite_connection(client), Status.UNHEALTHY, NEEDS_ASYNCIO)


async def test_sqlite_by_its_path_works(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "file")) as connection:
        connection.execute("CREATE TABLE pages (number)")
    await expect(sqlite_database(tmp_path / "file"), Status.HEALTHY, "^$")


def beating() -> CheckFunction:
    beat = Heartbeat(max_age=60.0)
    beat()
    return beat.check


@pytest.mark.parametrize(
    "make",
    [lambda: dns_name("localhost"), beating, lambda: loop_lag(max_lag=20.0), open_files, thread_limiter],
    ids=["dns", "heartbeat", "loop lag", "open files", "threads"],
)
async def test_checks_without_a_driver_work(make: Callable[[], CheckFunction]) -> None:
    await expect(make(), Status.HEALTHY, "^$", timeout=30.0)
