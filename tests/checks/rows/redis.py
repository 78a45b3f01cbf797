"""Redis and Valkey: plain, behind a Sentinel, as a cluster."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import redis.asyncio.retry
import valkey.asyncio.retry

from asgi_health.checks.redis import redis_client, redis_cluster
from asgi_health.checks.valkey import valkey_client, valkey_cluster

from ..servers import Target
from ..servers.redis import MASTER
from .row import TIMED_OUT, Open, Row

SIZE = 2
DATABASES = {"health": 0, "nowhere": 99}
DRIVERS: dict[str, Any] = {"redis": redis, "valkey": valkey}

RECONNECTS = "a closed client connects again"
ONE_DATABASE = "a cluster has one database"


def plain(driver: str, kind: str, *, blocking: bool = False) -> Open:
    module = DRIVERS[driver].asyncio

    @asynccontextmanager
    async def open_client(target: Target) -> AsyncGenerator[Any]:
        settings = {
            "host": target.host,
            "port": target.port,
            "username": target.user,
            "password": target.password,
            "db": DATABASES[target.database],
            "max_connections": SIZE,
            "retry": many_retries(driver),
        }
        if blocking:
            client = getattr(module, kind)(connection_pool=module.BlockingConnectionPool(**settings))
        else:
            client = getattr(module, kind)(**settings)
        try:
            yield client
        finally:
            await client.connection_pool.disconnect()

    return open_client


def behind_sentinel(driver: str) -> Open:
    module: Any = DRIVERS[driver].asyncio

    @asynccontextmanager
    async def open_master(target: Target) -> AsyncGenerator[Any]:
        login = {"username": target.user, "password": target.password, "retry": many_retries(driver)}
        sentinel = module.Sentinel([(target.host, target.port)], sentinel_kwargs=login)
        client = sentinel.master_for(MASTER, db=DATABASES[target.database], max_connections=SIZE, **login)
        try:
            yield client
        finally:
            for each in (client, *sentinel.sentinels):
                await each.connection_pool.disconnect()

    return open_master


def many_retries(driver: str) -> Any:
    """Return retries that an application may have. They would hide the reason of a failure until the deadline."""
    module = DRIVERS[driver]
    return module.asyncio.retry.Retry(module.backoff.ConstantBackoff(5.0), 10)


@asynccontextmanager
async def occupy_pool(client: Any) -> AsyncGenerator[None]:
    pool = client.connection_pool
    taken = [pool.get_available_connection() for _ in range(SIZE)]
    try:
        for connection in taken:
            await connection.connect()
        yield
    finally:
        for connection in taken:
            await pool.release(connection)


def cluster(driver: str, kind: str) -> Open:
    module = DRIVERS[driver].asyncio

    @asynccontextmanager
    async def open_cluster(target: Target) -> AsyncGenerator[Any]:
        client = getattr(module, kind)(
            host=target.host,
            port=target.port,
            username=target.user,
            password=target.password,
            max_connections=SIZE,
            address_remap=lambda address: (target.host, target.port),  # otherwise it would bypass the proxy
        )
        with suppress(Exception):
            await client.initialize()  # as its first command does
        try:
            yield client
        finally:
            await client.aclose()

    return open_cluster


@asynccontextmanager
async def occupy_cluster(client: Any) -> AsyncGenerator[None]:
    (node,) = client.get_nodes()
    taken = [node.acquire_connection() for _ in range(SIZE)]
    try:
        for connection in taken:
            await connection.connect()
        yield
    finally:
        node._free.extend(taken)  # private: a node of a cluster has no public way to keep a connection


async def close(client: Any) -> None:
    await client.aclose()


REFUSED = r"^ConnectionError: .*(111|Connect call failed)"
GONE = r"^(ConnectionError|ConnectionResetError): "
MESSAGES = {
    "healthy": "^$",
    "refused": REFUSED,
    "killed": GONE,
    "frozen": TIMED_OUT,
    "blackholed": TIMED_OUT,
    "reset": GONE,
    "trickled": TIMED_OUT,
    "wrong_password": "^AuthenticationError: .*invalid username-password pair",
    "wrong_database": "^(ResponseError|ConnectionError): .*(DB index is out of range|Invalid Database)",
    "exhausted": r"^pool exhausted: 2 of 2 in use$",
    "exhausted_and_frozen": TIMED_OUT,
    "exhausted_and_killed": REFUSED,
    "many_runs": "^$",
}


def single(server: str, check: Any, opened: Open) -> Row:
    """A row of a single server, named by its address or by a Sentinel."""
    driver = server.partition("-")[0]
    return Row(
        server,
        server=server,
        check=check,
        open=opened,
        drivers=(driver,),
        extra=driver,
        occupy=occupy_pool,
        messages=MESSAGES,
        without={"closed": RECONNECTS},
    )


OF_A_CLUSTER = {name: pattern for name, pattern in MESSAGES.items() if name != "wrong_database"}

ROWS = (
    single("redis", redis_client, plain("redis", "Redis")),
    single("redis-sentinel", redis_client, behind_sentinel("redis")),
    Row(
        "redis-cluster",
        server="redis-cluster",
        check=redis_cluster,
        open=cluster("redis", "RedisCluster"),
        drivers=("redis",),
        extra="redis",
        occupy=occupy_cluster,
        messages=OF_A_CLUSTER,
        without={"closed": RECONNECTS, "wrong_database": ONE_DATABASE},
    ),
    single("valkey", valkey_client, plain("valkey", "Valkey")),
    single("valkey-sentinel", valkey_client, behind_sentinel("valkey")),
    Row(
        "valkey-cluster",
        server="valkey-cluster",
        check=valkey_cluster,
        open=cluster("valkey", "ValkeyCluster"),
        drivers=("valkey",),
        extra="valkey",
        close=close,
        occupy=occupy_cluster,
        messages={**OF_A_CLUSTER, "closed": "^ClientError: the client is closed$"},
        without={"wrong_database": ONE_DATABASE},
    ),
)
