"""What is special about memcached: what a run costs, and what aiomcache does by itself."""

from collections.abc import Iterator

import aiomcache
import pytest

from asgi_health import Status
from asgi_health.checks.memcached import aiomcache_client
from tests.support.waiting import wait_until_async

from .conftest import GetServer
from .observe import expect, observe
from .rows.memcached import occupy_aiomcache, open_aiomcache
from .servers import Target
from .servers.memcached import Memcached

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("checks memcached")]


@pytest.fixture
def server(get_server: GetServer) -> Iterator[Memcached]:
    server = get_server("memcached")
    assert isinstance(server, Memcached)
    yield server
    server.restore()


async def test_a_run_is_one_request(server: Memcached) -> None:
    """The server does not count `version`, so the bytes that it reads are counted."""
    async with open_aiomcache(Target(server.port)) as client:
        check = aiomcache_client(client)
        await expect(check, Status.HEALTHY, "")

        async def bytes_read_in(runs: int) -> int:
            before = server.counters()["bytes_read"]
            for _ in range(runs):
                assert (await observe(check)).result.status is Status.HEALTHY
            return server.counters()["bytes_read"] - before

        idle = await bytes_read_in(0)
        assert await bytes_read_in(20) - idle == 20 * len(b"version\r\n")


async def test_the_application_reads_no_answer_to_a_cancelled_run(server: Memcached) -> None:
    async with open_aiomcache(Target(server.port)) as client:
        check = aiomcache_client(client)
        await expect(check, Status.HEALTHY, "")
        server.daemon.freeze()
        for _ in range(3):
            await expect(check, Status.UNHEALTHY, "timed out", timeout=0.05)
        server.daemon.thaw()
        for _ in range(5):
            assert await client.get(b"key") is None


async def test_a_server_that_was_restarted_since_the_last_run_is_healthy(server: Memcached) -> None:
    async with open_aiomcache(Target(server.port)) as client:
        await expect(aiomcache_client(client), Status.HEALTHY, "")
        server.daemon.kill()
        server.start()
        await expect(aiomcache_client(client), Status.HEALTHY, "^$")


async def test_the_extra_connection_for_an_exhausted_pool_is_closed(server: Memcached) -> None:
    async with open_aiomcache(Target(server.port)) as client, occupy_aiomcache(client):
        before = server.connections()
        for _ in range(5):
            await expect(aiomcache_client(client), Status.DEGRADED, "pool exhausted")
        await wait_until_async(lambda: server.connections() == before, "only the pool is connected")


async def test_a_pool_is_exhausted_at_its_smallest_number_of_connections(server: Memcached) -> None:
    client = aiomcache.Client("127.0.0.1", server.port, pool_size=8, pool_minsize=1)
    connection = await client._pool.acquire()  # private: aiomcache has no public way to keep a connection
    await expect(aiomcache_client(client), Status.DEGRADED, "^pool exhausted: 1 of 1 in use$")
    client._pool.release(connection)
    await expect(aiomcache_client(client), Status.HEALTHY, "")
    await client.close()
