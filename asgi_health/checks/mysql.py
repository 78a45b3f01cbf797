"""MySQL and MariaDB, by a pool of asyncmy or of aiomysql."""

from collections.abc import Callable
from typing import Any, Protocol

from ..core.result import Result, healthy, unhealthy
from ._support.catalogue import Facts, catalogued
from ._support.client import AsyncCheck, ClientError, ClientOrFactory, client_getter, load
from ._support.pool import Usage, full_server_is_alive
from ._support.writable import MYSQL_QUERY, refusal_of_mysql


class Pool(Protocol):
    """What is used of the pools of both drivers, which have hardly any types."""

    @property
    def size(self) -> Any: ...
    @property
    def freesize(self) -> Any: ...
    @property
    def maxsize(self) -> Any: ...
    def acquire(self) -> Any: ...
    def release(self, conn: Any) -> Any: ...


FACTS = Facts(
    asked="COM_PING on a connection of the pool; while the pool is exhausted, on an extra one. `writable`: "
    "`@@read_only` and `@@innodb_read_only` instead",
    costs="one round trip, no query but for `writable`. While the pool is exhausted: one connection more, opened and "
    "closed",
    privileges="to connect",
)


@catalogued(technology="MySQL, MariaDB", extra="mysql", **FACTS)
def asyncmy_pool(pool: ClientOrFactory[Pool], *, writable: bool = False) -> AsyncCheck:
    """Return a check of MySQL or MariaDB through a pool of asyncmy.

    The driver is not allowed to reconnect during a ping, which would hide a dead connection. An exhausted pool is
    degraded: the server is asked on an extra connection, which is closed afterwards. A connection on which a run was
    cancelled is closed.

    Args:
        pool: The pool, or a function that returns it.
        writable: Fail also where the server takes no writes: with ``read_only``, as a replica has it, or
            ``innodb_read_only``. The check writes nothing. So it does not see a full disk, a lock, what the user may
            not write to, a transaction or session that is read-only by itself, nor that a user with the privilege may
            write all the same.

    Raises:
        ModuleNotFoundError: asyncmy is not installed.
        TypeError: `pool` is another kind of client.
    """
    asyncmy = load("asyncmy", extra="mysql")
    get = client_getter(pool, load("asyncmy.pool", extra="mysql").Pool, by="asyncmy_pool")
    cursor = load("asyncmy.cursors", extra="mysql").Cursor
    return _check(get, asyncmy.connect, cursor if writable else None)


@catalogued(technology="MySQL, MariaDB", extra="mysql", **FACTS)
def aiomysql_pool(pool: ClientOrFactory[Pool], *, writable: bool = False) -> AsyncCheck:
    """Return a check of MySQL or MariaDB through a pool of aiomysql. All else is as with `asyncmy_pool`.

    Args:
        pool: The pool, or a function that returns it.
        writable: Fail also where the server takes no writes.

    Raises:
        ModuleNotFoundError: aiomysql is not installed.
        TypeError: `pool` is another kind of client.
    """
    aiomysql = load("aiomysql", extra="mysql")
    get = client_getter(pool, aiomysql.Pool, by="aiomysql_pool")
    return _check(get, aiomysql.connect, aiomysql.Cursor if writable else None)


def _check(get: Callable[[], Pool], connect: Callable[..., Any], cursor: type | None) -> AsyncCheck:
    """Return a check that pings, or with `cursor` asks whether the server takes writes.

    `cursor` is the plain class of cursors, because the pool may be set to another one.
    """

    async def check() -> Result:
        pool = get()
        if getattr(pool, "_closing", False):  # private; without it the closed pool raises an error when it is used
            raise ClientError("the pool is closed")
        usage = _usage(pool) if pool.maxsize else None
        # Private: these pools do not expose how they connect. Without it the run waits for a connection.
        arguments: dict[str, Any] | None = getattr(pool, "_conn_kwargs", None)
        refusal = ""
        if usage is not None and usage.exhausted and arguments is not None:
            with full_server_is_alive(lambda: _usage(pool).exhausted):
                connection = await connect(**arguments)
                try:
                    refusal = await ask(connection)
                finally:
                    connection.close()
        else:
            connection = await pool.acquire()
            try:
                refusal = await ask(connection)
            except BaseException:
                _close(connection)
                raise
            finally:
                await pool.release(connection)
        if refusal:
            return unhealthy(refusal, data=usage.data if usage else {})
        return healthy() if usage is None else usage.answered()

    async def ask(connection: Any) -> str:
        """Return why the server takes no writes; empty where it does, or where that is not asked."""
        if cursor is None:
            await connection.ping(reconnect=False)
            return ""
        async with connection.cursor(cursor) as opened:
            await opened.execute(MYSQL_QUERY)
            return refusal_of_mysql(await opened.fetchone())

    return check


def _usage(pool: Pool) -> Usage:
    return Usage(pool.size - pool.freesize, pool.maxsize)


def _close(connection: Any) -> None:
    connection.close()
    if getattr(connection, "connected", False):
        # Old releases of asyncmy keep reporting it as connected, and their pool would give out the closed connection.
        connection._connected = False
