"""What is special about ARQ: the worker."""

import asyncio
from collections.abc import Iterator

import pytest

from asgi_health import Status
from asgi_health.checks.arq import arq_pool, arq_worker
from tests.support.waiting import wait_until_async

from .conftest import GetServer
from .observe import expect, observe, recovers
from .servers import Target
from .servers.redis import Redis

pytest.importorskip("arq", reason="ARQ cannot be installed with the redis of today: see pyproject.toml")
from .rows.arq import a_worker, open_pool

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("checks redis")]


@pytest.fixture
def server(get_server: GetServer) -> Iterator[Redis]:
    server = get_server("redis")
    assert isinstance(server, Redis)
    server.ask("FLUSHALL")
    yield server
    server.restore()


async def test_a_worker_is_alive_from_its_start_to_its_end(server: Redis) -> None:
    async with open_pool(Target(server.port)) as pool, open_pool(Target(server.port)) as of_worker:
        check = arq_worker(pool)
        await expect(check, Status.UNHEALTHY, "^no worker is alive: there is no key arq:queue:health-check$")
        worker = a_worker(of_worker)
        working = asyncio.create_task(worker.main())
        await recovers(check)
        working.cancel()
        await asyncio.wait([working])
        with pytest.warns(DeprecationWarning, match="aclose"):  # of arq, by redis
            await worker.close()
        await expect(check, Status.UNHEALTHY, "^no worker is alive")


async def test_a_worker_whose_key_has_expired_is_dead(server: Redis) -> None:
    async with open_pool(Target(server.port)) as pool:
        await a_worker(pool).record_health()
        await expect(arq_worker(pool), Status.HEALTHY, "")
        server.ask("PEXPIRE arq:queue:health-check 1")
        await wait_until_async(lambda: server.ask("EXISTS arq:queue:health-check") == ":0", "it has expired")
        await expect(arq_worker(pool), Status.UNHEALTHY, "^no worker is alive")


async def test_a_worker_of_another_queue_does_not_count(server: Redis) -> None:
    async with open_pool(Target(server.port)) as pool:
        await a_worker(pool).record_health()
        await expect(arq_worker(pool, queue="other"), Status.UNHEALTHY, "there is no key other:health-check$")
        await expect(arq_worker(pool, key="mine"), Status.UNHEALTHY, "there is no key mine$")
        await expect(arq_worker(pool, key="arq:queue:health-check"), Status.HEALTHY, "")


@pytest.mark.parametrize("command", ["ping", "get"])
async def test_a_run_is_one_command(server: Redis, command: str) -> None:
    async with open_pool(Target(server.port)) as pool:
        await a_worker(pool).record_health()
        run = arq_pool(pool) if command == "ping" else arq_worker(pool)
        await expect(run, Status.HEALTHY, "")
        before = server.calls()
        for _ in range(20):
            assert (await observe(run)).result.status is Status.HEALTHY
        assert server.calls() == {**before, command: before.get(command, 0) + 20}
