"""What is special about Celery: a connection that is kept, and the heartbeats of workers on it. With both brokers."""

import gc
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from celery import Celery

from asgi_health import Status
from asgi_health.checks._support.kombu import KeptConnection
from asgi_health.checks.celery import celery_broker, celery_workers
from tests.support.waiting import wait_until_async

from .conftest import GetServer
from .daemon import Daemon
from .observe import expect, observe, recovers, threads_ended, until_message
from .rows.celery import BROKERS, app_of, close_pools, working
from .rows.row import CELERY_GROUPS
from .servers import Target
from .servers.rabbitmq import RabbitMQ
from .servers.redis import Redis
from .servers.server import Server

pytestmark = pytest.mark.anyio

AGES = 600.0
SINCE = r"^heard 0 of 1 workers in the \d+\.\d s since it began to listen$"

StartWorker = Callable[[], Awaitable[Daemon]]


@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.xdist_group(f"checks {CELERY_GROUPS[name]}")) for name in BROKERS]
)
def server(request: pytest.FixtureRequest, get_server: GetServer) -> Iterator[Server]:
    server = get_server(request.param)
    if isinstance(server, Redis):
        server.ask("FLUSHALL")
    yield server
    server.restore()


one_broker = pytest.mark.parametrize(
    "server", [pytest.param("redis", marks=pytest.mark.xdist_group(f"checks {CELERY_GROUPS['redis']}"))], indirect=True
)
"""For what the workers say, whichever broker passes it on."""


@pytest.fixture
def address(server: Server) -> str:
    return address_of(server, server.port)


def address_of(server: Server, port: int) -> str:
    return BROKERS["redis" if isinstance(server, Redis) else "rabbitmq"](Target(port))


@asynccontextmanager
async def restartable(server: Server) -> AsyncGenerator[tuple[str, Callable[[], Awaitable[None]]]]:
    """The address of a broker, and a function that restarts it and returns when it answers again.

    Redis forgets its listeners when it dies. RabbitMQ forgets them when a connection is lost, and boots slowly: a proxy
    dies in its place.
    """
    async with AsyncExitStack() as stack:
        proxy = None if isinstance(server, Redis) else await stack.enter_async_context(server.proxied())
        address = address_of(server, proxy.port if proxy else server.port)

        async def restart() -> None:
            if proxy:
                proxy.die()
                await proxy.rise()
            else:
                server.daemon.kill()
                server.start()
            await recovers(celery_broker(app_of(address)))

        yield address, restart


@pytest.fixture
async def start_worker(address: str, tmp_path: Path) -> AsyncIterator[StartWorker]:
    async with AsyncExitStack() as stack:
        yield lambda: stack.enter_async_context(working(address, tmp_path))


async def test_a_worker_counts_until_it_dies(address: str, start_worker: StartWorker) -> None:
    check = celery_workers(app_of(address), max_age=1.0, timeout=1.0)
    worker = await start_worker()
    await recovers(check)
    await anyio.to_thread.run_sync(worker.freeze)
    silent = r"^heard 0 of 1 workers (within 1 s|in the \d\.\d s since it began to listen)$"
    await until_message(check, silent)
    await anyio.to_thread.run_sync(worker.thaw)
    await recovers(check)
    await anyio.to_thread.run_sync(worker.kill)
    await until_message(check, silent)


@one_broker
async def test_the_defaults_suit_a_worker_with_the_default_interval(address: str, tmp_path: Path) -> None:
    check = celery_workers(app_of(address))
    async with working(address, tmp_path, interval=2.0):
        await recovers(check)
        end = anyio.current_time() + 2.2  # the interval of a heartbeat, and a little more
        while anyio.current_time() < end:
            await expect(check, Status.HEALTHY, "^$")
            await anyio.sleep(0.1)


async def test_heartbeats_sent_between_two_runs_count(address: str, start_worker: StartWorker) -> None:
    check = celery_workers(app_of(address), max_age=AGES, timeout=1.0)
    await expect(check, Status.UNHEALTHY, SINCE)
    await anyio.to_thread.run_sync((await start_worker()).kill)
    await recovers(check)


@one_broker
async def test_a_heartbeat_is_as_old_as_its_worker_says(address: str, start_worker: StartWorker) -> None:
    check = celery_workers(app_of(address), max_age=2.0, timeout=0.5)
    await expect(check, Status.UNHEALTHY, SINCE)
    await anyio.to_thread.run_sync((await start_worker()).kill)
    await anyio.sleep(2.1)
    await expect(check, Status.UNHEALTHY, r"^heard 0 of 1 workers within 2 s$")


@one_broker
async def test_a_worker_that_stops_cleanly_no_longer_counts(address: str, start_worker: StartWorker) -> None:
    app = app_of(address)
    check = celery_workers(app, max_age=AGES)
    await start_worker()
    await recovers(check)
    await anyio.to_thread.run_sync(app.control.shutdown)
    await until_message(check, SINCE)
    close_pools()


async def test_a_queue_that_no_worker_consumes_fails_though_workers_are_alive(
    address: str, start_worker: StartWorker
) -> None:
    app = app_of(address)
    both = celery_workers(app, queues=["celery", "mail"])
    one = celery_workers(app, queues=("mail",), min_workers=2, max_age=AGES)
    await start_worker()
    await recovers(celery_workers(app, queues=["celery"]))
    none = "^queue 'mail' is consumed by 0 of the 1 workers that answered, expected at least 1$"
    await until_message(both, none)
    await anyio.to_thread.run_sync(partial(app.control.add_consumer, "mail", reply=True))
    await recovers(both)
    for _ in range(5):
        await expect(both, Status.HEALTHY, "^$")
    await expect(one, Status.UNHEALTHY, r"^heard 1 of 2 workers in the \d\.\d s since it began to listen$")
    await anyio.to_thread.run_sync(partial(app.control.cancel_consumer, "mail", reply=True))
    await until_message(both, none)
    await expect(celery_workers(app), Status.HEALTHY, "^$", timeout=5.0)
    close_pools()


@one_broker
async def test_an_answer_counts_as_long_as_a_heartbeat(address: str, start_worker: StartWorker) -> None:
    """A worker that is too busy to answer for a moment still consumes its queues."""
    check = celery_workers(app_of(address), queues=["celery"], max_age=3.0, timeout=1.0)
    worker = await start_worker()
    await recovers(check)
    await anyio.to_thread.run_sync(worker.freeze)
    await expect(check, Status.HEALTHY, "^$")
    await until_message(check, r"^heard 0 of 1 workers (within 3 s|in the \d\.\d s since it began to listen)$")
    await anyio.to_thread.run_sync(worker.thaw)
    await recovers(check)


async def test_after_a_lost_connection_workers_are_asked_for_their_queues_on_the_next(
    server: Server, start_worker: StartWorker
) -> None:
    async with restartable(server) as (address, restart):
        check = celery_workers(app_of(address), queues=["celery"], max_age=1.0)
        await start_worker()
        await recovers(check)
        await restart()
        await anyio.sleep(1.0)  # until the heartbeats before the restart are too old
        await recovers(check)


async def test_requests_for_queues_leave_nothing_at_the_broker(
    server: Server, address: str, start_worker: StartWorker
) -> None:
    app = app_of(address)
    worker = await start_worker()
    await recovers(celery_workers(app))
    before = left(server)
    check = celery_workers(app, queues=["celery"])
    for _ in range(5):
        await recovers(check)
    await anyio.to_thread.run_sync(worker.kill)  # so that its own connections and requests are not counted
    connections = connected(server)
    del check
    await wait_until_async(lambda: connected(server) < connections, "its connection is closed")
    await wait_until_async(lambda: left(server) <= before, f"no more than {before}")


def left(server: Server) -> set[str]:
    """The names of what the broker keeps: queues, keys."""
    if isinstance(server, Redis):
        return set(server.ask("EVAL return(table.concat(redis.call('KEYS','*'),'|')) 0").split("|"))
    assert isinstance(server, RabbitMQ)
    names = server.ask("[binary_to_list(element(4, Q)) || Q <- rabbit_amqqueue:list_names()]")
    return set(re.findall('"([^"]+)"', names))


async def test_for_the_queues_of_rabbitmq_the_privileges_of_the_docs_are_enough(
    get_server: GetServer, tmp_path: Path
) -> None:
    server = get_server("rabbitmq")
    assert isinstance(server, RabbitMQ)
    server.allow("weak", r"^(celeryev.*|.*\\.pidbox)$")
    address = BROKERS["rabbitmq"](Target(server.port))
    weak = BROKERS["rabbitmq"](Target(server.port, user="weak"))
    try:
        async with working(address, tmp_path):
            await recovers(celery_workers(app_of(weak), queues=["celery"]))
    finally:
        server.forget("weak")


@one_broker
async def test_one_worker_is_fewer_than_two(address: str, start_worker: StartWorker) -> None:
    app = app_of(address)
    await start_worker()
    await recovers(celery_workers(app))
    two = celery_workers(app, min_workers=2, max_age=AGES)
    await expect(two, Status.UNHEALTHY, r"^heard 1 of 2 workers in the \d\.\d s since it began to listen$")


async def test_too_few_workers_for_max_age_open_a_new_connection(server: Server, address: str) -> None:
    assert isinstance(server, RabbitMQ | Redis)
    check = celery_workers(app_of(address), max_age=0.5, timeout=1.0)
    for _ in range(2):
        await until_message(check, r"^heard 0 of 1 workers within 0\.5 s$")
    before = server.connections_opened()
    await until_message(check, r"^heard 0 of 1 workers within 0\.5 s$")
    assert server.connections_opened() > before


async def test_workers_heard_before_the_connection_was_lost_still_count(
    server: Server, start_worker: StartWorker
) -> None:
    async with restartable(server) as (address, restart):
        check = celery_workers(app_of(address), max_age=AGES)
        worker = await start_worker()
        await recovers(check)
        await anyio.to_thread.run_sync(worker.kill)
        await restart()
        await expect(check, Status.HEALTHY, "^$")


async def test_a_connection_that_had_died_since_the_last_run_is_replaced_at_once(server: Server) -> None:
    async with restartable(server) as (address, restart):
        check = celery_broker(app_of(address))
        await expect(check, Status.HEALTHY, "^$")
        await restart()
        await expect(check, Status.HEALTHY, "^$")


async def test_a_run_is_one_request_on_the_kept_connection(
    server: Server, address: str, start_worker: StartWorker
) -> None:
    assert isinstance(server, RabbitMQ | Redis)
    app = app_of(address)
    worker = await start_worker()
    checks = celery_broker(app), celery_workers(app, max_age=AGES)
    for check in checks * 2:  # with Redis the second run opens the last of its connections
        await recovers(check)
    await anyio.to_thread.run_sync(worker.kill)  # so that its own connections and requests are not counted
    connections, requests = server.connections_opened(), asked(server)
    for check in checks:
        for _ in range(20):
            assert (await observe(check)).result.status is Status.HEALTHY
    assert server.connections_opened() == connections
    requests["channels" if isinstance(server, RabbitMQ) else "ping"] += 40
    await wait_until_async(lambda: asked(server) == requests, "every request is counted")


def asked(server: RabbitMQ | Redis) -> dict[str, int]:
    return server.calls() if isinstance(server, Redis) else {"channels": server.channels_opened()}


@pytest.mark.xdist_group("checks rabbitmq")
async def test_listening_leaves_no_queue_at_rabbitmq(get_server: GetServer) -> None:
    server = get_server("rabbitmq")
    assert isinstance(server, RabbitMQ)
    check = celery_workers(app_of(BROKERS["rabbitmq"](Target(server.port))), timeout=0.5)
    await wait_until_async(lambda: connected(server) == 0, "no client is connected")
    for _ in range(5):
        await until_message(check, SINCE)
    queues = 'length([Q || Q <- rabbit_amqqueue:list_names(), string:prefix(element(4, Q), "celeryev") =/= nomatch])'
    assert (server.connections(), server.ask(queues)) == (1, "1")
    del check
    await wait_until_async(lambda: connected(server) == 0, "no client is connected")
    await wait_until_async(lambda: server.ask(queues) == "0", "no queue of events is left")


@pytest.mark.xdist_group("checks redis of celery")
async def test_listeners_write_one_name_into_redis_however_many_they_are(get_server: GetServer) -> None:
    server = get_server("redis")
    assert isinstance(server, Redis)
    server.ask("FLUSHALL")
    app = app_of(BROKERS["redis"](Target(server.port)))

    async def listen() -> None:
        await until_message(celery_workers(app, timeout=0.5), SINCE)

    for _ in range(3):
        await listen()
    assert server.ask("SCARD _kombu.binding.celeryev") == ":1"
    await wait_until_async(lambda: connected(server) == 0, "no client is connected")


def connected(server: Server) -> int:
    """How many clients are connected, after a garbage collection."""
    gc.collect()
    return server.ask("CLIENT LIST").count(" addr=") - 1 if isinstance(server, Redis) else server.connections()


@pytest.mark.parametrize("make", [celery_broker, celery_workers, partial(celery_workers, queues=["celery"])])
async def test_a_silent_broker_blocks_no_thread(server: Server, address: str, make: Any) -> None:
    check = make(app_of(address), timeout=0.5)
    for _ in range(2):  # the first run opens the connection
        await observe(check)
        server.daemon.freeze()
        await expect(check, Status.UNHEALTHY, "^(OperationalError|TimeoutError): .*(timed out|Timeout)")
        await threads_ended()
        server.daemon.thaw()


async def test_a_pool_whose_usage_cannot_be_seen_is_healthy(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app = app_of(address)
    monkeypatch.delattr(app.pool, "_dirty")  # private: what the check reads, and a release of kombu may remove
    assert (await expect(celery_broker(app), Status.HEALTHY, "^$")).data == {}


async def test_the_next_of_several_brokers_is_asked(address: str, free_port: int) -> None:
    dead = BROKERS["redis" if address.startswith("redis") else "rabbitmq"](Target(free_port))
    await expect(celery_broker(app_of(f"{dead};{address}")), Status.HEALTHY, "^$")


async def test_a_run_gives_up_waiting_for_the_run_before() -> None:
    connect = Celery("tests", broker="memory://", set_as_current=False).connection_for_write
    kept = KeptConnection(0.05)

    def ask_meanwhile(connection: object) -> None:
        with pytest.raises(TimeoutError, match=r"^the run before has not ended yet$"):
            kept.ask(connect, lambda connection: None)

    kept.ask(connect, ask_meanwhile)


@pytest.mark.parametrize("min_workers", [0, -1])
def test_a_minimum_of_workers_below_1_is_refused(min_workers: int) -> None:
    app = Celery("tests", broker="memory://", set_as_current=False)
    with pytest.raises(ValueError, match=f"^celery_workers: min_workers must be 1 or more, not {min_workers}$"):
        celery_workers(app, min_workers=min_workers)


@pytest.mark.parametrize(
    ("queues", "error", "message"),
    [
        ("celery", TypeError, r"queues must be several strings, as \['celery'\], not a single one$"),
        ([b"celery"], TypeError, "each of queues must be of type str, not b'celery'$"),
        (["celery", ""], ValueError, "queues must not contain an empty string$"),
    ],
)
def test_names_that_cannot_be_queues_are_refused(queues: Any, error: type[Exception], message: str) -> None:
    app = Celery("tests", broker="memory://", set_as_current=False)
    with pytest.raises(error, match=f"^celery_workers: {message}"):
        celery_workers(app, queues=queues)
