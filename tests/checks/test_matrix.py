"""One table: the rows are ways to reach a technology, the columns what can happen to it. A test is a column."""

import asyncio
import gc
import os
import threading
import warnings
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace

import anyio
import anyio.to_thread
import pytest

from asgi_health import Status

from .observe import expect, observe, recovers, until
from .proxy import proxied
from .rows import COLUMNS, ROWS, Row
from .servers import Server, Target
from .servers.mark import WRONG_PASSWORD

pytestmark = pytest.mark.anyio


def rows(column: str) -> pytest.MarkDecorator:
    """The rows that have that column."""
    return pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS if column in row.says])


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_row_has_every_column_or_says_why_it_cannot(row: Row) -> None:
    assert sorted([*row.says, *row.without]) == sorted(COLUMNS)


@rows("healthy")
async def test_healthy(row: Row, server: Server) -> None:
    async with row.open(Target(server.port)) as client:
        result = await expect(row.check(client), Status.HEALTHY, row.says["healthy"])
        if row.takes_client:
            await expect(row.check(lambda: client), Status.HEALTHY, row.says["healthy"])
        if row.occupy is not None:
            assert set(result.data) >= {"pool_in_use", "pool_size"}


@rows("refused")
async def test_refused_until_the_server_is_there(row: Row, server: Server, nobody: int) -> None:
    """A proxy makes it be there: nothing listened on that port before, and no server needs to boot."""
    async with AsyncExitStack() as network:
        async with row.open(Target(nobody)) as client:
            check = row.check(client)
            for _ in range(3):
                await expect(check, Status.UNHEALTHY, row.says["refused"])
            await network.enter_async_context(proxied(server.port, at=nobody))
            await recovers(check)


@rows("killed")
async def test_killed_while_pooled(row: Row, server: Server) -> None:
    async with row.open(Target(server.port)) as client:
        check = row.check(client)
        await expect(check, Status.HEALTHY, "")
        server.daemon.kill()
        for _ in range(3):
            await expect(check, Status.UNHEALTHY, row.says["killed"])
        server.start()
        await recovers(check)


@rows("frozen")
async def test_frozen_and_thawed(row: Row, server: Server) -> None:
    async with row.open(Target(server.port)) as client:
        check = row.check(client)
        await expect(check, Status.HEALTHY, "")
        server.daemon.freeze()
        for _ in range(3):
            await expect(check, Status.UNHEALTHY, row.says["frozen"])
        server.daemon.thaw()
        await recovers(check)


@rows("blackholed")
async def test_blackholed(row: Row, server: Server) -> None:
    async with server.proxied() as proxy, row.open(Target(proxy.port)) as client:
        check = row.check(client)
        await expect(check, Status.HEALTHY, "")
        proxy.swallow()
        for _ in range(3):
            await expect(check, Status.UNHEALTHY, row.says["blackholed"])
        proxy.heal()
        await recovers(check)


@rows("reset")
async def test_reset(row: Row, server: Server) -> None:
    async with server.proxied() as proxy, row.open(Target(proxy.port)) as client:
        check = row.check(client)
        await expect(check, Status.HEALTHY, "")
        proxy.reset()
        for _ in range(3):
            await expect(check, Status.UNHEALTHY, row.says["reset"])
        proxy.heal()
        await recovers(check)


@rows("trickled")
async def test_trickled(row: Row, server: Server) -> None:
    async with server.proxied() as proxy, row.open(Target(proxy.port)) as client:
        check = row.check(client)
        await expect(check, Status.HEALTHY, "")
        proxy.trickle()
        for _ in range(3):
            await expect(check, Status.UNHEALTHY, row.says["trickled"])
        proxy.heal()
        await recovers(check)


@rows("wrong_password")
async def test_wrong_password(row: Row, server: Server) -> None:
    """There is no recovery to see: the client keeps what it was given, and the application has to be started anew."""
    async with row.open(replace(Target(server.port), password=WRONG_PASSWORD)) as client:
        await expect(row.check(client), Status.UNHEALTHY, row.says["wrong_password"])


@rows("wrong_database")
async def test_wrong_database(row: Row, server: Server) -> None:
    async with row.open(replace(Target(server.port), database="nowhere")) as client:
        await expect(row.check(client), Status.UNHEALTHY, row.says["wrong_database"])


@rows("exhausted")
async def test_an_exhausted_pool_is_no_dead_server(row: Row, server: Server) -> None:
    assert row.occupy is not None
    async with row.open(Target(server.port)) as client:
        check = row.check(client)
        async with row.occupy(client):
            for _ in range(3):
                result = await expect(check, Status.DEGRADED, row.says["exhausted"])
                assert result.data["pool_in_use"] == result.data["pool_size"]
        await expect(check, Status.HEALTHY, "")


@rows("exhausted_and_frozen")
async def test_an_exhausted_pool_does_not_hide_a_frozen_server(row: Row, server: Server) -> None:
    assert row.occupy is not None
    async with row.open(Target(server.port)) as client:
        check = row.check(client)
        async with row.occupy(client):
            server.daemon.freeze()
            await expect(check, Status.UNHEALTHY, row.says["exhausted_and_frozen"])
            server.daemon.thaw()
        await recovers(check)


@rows("exhausted_and_killed")
async def test_an_exhausted_pool_does_not_hide_a_dead_server(row: Row, server: Server) -> None:
    assert row.occupy is not None
    async with row.open(Target(server.port)) as client:
        check = row.check(client)
        busy = AsyncExitStack()
        await busy.enter_async_context(row.occupy(client))
        server.daemon.kill()
        try:
            await expect(check, Status.UNHEALTHY, row.says["exhausted_and_killed"])
        finally:
            with suppress(Exception):  # giving back a dead connection may raise, or not
                await busy.aclose()
        server.start()
        await recovers(check)


@rows("closed")
async def test_a_closed_client_is_told(row: Row, server: Server) -> None:
    assert row.close is not None
    async with row.open(Target(server.port)) as client:
        check = row.check(client)
        await expect(check, Status.HEALTHY, "")
        await row.close(client)
        await expect(check, Status.UNHEALTHY, row.says["closed"])


@rows("two_hundred_runs")
async def test_two_hundred_runs_leak_nothing(row: Row, server: Server) -> None:
    """Nor do runs that the deadline cuts off."""
    async with row.open(Target(server.port)) as client:
        check = row.check(client)
        if row.occupy is not None:
            async with row.occupy(client):
                pass  # its pool is as large as it gets from here on
        for _ in range(5):
            await expect(check, Status.HEALTHY, "")
        before = await anyio.to_thread.run_sync(held, server)
        tasks = len(asyncio.all_tasks())

        async def no_more() -> None:
            # What was closed needs a moment to be gone on the other side too.
            try:
                await until(
                    lambda: held(server) <= before and len(asyncio.all_tasks()) <= tasks,
                    f"no more than {before} and {tasks} tasks",
                )
            except AssertionError as error:
                raise AssertionError(f"{error}, but {held(server)} and {asyncio.all_tasks()}") from None

        for _ in range(200):
            assert (await observe(check)).result.status is Status.HEALTHY
        await no_more()
        server.daemon.freeze()
        with warnings.catch_warnings():
            # What a driver drops without closing it when it is cancelled, Python closes. What stays open is counted.
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
    files: int
    """Descriptors open in this process."""

    def __le__(self, other: "Held") -> bool:
        return self.connections <= other.connections and self.threads <= other.threads and self.files <= other.files


def held(server: Server) -> Held:
    gc.collect()
    return Held(server.connections(), threading.active_count(), len(os.listdir("/proc/self/fd")))
