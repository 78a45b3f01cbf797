"""What is special about Redis: what a run costs, unread answers, failover, and clusters of several nodes."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import anyio
import pytest
import redis
import redis.asyncio.retry
import redis.backoff

from asgi_health import Status
from asgi_health.checks.redis import redis_client, redis_cluster
from asgi_health.checks.valkey import valkey_client, valkey_cluster
from tests.support.waiting import wait_until_async

from .conftest import GetServer, do_without
from .observe import TIMED_OUT, expect, observe, recovers
from .port import reserved_port
from .proxy import proxied
from .rows import Row
from .rows.redis import DRIVERS, occupy_pool, plain
from .rows.redis import ROWS as REDIS_ROWS
from .servers import Server, Target
from .servers.redis import BUS, MASTER, Redis, RedisSentinel, Valkey, reserved_cluster_port, watch
from .servers.server import PASSWORD, USER, Missing

pytestmark = pytest.mark.anyio

each_row = pytest.mark.parametrize("row", REDIS_ROWS, ids=str)
behind_a_sentinel = pytest.mark.parametrize("row", [row for row in REDIS_ROWS if "sentinel" in row.name], ids=str)
each_server = pytest.mark.parametrize(("driver", "server"), [("redis", Redis), ("valkey", Valkey)])
each_driver = pytest.mark.parametrize(
    ("driver", "kind", "check"), [("redis", "Redis", redis_client), ("valkey", "Valkey", valkey_client)]
)


@pytest.fixture
def single(driver: str, get_server: GetServer) -> Iterator[Server]:
    server = get_server(driver)
    yield server
    server.restore()


@pytest.mark.parametrize("row", [row for row in REDIS_ROWS if "sentinel" not in row.name], ids=str)
async def test_a_run_is_one_command_and_nothing_else(row: Row, server: Redis) -> None:
    async with row.open(Target(server.port)) as client:
        check = row.check(client)
        await expect(check, Status.HEALTHY, "")
        before = server.calls()
        for _ in range(20):
            assert (await observe(check)).result.status is Status.HEALTHY
        after = server.calls()
    more = {name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name, 0)}
    assert more == ({"cluster": 20} if "cluster" in row.name else {"ping": 20})


@behind_a_sentinel
async def test_a_run_is_one_ping_to_the_master_and_nothing_to_the_sentinel(row: Row, server: RedisSentinel) -> None:
    async with row.open(Target(server.port)) as client:
        await expect(row.check(client), Status.HEALTHY, "")
        server.ignore()  # otherwise its own pings to the master would be counted
        try:
            asked, pings = server.asked(), server.calls(server.master_port)["ping"]
            for _ in range(20):
                assert (await observe(row.check(client))).result.status is Status.HEALTHY
            assert server.calls(server.master_port)["ping"] - pings == 20
            assert server.asked() - asked == 2  # the two commands of asked() itself
        finally:
            server.watch(server.master_port)


@behind_a_sentinel
async def test_a_connection_that_is_opened_costs_two_commands_to_the_sentinel(row: Row, server: RedisSentinel) -> None:
    assert row.occupy is not None
    async with row.open(Target(server.port)) as client, row.occupy(client):
        await expect(row.check(client), Status.DEGRADED, "")  # the client is connected to the Sentinel from here on
        asked = server.asked()
        for _ in range(10):
            await expect(row.check(client), Status.DEGRADED, "")
        assert server.asked() - asked == 10 * len(("PING", "SENTINEL MASTERS")) + 2


@each_row
async def test_the_extra_connection_for_an_exhausted_pool_is_closed(row: Row, server: Redis) -> None:
    assert row.occupy is not None
    async with row.open(Target(server.port)) as client, row.occupy(client):
        before = server.connections()
        for _ in range(5):
            await expect(row.check(client), Status.DEGRADED, "pool exhausted")
        await wait_until_async(lambda: server.connections() == before, "only the pool is connected")


@each_driver
async def test_an_exhausted_pool_with_waiting_tasks_is_reported_at_once(
    driver: str, kind: str, check: Any, single: Server
) -> None:
    async with plain(driver, kind, blocking=True)(Target(single.port)) as client:
        await expect(check(client), Status.HEALTHY, "")
        async with occupy_pool(client):
            await expect(check(client), Status.DEGRADED, "^pool exhausted: 2 of 2 in use$")
        await expect(check(client), Status.HEALTHY, "")


@each_driver
async def test_the_application_reads_no_answer_to_a_cancelled_run(
    driver: str, kind: str, check: Any, single: Server
) -> None:
    async with plain(driver, kind)(Target(single.port)) as client:
        await expect(check(client), Status.HEALTHY, "")
        single.daemon.freeze()
        for _ in range(3):
            await expect(check(client), Status.UNHEALTHY, "timed out", timeout=0.05)
        single.daemon.thaw()
        for _ in range(5):
            assert await client.echo("mine") == b"mine"


@each_driver
async def test_an_answer_that_the_application_has_not_read_is_not_taken_for_that_of_the_check(
    driver: str, kind: str, check: Any, single: Server
) -> None:
    async with plain(driver, kind)(Target(single.port)) as client:
        await client.echo("read")
        connection = client.connection_pool.get_available_connection()
        await connection.send_command("ECHO", "unread")
        await client.connection_pool.release(connection)
        await expect(check(client), Status.HEALTHY, "^$")
        assert await client.echo("mine") == b"mine"


@pytest.mark.parametrize("driver", ["redis"])
async def test_a_connection_that_was_cancelled_before_its_login_is_closed(driver: str, single: Server) -> None:
    """Only redis-py can be cancelled there: valkey-py does not await its credential provider."""

    class Slow(redis.CredentialProvider):
        delay = 60.0

        async def get_credentials_async(self) -> tuple[str, str]:
            await anyio.sleep(self.delay)
            return USER, PASSWORD

    provider = Slow()
    never = redis.asyncio.retry.Retry(redis.backoff.NoBackoff(), 0)  # otherwise the client would reconnect by itself
    client: Any = redis.asyncio.Redis(port=single.port, credential_provider=provider, retry=never)
    await expect(redis_client(client), Status.UNHEALTHY, "timed out", timeout=0.2)
    provider.delay = 0.0
    assert await client.echo("mine") == b"mine"
    await client.connection_pool.disconnect()


@each_driver
@pytest.mark.parametrize("anyio_backend", [pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop")])
async def test_a_connection_that_was_reset_is_reported_as_such_on_uvloop_too(
    driver: str, kind: str, check: Any, single: Server, anyio_backend: object
) -> None:
    """On uvloop the drivers raise RuntimeError: "the handler is closed"."""
    async with proxied(single.port) as proxy, plain(driver, kind)(Target(proxy.port)) as client:
        await expect(check(client), Status.HEALTHY, "")
        proxy.reset()
        await expect(check(client), Status.UNHEALTHY, "^Connection(Reset)?Error: ")
        proxy.heal()
        await recovers(check(client))


@each_row
async def test_a_server_that_was_restarted_since_the_last_run_is_healthy(row: Row, server: Redis) -> None:
    async with row.open(Target(server.port)) as client:
        await expect(row.check(client), Status.HEALTHY, "")
        server.daemon.kill()
        server.start()
        await expect(row.check(client), Status.HEALTHY, "^$")


@each_driver
async def test_the_retries_of_a_client_are_restored_after_a_run(
    driver: str, kind: str, check: Any, single: Server
) -> None:
    async with plain(driver, kind)(Target(single.port)) as client:
        await expect(check(client), Status.HEALTHY, "")
        single.daemon.kill()
        await expect(check(client), Status.UNHEALTHY, "ConnectionError")
        single.start()
        connection = client.connection_pool.get_available_connection()
        await client.connection_pool.release(connection)
        assert connection.retry._retries == 10  # private: redis-py has no public name for it


@each_row
async def test_the_privileges_of_the_docs_are_enough(row: Row, server: Redis) -> None:
    server.ask(f"ACL SETUSER weak on >{PASSWORD} -@all {'+cluster|info' if 'cluster' in row.name else '+ping'}")
    if isinstance(server, RedisSentinel):
        server.ask(f"ACL SETUSER weak on >{PASSWORD} -@all +ping", server.master_port)
        server.ask(f"ACL SETUSER weak on >{PASSWORD} -@all +ping +sentinel|masters")
    async with row.open(Target(server.port, user="weak")) as client:
        await expect(row.check(client), Status.HEALTHY, "^$")


@behind_a_sentinel
async def test_a_master_that_no_sentinel_knows_fails_without_showing_the_password(
    row: Row, server: RedisSentinel, free_port: int
) -> None:
    """Drivers put their clients into the text of that error, and some of these show their password."""
    (driver,) = row.drivers
    check = redis_client if driver == "redis" else valkey_client
    sentinel = DRIVERS[driver].asyncio.Sentinel(
        [("127.0.0.1", free_port), ("127.0.0.1", server.port)],
        sentinel_kwargs={"username": USER, "password": PASSWORD, "retry": None},
    )
    client = sentinel.master_for("another")
    await expect(check(client), Status.UNHEALTHY, "^AnswerError: no Sentinel knows a master of that name")
    for each in (client, *sentinel.sentinels):
        await each.connection_pool.disconnect()


@pytest.fixture
def stack(server: type[Redis]) -> Iterator[ExitStack]:
    try:
        server.binary()
    except Missing as error:
        do_without(str(error))
    with ExitStack() as stack:
        yield stack


def started(stack: ExitStack, server: Redis, *arguments: str) -> Redis:
    server.daemon.command.extend(arguments)
    stack.callback(server.daemon.kill)
    server.start()
    return server


@pytest.mark.processes
@each_server
async def test_a_failover_is_followed(driver: str, server: type[Redis], stack: ExitStack, tmp_path: Path) -> None:
    ports = [stack.enter_context(reserved_port()) for _ in range(3)]
    login = (f"masteruser {USER}", f"masterauth {PASSWORD}")
    master = started(stack, server(tmp_path, ports[0], *login))
    follow = (f"replicaof 127.0.0.1 {ports[0]}", "repl-diskless-sync-delay 0")
    replica = started(stack, server(tmp_path, ports[1], *follow, *login))
    await wait_until_async(
        lambda: "master_link_status:up" in replica.ask("INFO replication"), "the replica is in step", 20.0
    )
    watcher = started(stack, server(tmp_path, ports[2]), "--sentinel")
    watch(watcher, ports[0])
    await wait_until_async(lambda: "slaves=1" in watcher.ask("INFO sentinel"), "the replica is known", 30.0)

    as_user = {"username": USER, "password": PASSWORD}
    sentinel = DRIVERS[driver].asyncio.Sentinel([("127.0.0.1", ports[2])], sentinel_kwargs=as_user)
    client = sentinel.master_for(MASTER, **as_user)
    check = redis_client(client) if driver == "redis" else valkey_client(client)
    await expect(check, Status.HEALTHY, "")
    master.daemon.kill()
    await expect(check, Status.UNHEALTHY, "Error")
    watcher.ask(f"SENTINEL SET {MASTER} down-after-milliseconds 200")  # not earlier, because a busy machine is as slow
    await recovers(check, 30.0)
    assert client.connection_pool.master_address == ("127.0.0.1", ports[1])
    for each in (client, *sentinel.sentinels):
        await each.connection_pool.disconnect()


@pytest.mark.processes
@each_server
@pytest.mark.parametrize("end", ["killed", "frozen"])
async def test_a_cluster_without_one_of_its_nodes_fails_by_the_answer_of_another(
    driver: str, server: type[Redis], stack: ExitStack, tmp_path: Path, end: str
) -> None:
    options = ("cluster-enabled yes", "cluster-node-timeout 500")
    nodes = [started(stack, server(tmp_path, reserved_cluster_port(stack), *options)) for _ in range(3)]
    for number, node in enumerate(nodes):
        node.ask(f"CLUSTER SET-CONFIG-EPOCH {number + 1}")
        node.ask("CLUSTER ADDSLOTS " + " ".join(map(str, range(number, 16384, 3))))
        node.ask(f"CLUSTER MEET 127.0.0.1 {nodes[0].port} {nodes[0].port + BUS}")
    for node in nodes:
        await wait_until_async(lambda node=node: is_ok(node), "the cluster is one", 30.0)  # type: ignore[misc]

    kind = getattr(DRIVERS[driver].asyncio, f"{driver.title()}Cluster")
    client = kind(host="127.0.0.1", port=nodes[0].port, username=USER, password=PASSWORD)
    await client.initialize()
    check = redis_cluster(client) if driver == "redis" else valkey_cluster(client)
    await recovers(check)  # on a busy machine its nodes may have lost each other again
    victim = next(node for node in nodes if node.port == client.get_nodes()[0].port)  # the one that is asked first
    (victim.daemon.kill if end == "killed" else victim.daemon.freeze)()
    others = [node for node in nodes if node is not victim]
    await wait_until_async(lambda: not any(is_ok(node) for node in others), "the others know", 20.0)
    if end == "frozen":
        await expect(check, Status.UNHEALTHY, TIMED_OUT)
    await expect(check, Status.UNHEALTHY, r"^cluster_state is fail, expected ok: \d+ of 16384 slots are served$")
    if end == "killed":
        victim.start()
    else:
        victim.daemon.thaw()
    await recovers(check, 30.0)
    await client.aclose()


def is_ok(node: Redis) -> bool:
    return "cluster_state:ok" in node.ask("CLUSTER INFO")
