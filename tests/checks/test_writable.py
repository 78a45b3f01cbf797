"""`writable=True`: a server that answers and takes no writes is unhealthy, at the cost of the ping."""

from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest

from asgi_health import Status
from asgi_health.checks._support.resp import AnswerError, parse_info, refusal_of
from asgi_health.checks._support.writable import POSTGRES_QUERY, refusal_of_mysql
from asgi_health.checks.arq import arq_pool
from asgi_health.checks.redis import redis_client, redis_cluster
from asgi_health.checks.valkey import valkey_client, valkey_cluster
from tests.support.waiting import wait_until_async

from .conftest import GetServer
from .observe import TIMED_OUT, expect, observe, recovers
from .port import reserved_port
from .rows import ROWS, Row
from .rows.redis import DRIVERS, behind_sentinel, plain
from .servers import Server, Target
from .servers.mariadb import MariaDB
from .servers.postgres import Postgres, PostgresStandby
from .servers.redis import BUS, Redis, RedisSentinel, Valkey, reserved_cluster_port
from .servers.server import PASSWORD, UNPRIVILEGED, USER
from .test_costs import COUNTED, COUNTERS, QUERY, RUNS, STATEMENTS, run, running

pytestmark = pytest.mark.anyio

STANDBY = r"^the server takes no writes: it is a standby \(pg_is_in_recovery\)$"
READ_ONLY = "^the database takes no writes: transaction_read_only is on$"
MARIADB_READ_ONLY = "^the server takes no writes: read_only is 1$"
CLIENTS = {"redis": redis_client, "valkey": valkey_client}
CLUSTERS = {"redis": redis_cluster, "valkey": valkey_cluster}

on_standby = pytest.mark.xdist_group("checks postgres-standby")

OF_DATABASES = [row for row in ROWS if row.server in ("postgres", "mariadb") and row.extra != "alembic"]
OF_REDIS = [row for row in ROWS if row.check in (redis_client, valkey_client)]


def rows(*servers: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", [row for row in [*OF_DATABASES, *OF_REDIS] if row.server in servers], ids=str)


def writable(row: Row) -> Row:
    check: Any = row.check
    return replace(row, check=partial(check, writable=True))


@pytest.fixture
def standby(get_server: GetServer) -> Iterator[PostgresStandby]:
    server = get_server("postgres-standby")
    assert isinstance(server, PostgresStandby)
    yield server
    server.restore()


@on_standby
@rows("postgres")
async def test_a_standby_answers_and_takes_no_writes(row: Row, standby: PostgresStandby) -> None:
    """A user who may only connect is enough, and an exhausted pool does not hide it."""
    async with row.open(Target(standby.port)) as client:
        check = row.check(client)
        await expect(check, Status.HEALTHY, "^$")
        check = writable(row).check(client)
        await expect(check, Status.UNHEALTHY, STANDBY)
        if row.occupy is not None:
            async with row.occupy(client):
                await expect(check, Status.UNHEALTHY, STANDBY)
    async with row.open(Target(standby.port, user=UNPRIVILEGED)) as client:
        await expect(writable(row).check(client), Status.UNHEALTHY, STANDBY)


@on_standby
async def test_a_standby_that_is_promoted_takes_writes(standby: PostgresStandby) -> None:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        standby.ask("CREATE TABLE news (x int)")
    async with AsyncExitStack() as stack:
        checks = [
            writable(row).check(await stack.enter_async_context(row.open(Target(standby.port))))
            for row in OF_DATABASES
            if row.server == "postgres" and row.name != "django+pool"  # one row of Django is enough
        ]
        for check in checks:
            await expect(check, Status.UNHEALTHY, STANDBY)
        standby.promote()
        for check in checks:
            await recovers(check)


@rows("postgres")
async def test_a_database_that_is_read_only_for_the_user_takes_no_writes(row: Row, server: Postgres) -> None:
    server.ask(f"ALTER ROLE {UNPRIVILEGED} SET default_transaction_read_only = on")
    try:
        async with row.open(Target(server.port, user=UNPRIVILEGED)) as client:
            await expect(row.check(client), Status.HEALTHY, "^$")
            await expect(writable(row).check(client), Status.UNHEALTHY, READ_ONLY)
    finally:
        server.ask(f"ALTER ROLE {UNPRIVILEGED} RESET default_transaction_read_only")


@rows("postgres")
async def test_to_ask_postgresql_for_writes_costs_as_much_as_the_ping(row: Row, server: Postgres) -> None:
    expected = [POSTGRES_QUERY if statement == "SELECT 1" else statement for statement in STATEMENTS[row.name]]
    async with running(writable(row), server.port) as (check, proxy):
        statements, trips = len(server.statements()), proxy.trips
        await run(check)
        assert server.statements()[statements:] == expected * RUNS
        assert proxy.trips - trips == len(expected) * RUNS


@rows("mariadb")
async def test_a_server_that_is_read_only_answers_and_takes_no_writes(row: Row, server: MariaDB) -> None:
    async with row.open(Target(server.port)) as client:
        check = writable(row).check(client)
        await expect(check, Status.HEALTHY, "^$")
        with server.read_only():
            with pytest.raises(pymysql.OperationalError, match="read-only"):
                create_table(server)
            await expect(row.check(client), Status.HEALTHY, "^$")
            await expect(check, Status.UNHEALTHY, MARIADB_READ_ONLY)
            if row.occupy is not None:
                async with row.occupy(client):
                    await expect(check, Status.UNHEALTHY, MARIADB_READ_ONLY)
        await recovers(check)
    with server.read_only():
        async with row.open(Target(server.port, user=UNPRIVILEGED, database="information_schema")) as client:
            await expect(writable(row).check(client), Status.UNHEALTHY, MARIADB_READ_ONLY)


def create_table(server: MariaDB) -> None:
    where = Target(server.port)
    login: Any = {"user": where.user, "password": where.password, "database": where.database}
    with pymysql.connect(host=where.host, port=where.port, **login) as connection:
        connection.cursor().execute("CREATE TABLE news (x int)")


@rows("mariadb")
async def test_to_ask_mariadb_for_writes_is_one_query(row: Row, server: MariaDB) -> None:
    expected = COUNTED[row.name] if "Com_select" in COUNTED[row.name] else QUERY
    async with running(writable(row), server.port) as (check, proxy):
        with server.counting(*COUNTERS) as count:
            before, trips = count(), proxy.trips
            await run(check)
            assert count() - before == {name: n * RUNS for name, n in expected.items()}
        assert proxy.trips - trips == expected["Questions"] * RUNS


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        ((0, 0), ""),
        (("OFF", 0), ""),  # MariaDB 12 has more than two values
        ((1, 0), "read_only is 1"),
        ((0, 1), "innodb_read_only is 1"),  # a reader instance of Aurora
        ((1, 1), "read_only is 1, innodb_read_only is 1"),
        (("ON", 0), "read_only is ON"),
        (("NO_LOCK_NO_ADMIN", 0), "read_only is NO_LOCK_NO_ADMIN"),
        ((None, None), "read_only is None, innodb_read_only is None"),
        (None, "read_only is None, innodb_read_only is None"),
    ],
)
def test_mysql_takes_writes_if_both_of_its_variables_are_off(answer: Any, refusal: str) -> None:
    assert refusal_of_mysql(answer) == (refusal and f"the server takes no writes: {refusal}")


@rows("postgres", "mariadb", "redis", "redis-sentinel", "valkey", "valkey-sentinel")
async def test_a_frozen_server_is_a_timeout_with_writable_too_and_recovers(row: Row, server: Server) -> None:
    async with row.open(Target(server.port)) as client:
        check = writable(row).check(client)
        await expect(check, Status.HEALTHY, "^$")
        server.daemon.freeze()
        for _ in range(2):
            await expect(check, Status.UNHEALTHY, TIMED_OUT)
        server.daemon.thaw()
        await recovers(check)


@pytest.mark.parametrize("server", ["postgres", "mariadb", "redis", "valkey"])
async def test_an_exhausted_pool_stays_degraded_where_writes_are_taken(server: str, get_server: GetServer) -> None:
    for row in OF_DATABASES + OF_REDIS:
        if row.server == server and row.occupy is not None:
            async with row.open(Target(get_server(server).port)) as client, row.occupy(client):
                await expect(writable(row).check(client), Status.DEGRADED, "^pool exhausted: 2 of 2 in use$")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(params=["redis", "valkey"])
def driver(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def redis(driver: str, get_server: GetServer) -> Iterator[Redis]:
    server = get_server(driver)
    assert isinstance(server, Redis)
    yield server
    server.ask("REPLICAOF NO ONE")
    for setting in ("maxmemory 0", "maxmemory-policy noeviction", "min-replicas-to-write 0", "appendonly no"):
        server.ask(f"CONFIG SET {setting}")
    server.restore()


def another(stack: ExitStack, driver: str, folder: Path, *options: str, port: int | None = None) -> Redis:
    kind = Valkey if driver == "valkey" else Redis
    server = kind(folder, port or stack.enter_context(reserved_port()), *options)
    stack.callback(server.daemon.kill)
    server.start()
    return server


async def test_a_master_that_was_demoted_answers_and_takes_no_writes(
    driver: str, redis: Redis, stack: ExitStack, tmp_path: Path
) -> None:
    master = another(stack, driver, tmp_path)
    async with plain(driver, driver.title())(Target(redis.port)) as client:
        check = CLIENTS[driver](client, writable=True)
        await expect(check, Status.HEALTHY, "^$")
        for login in (f"masteruser {USER}", f"masterauth {PASSWORD}"):
            redis.ask(f"CONFIG SET {login}")
        redis.ask(f"REPLICAOF 127.0.0.1 {master.port}")
        await wait_until_async(
            lambda: "master_link_status:up" in redis.ask("INFO replication"), "the replica is in step"
        )
        assert redis.ask("SET news old").startswith("-READONLY")
        await expect(CLIENTS[driver](client), Status.HEALTHY, "^$")
        await expect(check, Status.UNHEALTHY, "^the server takes no writes: its role is slave, expected master$")
        redis.ask("REPLICAOF NO ONE")
        await recovers(check)


async def test_a_full_server_that_may_not_evict_answers_and_takes_no_writes(driver: str, redis: Redis) -> None:
    message = (
        r"^the server takes no writes: \d+ of 100000 bytes of maxmemory are used, and noeviction has nothing to evict"
    )
    async with plain(driver, driver.title())(Target(redis.port)) as client:
        check = CLIENTS[driver](client, writable=True)
        redis.ask("CONFIG SET maxmemory 100000")
        assert redis.ask("SET news old").startswith("-OOM")
        await expect(CLIENTS[driver](client), Status.HEALTHY, "^$")
        await expect(check, Status.UNHEALTHY, message)
        redis.ask("CONFIG SET maxmemory 0")
        await expect(check, Status.HEALTHY, "^$")


async def test_a_full_server_without_a_key_that_expires_may_evict_nothing(driver: str, redis: Redis) -> None:
    async with plain(driver, driver.title())(Target(redis.port)) as client:
        redis.ask("SET forever 1")
        redis.ask("CONFIG SET maxmemory-policy volatile-lru")
        redis.ask("CONFIG SET maxmemory 100000")
        assert redis.ask("SET news old").startswith("-OOM")
        await expect(CLIENTS[driver](client, writable=True), Status.UNHEALTHY, "and volatile-lru has nothing to evict$")


async def test_a_server_without_the_replicas_that_it_requires_takes_no_writes(driver: str, redis: Redis) -> None:
    async with plain(driver, driver.title())(Target(redis.port)) as client:
        redis.ask("CONFIG SET min-replicas-to-write 1")
        assert redis.ask("SET news old").startswith("-NOREPLICAS")
        message = "^the server takes no writes: it has none of the replicas that min-replicas-to-write requires$"
        await expect(CLIENTS[driver](client, writable=True), Status.UNHEALTHY, message)


async def test_a_failed_snapshot_is_degraded_because_it_may_have_stopped_the_writes(driver: str, redis: Redis) -> None:
    async with plain(driver, driver.title())(Target(redis.port)) as client:
        check = CLIENTS[driver](client, writable=True)
        place = redis.folder / str(redis.port) / "dump.rdb"
        place.unlink(missing_ok=True)
        place.mkdir()  # so that no file can be created there
        redis.ask("BGSAVE")
        await wait_until_async(lambda: "rdb_last_bgsave_status:err" in redis.ask("INFO persistence"), "it has failed")
        await expect(check, Status.DEGRADED, "^its last snapshot failed, and unless stop-writes-on-bgsave-error is no")
        place.rmdir()
        redis.ask("BGSAVE")
        await wait_until_async(lambda: "rdb_last_bgsave_status:ok" in redis.ask("INFO persistence"), "it has worked")
        await expect(check, Status.HEALTHY, "^$")


INFO = "role:master\r\naof_enabled:1\r\naof_last_write_status:ok\r\nused_memory:2000\r\nmaxmemory:1000\r\n"
EVICTING = f"{INFO}maxmemory_policy:allkeys-lru\r\ndb0:keys=5,expires=0,avg_ttl=0\r\n"


@pytest.mark.parametrize(
    ("info", "refusal"),
    [
        (EVICTING, ""),
        (EVICTING.replace("allkeys", "volatile").replace("expires=0", "expires=1"), ""),
        (f"{EVICTING}min_slaves_good_slaves:1", ""),
        (EVICTING.replace("maxmemory:1000", "maxmemory:0").replace("allkeys-lru", "noeviction"), ""),
        (EVICTING.replace("allkeys-lru", "noeviction") + "mem_not_counted_for_evict:1000", ""),
        (EVICTING.replace("keys=5", "keys=0"), "2000 of 1000 bytes of maxmemory are used, and allkeys-lru has nothing"),
        (EVICTING.replace("db0", "dbs"), "2000 of 1000 bytes of maxmemory are used, and allkeys-lru has nothing"),
        (EVICTING.replace("status:ok", "status:err"), "it could not write to its append-only file"),
        (EVICTING.replace("role:master", "role:sentinel"), "its role is sentinel, expected master"),
        ("", "its role is None, expected master"),
    ],
)
def test_the_fields_of_info_decide_about_writes(info: str, refusal: str) -> None:
    found = refusal_of(parse_info(info.encode()))
    assert found.startswith(refusal)
    assert bool(found) == bool(refusal)


@pytest.mark.parametrize("missing", ["used_memory:2000", "maxmemory:1000", "maxmemory_policy:allkeys-lru"])
def test_an_info_without_the_memory_is_an_error(missing: str) -> None:
    with pytest.raises(AnswerError, match=f"^INFO was answered without {missing.partition(':')[0]}, by which"):
        refusal_of(parse_info(EVICTING.replace(missing, "").encode()))


@rows("redis", "valkey")
async def test_to_ask_redis_for_writes_is_one_command_that_needs_one_privilege(row: Row, server: Redis) -> None:
    server.ask(f"ACL SETUSER weak on >{PASSWORD} -@all +info")
    async with row.open(Target(server.port, user="weak")) as client:
        check = writable(row).check(client)
        await expect(check, Status.HEALTHY, "^$")
        before = server.calls()
        for _ in range(20):
            assert (await observe(check)).result.status is Status.HEALTHY
        assert server.calls() == before  # which leaves INFO out
    server.ask(f"ACL SETUSER weak on >{PASSWORD} -@all +ping")
    async with row.open(Target(server.port, user="weak")) as client:
        await expect(writable(row).check(client), Status.UNHEALTHY, "^NoPermissionError: .*'info' command")


@pytest.mark.parametrize("row", [row for row in OF_REDIS if "sentinel" in row.name], ids=str)
async def test_a_connection_to_the_former_master_is_replaced_by_one_to_the_new_master(
    row: Row, server: RedisSentinel, stack: ExitStack, tmp_path: Path
) -> None:
    """The client of the application does so too, at its first refused write."""
    driver = row.extra
    heir = another(stack, driver, tmp_path)
    async with behind_sentinel(driver)(Target(server.port)) as client:
        check = CLIENTS[driver](client, writable=True)
        await expect(check, Status.HEALTHY, "^$")
        try:
            server.watch(heir.port)
            server.ask(f"REPLICAOF 127.0.0.1 {heir.port}", server.master_port)
            await expect(check, Status.HEALTHY, "^$")
            assert client.connection_pool.master_address == ("127.0.0.1", heir.port)
        finally:
            server.ask("REPLICAOF NO ONE", server.master_port)
            server.watch(server.master_port)


async def test_jobs_cannot_be_enqueued_at_a_redis_that_takes_no_writes(get_server: GetServer) -> None:
    connections = pytest.importorskip("arq.connections", reason="ARQ cannot be installed with the redis of today")
    server = get_server("redis")
    assert isinstance(server, Redis)
    pool: Any = connections.ArqRedis(host="127.0.0.1", port=server.port, username=USER, password=PASSWORD)
    try:
        await expect(arq_pool(pool, writable=True), Status.HEALTHY, "^$")
        server.ask("CONFIG SET maxmemory 100000")
        await expect(arq_pool(pool), Status.HEALTHY, "^$")
        await expect(arq_pool(pool, writable=True), Status.UNHEALTHY, "^the server takes no writes: ")
    finally:
        server.ask("CONFIG SET maxmemory 0")
        await pool.connection_pool.disconnect()


@pytest.mark.parametrize("row", [row for row in ROWS if row.check in CLUSTERS.values()], ids=str)
async def test_a_cluster_takes_writes_if_its_primaries_do(row: Row, server: Redis) -> None:
    async with row.open(Target(server.port)) as client:
        check = writable(row).check(client)
        await expect(check, Status.HEALTHY, "^$")
        server.ask("CONFIG SET maxmemory 100000")
        try:
            assert server.ask("SET news old").startswith("-OOM")
            await expect(row.check(client), Status.HEALTHY, "^$")
            message = rf"^127\.0\.0\.1:{server.port} takes no writes: \d+ of 100000 bytes of maxmemory are used"
            await expect(check, Status.UNHEALTHY, message)
        finally:
            server.ask("CONFIG SET maxmemory 0")
        await expect(check, Status.HEALTHY, "^$")
        server.daemon.freeze()
        await expect(check, Status.UNHEALTHY, TIMED_OUT)
        server.daemon.thaw()
        await recovers(check)
    server.ask(f"ACL SETUSER weak on >{PASSWORD} -@all +cluster|info +cluster|slots +cluster|nodes +command +info")
    async with row.open(Target(server.port, user="weak")) as client:
        await expect(writable(row).check(client), Status.HEALTHY, "^$")


async def test_a_cluster_whose_primaries_are_not_all_known_is_degraded(
    driver: str, get_server: GetServer, stack: ExitStack, tmp_path: Path
) -> None:
    get_server(driver)  # skips, or fails, where it is not installed
    login = (f"masteruser {USER}", f"masterauth {PASSWORD}")
    options = ("cluster-enabled yes", "cluster-node-timeout 1000", "repl-diskless-sync-delay 0")
    nodes = [another(stack, driver, tmp_path, *options, *login, port=reserved_cluster_port(stack)) for _ in range(2)]
    first, heir = nodes
    first.ask("CLUSTER ADDSLOTS " + " ".join(map(str, range(16384))))
    heir.ask(f"CLUSTER MEET 127.0.0.1 {first.port} {first.port + BUS}")
    me = first.ask("CLUSTER MYID")
    await wait_until_async(lambda: heir.ask(f"CLUSTER REPLICATE {me}") == "+OK", "it replicates")
    await wait_until_async(lambda: "master_link_status:up" in heir.ask("INFO replication"), "the replica is in step")
    await wait_until_async(
        lambda: all("cluster_state:ok" in node.ask("CLUSTER INFO") for node in nodes), "the cluster is one"
    )

    kind = getattr(DRIVERS[driver].asyncio, f"{driver.title()}Cluster")
    client = kind(host="127.0.0.1", port=first.port, username=USER, password=PASSWORD)
    check = CLUSTERS[driver](client, writable=True)
    await expect(check, Status.DEGRADED, "^the client was not used yet, and knows no primary that could be asked$")
    await client.set("news", "old")
    await expect(check, Status.HEALTHY, "^$")
    await wait_until_async(lambda: heir.ask("CLUSTER FAILOVER") == "+OK", "it takes over")
    await wait_until_async(lambda: "role:master" in heir.ask("INFO replication"), "it has taken over")
    await wait_until_async(lambda: "role:slave" in first.ask("INFO replication"), "the other follows")
    message = rf"^127\.0\.0\.1:{first.port} is no primary any more, and the client has not learnt which one is$"
    await expect(check, Status.DEGRADED, message)
    for number in range(10):  # redis-py 8 asks for all slots anew after the fifth that has moved
        await client.set(f"news {number}", "new")
    await expect(check, Status.HEALTHY, "^$")
    await client.aclose()
