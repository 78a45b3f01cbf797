"""PostgreSQL, by a pool of asyncpg or of psycopg."""

import contextlib
import inspect
from typing import TYPE_CHECKING, Any, Protocol

from ..core.result import Result, healthy, unhealthy
from .cancellation import ends_when_cancelled
from .client import AsyncCheck, ClientError, Given, client_getter
from .driver import load
from .pool import Usage
from .table import described

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

PING = "SELECT 1"
IDLE = 0  # libpq's PQTRANS_IDLE


class AsyncpgPool(Protocol):
    """What is used of asyncpg.Pool, which comes without types."""

    def is_closing(self) -> bool: ...
    def get_size(self) -> int: ...
    def get_idle_size(self) -> int: ...
    def get_max_size(self) -> int: ...
    def acquire(self) -> Any: ...
    def release(self, connection: Any) -> Any: ...


@described(
    technology="PostgreSQL",
    extra="postgres",
    asked="`SELECT 1` on a connection of the pool; while the pool is exhausted, on one beside it",
    costs="two round trips: the second is the reset that asyncpg does when a connection goes back. While the pool is "
    "exhausted: one connection more, opened and closed",
    privileges="CONNECT",
)
def asyncpg_pool(pool: Given[AsyncpgPool]) -> AsyncCheck:
    """Return a check of PostgreSQL through a pool of asyncpg.

    An exhausted pool is degraded, not a dead database: the server is asked on a connection opened beside the pool and
    closed again. A connection on which a run was cancelled is thrown away. Raises ModuleNotFoundError without asyncpg,
    TypeError for another kind of client.
    """
    asyncpg = load("asyncpg", extra="postgres")
    get = client_getter(pool, asyncpg.Pool, by="asyncpg_pool")

    async def ping() -> Result:
        pool = get()
        if pool.is_closing():
            raise ClientError("the pool is closed")
        usage = Usage(pool.get_size() - pool.get_idle_size(), pool.get_max_size())
        # The one private name: asyncpg tells nobody how its pool connects. Without it the run has to wait its turn.
        beside = getattr(pool, "_get_new_connection", None)
        if usage.exhausted and beside is not None:
            connection = await beside()
            try:
                await connection.execute(PING)
            finally:
                connection.terminate()
        else:
            connection = await pool.acquire()
            try:
                await connection.execute(PING)
                await pool.release(connection)
            except BaseException:
                with contextlib.suppress(asyncpg.InterfaceError):  # it is no longer ours: the pool has closed it
                    connection.terminate()
                raise
        return usage.answered()

    return ping


@described(
    technology="PostgreSQL",
    extra="postgres",
    asked="`SELECT 1` on a connection of the pool, outside of a transaction; while the pool has none to give, on one "
    "beside it",
    costs="one round trip. While the pool has none to give: one connection more, opened and closed",
    privileges="CONNECT",
)
def psycopg_pool(pool: "Given[AsyncConnectionPool[Any]]") -> AsyncCheck:
    """Return a check of PostgreSQL through an AsyncConnectionPool of psycopg 3.

    Such a pool connects in the background and keeps the reasons of its failures to itself. So while it has no
    connection to give, the server is asked on one opened beside it, which tells the reason, and tells an exhausted pool
    (degraded) from a dead database. A connection on which a run was cancelled is thrown away. Raises
    ModuleNotFoundError without psycopg and psycopg_pool, TypeError for another kind of client.
    """
    broken = load("psycopg", extra="postgres").OperationalError  # psycopg_pool does not bring psycopg
    kind = load("psycopg_pool", extra="postgres").AsyncConnectionPool
    get = client_getter(pool, kind, by="psycopg_pool")

    async def ping() -> Result:
        pool = get()
        if pool.closed:
            raise ClientError("the pool is closed")
        discarded = False
        # After a restart of the server each connection of the pool is found broken once, and is thrown away then.
        for again in range(pool.max_size, -1, -1):
            measures = pool.get_stats()
            available = measures["pool_available"]
            lost = _connecting_again(pool)
            usage = Usage(measures["pool_size"] - available - lost, measures["pool_max"])
            if not available:
                await _ask_beside(pool)
                if discarded:
                    return healthy(data=usage.data)
                if lost and measures["pool_size"] >= measures["pool_max"]:
                    return unhealthy("the pool has not made its lost connections again, though the server accepts one")
                if usage.exhausted:
                    return usage.answered()
            connection = await pool.getconn()
            try:
                await _ask(connection)
                return healthy(data=usage.data) if discarded else usage.answered()
            except broken:
                if not (again and available and connection.closed):
                    raise
                discarded = True
            finally:
                await pool.putconn(connection)
        raise ClientError("the pool has no connection that holds")

    return ping


def _connecting_again(pool: "AsyncConnectionPool[Any]") -> int:
    """Return how many connections of a pool wait to be made again, which it counts among those that it has.

    Private: the pool tells nobody.
    """
    queue: list[Any] = list(getattr(getattr(pool, "_sched", None), "_queue", ()))
    return sum(type(getattr(task.action, "__self__", None)).__name__ == "AddConnection" for task in queue)


async def _ask_beside(pool: "AsyncConnectionPool[Any]") -> None:
    connection = await _connect_like(pool)
    try:
        await _ask(connection)
    finally:
        await connection.close()


async def _connect_like(pool: "AsyncConnectionPool[Any]") -> "AsyncConnection[Any]":
    conninfo: Any = pool.conninfo() if callable(pool.conninfo) else pool.conninfo
    options: Any = pool.kwargs() if callable(pool.kwargs) else pool.kwargs
    connection: AsyncConnection[Any] = await pool.connection_class.connect(
        (await conninfo if inspect.isawaitable(conninfo) else conninfo) or "",
        **((await options if inspect.isawaitable(options) else options) or {}),
    )
    return connection


async def _ask(connection: "AsyncConnection[Any]") -> None:
    """Ping outside of a transaction, which would cost two round trips more."""
    before = connection.autocommit
    if not before:
        await connection.set_autocommit(True)
    try:
        await ends_when_cancelled(connection.execute(PING, prepare=False))
    finally:
        # Where the ping was cut off the connection is in the middle of it, and its pool throws it away.
        if not before and connection.info.transaction_status == IDLE:
            await connection.set_autocommit(False)
