"""MySQL and MariaDB, by a pool of asyncmy or of aiomysql."""

from collections.abc import Callable
from typing import Any, Protocol

from ..core.result import Result, healthy, unhealthy
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientError, ClientOrFactory, client_getter, load
from ._support.pool import Usage, refusal_answers
from ._support.writable import MYSQL, refusal_of_mysql


class Pool(Protocol):
    """What is used of the pools of both drivers, which come with hardly any types."""

    @property
    def size(self) -> Any: ...
    @property
    def freesize(self) -> Any: ...
    @property
    def maxsize(self) -> Any: ...
    def acquire(self) -> Any: ...
    def release(self, conn: Any) -> Any: ...


ASKED = (
    "COM_PING on a connection of the pool; while the pool is exhausted, on one beside it. `writable`: `@@read_only` "
    "and `@@innodb_read_only` instead"
)
COSTS = (
    "one round trip, no query but for `writable`. While the pool is exhausted: one more connection, opened and closed"
)


@catalogued(technology="MySQL, MariaDB", extra="mysql", asked=ASKED, costs=COSTS, privileges="to connect")
def asyncmy_pool(pool: ClientOrFactory[Pool], *, writable: bool = False) -> AsyncCheck:
    """Return a check of MySQL or MariaDB through a pool of asyncmy.

    With `writable` it fails where the server takes no writes: with ``read_only``, as a replica has it, or
    ``innodb_read_only``. It asks and writes nothing, so it does not see a full disk, a lock, what the user may not
    write to, a transaction or session that is read-only by itself, nor that a user with the privilege may write all the
    same.

    The driver may not reconnect in the middle of a ping, which would hide a dead connection. An exhausted pool is
    degraded, not a dead database: the server is asked on a connection opened beside the pool and closed again. A
    connection on which a run was cancelled is thrown away. Raises ModuleNotFoundError without asyncmy, TypeError for
    another kind of client.
    """
    asyncmy = load("asyncmy", extra="mysql")
    get = client_getter(pool, load("asyncmy.pool", extra="mysql").Pool, by="asyncmy_pool")
    cursor = load("asyncmy.cursors", extra="mysql").Cursor
    return _ping(get, asyncmy.connect, cursor if writable else None)


@catalogued(technology="MySQL, MariaDB", extra="mysql", asked=ASKED, costs=COSTS, privileges="to connect")
def aiomysql_pool(pool: ClientOrFactory[Pool], *, writable: bool = False) -> AsyncCheck:
    """Return a check of MySQL or MariaDB through a pool of aiomysql.

    With `writable` it fails where the server takes no writes: with ``read_only``, as a replica has it, or
    ``innodb_read_only``. It asks and writes nothing, so it does not see a full disk, a lock, what the user may not
    write to, a transaction or session that is read-only by itself, nor that a user with the privilege may write all the
    same.

    The driver may not reconnect in the middle of a ping, which would hide a dead connection. An exhausted pool is
    degraded, not a dead database: the server is asked on a connection opened beside the pool and closed again. A
    connection on which a run was cancelled is thrown away. Raises ModuleNotFoundError without aiomysql, TypeError for
    another kind of client.
    """
    aiomysql = load("aiomysql", extra="mysql")
    get = client_getter(pool, aiomysql.Pool, by="aiomysql_pool")
    return _ping(get, aiomysql.connect, aiomysql.Cursor if writable else None)


def _ping(get: Callable[[], Pool], connect: Callable[..., Any], cursor: type | None) -> AsyncCheck:
    """Return a check that pings, or asks for writes by a `cursor`: a plain one, where the pool may have another."""

    async def ping() -> Result:
        pool = get()
        if getattr(pool, "_closing", False):  # private; without it a closed pool says so itself, once it is asked
            raise ClientError("the pool is closed")
        usage = _usage(pool) if pool.maxsize else None
        # A private name: these pools tell nobody how they connect. Without it the run has to wait its turn.
        arguments: dict[str, Any] | None = getattr(pool, "_conn_kwargs", None)
        refusal = ""
        if usage is not None and usage.exhausted and arguments is not None:
            with refusal_answers(lambda: _usage(pool).exhausted):
                connection = await connect(**arguments)
                try:
                    refusal = await put(connection)
                finally:
                    connection.close()
        else:
            connection = await pool.acquire()
            try:
                refusal = await put(connection)
            except BaseException:
                _throw_away(connection)
                raise
            finally:
                await pool.release(connection)
        if refusal:
            return unhealthy(refusal, data=usage.data if usage else {})
        return healthy() if usage is None else usage.answered()

    async def put(connection: Any) -> str:
        """Return why the server takes no writes, where that is asked; else nothing."""
        if cursor is None:
            await connection.ping(reconnect=False)
            return ""
        async with connection.cursor(cursor) as asker:
            await asker.execute(MYSQL)
            return refusal_of_mysql(await asker.fetchone())

    return ping


def _usage(pool: Pool) -> Usage:
    return Usage(pool.size - pool.freesize, pool.maxsize)


def _throw_away(connection: Any) -> None:
    connection.close()
    if getattr(connection, "connected", False):
        # Older releases of asyncmy go on calling it connected, and their pool would hand it out again, closed as it is.
        connection._connected = False
