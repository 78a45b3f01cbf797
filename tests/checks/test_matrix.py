"""A matrix: a row is a way to reach a technology, a column is a situation. Each test is a column or several."""

import asyncio
import gc
import os
import threading
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace

import anyio
import anyio.to_thread
import pytest

from asgi_health import Status
from tests.support.waiting import wait_until_async

from .observe import TIMED_OUT, expect, observe, recovers
from .proxy import proxied
from .rows import COLUMNS, ROWS, Row
from .servers import Server, Target
from .servers.server import WRONG_PASSWORD

pytestmark = pytest.mark.anyio


def rows(*columns: str) -> pytest.MarkDecorator:
    """Parametrise with the rows that have that column; for several columns, with each column and its rows."""
    cells = [(row, column) for column in columns for row in ROWS if column in row.messages]
    if len(columns) == 1:
        return pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row, _ in cells])
    return pytest.mark.parametrize(
        ("row", "column"), [pytest.param(row, column, id=f"{column}-{row.name}") for row, column in cells]
    )


def times(row: Row) -> int:
    """How many runs show that a run returns its connection: one more than the pool has connections."""
    return 3 if row.occupy else 2


def test_every_row_has_every_column_or_a_reason_against_it() -> None:
    assert {row.name: sorted([*row.messages, *row.without]) for row in ROWS} == {
        row.name: sorted(COLUMNS) for row in ROWS
    }


@pytest.mark.smoke
@rows("healthy")
async def test_healthy(row: Row, server: Server) -> None:
    async with row.open(Target(server.port)) as client:
        result = await expect(row.check(client), Status.HEALTHY, row.messages["healthy"])
        if row.takes_client:
            await expect(row.check(lambda: client), Status.HEALTHY, row.messages["healthy"])
        if row.occupy is not None:
            assert set(result.data) >= {"pool_in_use", "pool_size"}


@pytest.mark.smoke
@rows("refused")
async def test_refused_until_the_server_is_there(row: Row, server: Server, free_port: int) -> None:
    """A proxy starts to listen on that port, so that no server needs to boot."""
    async with AsyncExitStack() as network:
        async with row.open(Target(free_port)) as client:
            check = row.check(client)
            for _ in range(times(row)):
                await expect(check, Status.UNHEALTHY, row.messages["refused"], category="refused")
            await network.enter_async_context(proxied(server.port, at=free_port))
            await recovers(check)


BOOT_SLOWLY = {"aws", "mariadb", "postgres", "rabbitmq"}
KILLED_ALL_THE_SAME = {
    "aio-pika",
    "asyncmy",
    "asyncpg",
    "celery-workers-rabbitmq",
    "django+pymysql",
    "s3",
    "sqlalchemy+psycopg",
}
"""Rows for which a slowly booting server is killed. For its other rows a proxy is closed instead, which their clients
cannot distinguish."""


@dataclass(frozen=True)
class Line:
    """A network path to a server, which can fail and be restored."""

    port: int
    fail: Callable[[], object]
    restore: Callable[[], Awaitable[None]]


@asynccontextmanager
async def line(row: Row, column: str, server: Server) -> AsyncGenerator[Line]:
    if column == "frozen":
        yield Line(server.port, server.daemon.freeze, asynced(server.daemon.thaw))
    elif column == "killed" and (row.server not in BOOT_SLOWLY or row.name in KILLED_ALL_THE_SAME):
        yield Line(server.port, server.daemon.kill, asynced(server.start))
    else:
        async with server.proxied() as proxy:
            fail, restore = {
                "killed": (proxy.die, proxy.rise),
                "blackholed": (proxy.swallow, asynced(proxy.heal)),
                "reset": (proxy.reset, asynced(proxy.heal)),
                "trickled": (proxy.trickle, asynced(proxy.heal)),
            }[column]
            yield Line(proxy.port, fail, restore)


def asynced(function: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        function()

    return run


@rows("killed", "frozen", "blackholed", "reset", "trickled")
async def test_a_failure_of_a_pooled_connection_is_reported_until_it_is_repaired(
    row: Row, column: str, server: Server
) -> None:
    async with line(row, column, server) as way, row.open(Target(way.port)) as client:
        check = row.check(client)
        await expect(check, Status.HEALTHY, "")
        way.fail()
        for _ in range(times(row)):
            category = "timeout" if row.messages[column] == TIMED_OUT else None
            await expect(check, Status.UNHEALTHY, row.messages[column], category=category)
        await way.restore()
        await recovers(check)


@rows("wrong_password")
async def test_wrong_password(row: Row, server: Server) -> None:
    """There is no recovery: the client keeps its password until the application is restarted."""
    async with row.open(replace(Target(server.port), password=WRONG_PASSWORD)) as client:
        await expect(row.check(client), Status.UNHEALTHY, row.messages["wrong_password"], category="auth")


@rows("wrong_database")
async def test_wrong_database(row: Row, server: Server) -> None:
    async with row.open(replace(Target(server.port), database="nowhere")) as client:
        await expect(row.check(client), Status.UNHEALTHY, row.messages["wrong_database"])


@rows("exhausted")
async def test_an_exhausted_pool_is_degraded(row: Row, server: Server) -> None:
    assert row.occupy is not None
    async with row.open(Target(server.port)) as client:
        check = row.check(client)
        async with row.occupy(client):
            for _ in range(2):
                result = await expect(check, Status.DEGRADED, row.messages["exhausted"])
                assert result.data["pool_in_use"] == result.data["pool_size"]
        await expect(check, Status.HEALTHY, "")


@rows("exhausted_and_frozen")
async def test_an_exhausted_pool_does_not_hide_a_frozen_server(row: Row, server: Server) -> None:
    assert row.occupy is not None
    async with row.open(Target(server.port)) as client:
        check = row.check(client)
        async with row.occupy(client):
            server.daemon.freeze()
            await expect(check, Status.UNHEALTHY, row.messages["exhausted_and_frozen"])
            server.daemon.thaw()
        await recovers(check)


@rows("exhausted_and_killed")
async def test_an_exhausted_pool_does_not_hide_a_dead_server(row: Row, server: Server) -> None:
    """A proxy is closed instead of the server, so that no server needs to boot."""
    assert row.occupy is not None
    async with server.proxied() as proxy, row.open(Target(proxy.port)) as client:
        check = row.check(client)
        busy = AsyncExitStack()
        await busy.enter_async_context(row.occupy(client))
        proxy.die()
        try:
            await expect(check, Status.UNHEALTHY, row.messages["exhausted_and_killed"])
        finally:
            with suppress(Exception):  # returning a dead connection to its pool may raise
                await busy.aclose()
        await proxy.rise()
        await recovers(check)


@rows("closed")
async def test_a_closed_client_fails(row: Row, server: Server) -> None:
    assert row.close is not None
    async with row.open(Target(server.port)) as client:
        check = row.check(client)
        await expect(check, Status.HEALTHY, "")
        await row.close(client)
        await expect(check, Status.UNHEALTHY, row.messages["closed"])


@rows("many_runs")
async def test_sixty_runs_leak_nothing(row: Row, server: Server) -> None:
    """Nothing may grow, so a leak of one per run shows. Runs that the deadline cancels leak nothing either."""
    async with row.open(Target(server.port)) as client:
        check = row.check(client)
        if row.occupy is not None:
            async with row.occupy(client):
                pass  # the pool has its full size from here on
        for _ in range(5):
            await expect(check, Status.HEALTHY, "")
        before = await anyio.to_thread.run_sync(held, server)
        tasks = len(asyncio.all_tasks())

        async def no_more() -> None:
            # The server needs a moment to close its side of a connection.
            try:
                await wait_until_async(
                    lambda: held(server) <= before and len(asyncio.all_tasks()) <= tasks,
                    f"no more than {before} and {tasks} tasks",
                )
            except AssertionError as error:
                raise AssertionError(f"{error}, but {held(server)} and {asyncio.all_tasks()}") from None

        for _ in range(60):
            assert (await observe(check)).result.status is Status.HEALTHY
        await no_more()
        server.daemon.freeze()
        with warnings.catch_warnings():
            # Python closes, with a warning, what a cancelled driver did not close. What stays open is counted.
            warnings.simplefilter("ignore", ResourceWarning)
            for _ in range(10):
                assert (await observe(check, 0.02)).result.status is Status.UNHEALTHY
        server.daemon.thaw()
        await recovers(check)
        await no_more()


@dataclass(frozen=True)
class Held:
    connections: int
    """As the server counts them."""
    threads: int
    """Without those of the loop's own executor, which never end."""
    files: int
    """Descriptors open in this process."""

    def __le__(self, other: "Held") -> bool:
        return self.connections <= other.connections and self.threads <= other.threads and self.files <= other.files


def held(server: Server) -> Held:
    gc.collect()
    threads = sum(not thread.name.startswith("asyncio_") for thread in threading.enumerate())
    return Held(server.connections(), threads, len(os.listdir("/proc/self/fd")))
