"""MySQL and MariaDB, by a pool of asyncmy or of aiomysql."""

from collections.abc import Callable
from typing import Any, Protocol

from ..core.result import Result, healthy
from .client import AsyncCheck, ClientError, Given, client_getter
from .driver import load
from .pool import Usage, refusal_answers
from .table import described


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


ASKED = "COM_PING on a connection of the pool; while the pool is exhausted, on one beside it"
COSTS = "one round trip, no query. While the pool is exhausted: one more connection, opened and closed"


@described(technology="MySQL, MariaDB", extra="mysql", asked=ASKED, costs=COSTS, privileges="to connect")
def asyncmy_pool(pool: Given[Pool]) -> AsyncCheck:
    """Return a check of MySQL or MariaDB through a pool of asyncmy.

    The driver may not reconnect in the middle of a ping, which would hide a dead connection. An exhausted pool is
    degraded, not a dead database: the server is asked on a connection opened beside the pool and closed again. A
    connection on which a run was cancelled is thrown away. Raises ModuleNotFoundError without asyncmy, TypeError for
    another kind of client.
    """
    asyncmy = load("asyncmy", extra="mysql")
    return _ping(client_getter(pool, load("asyncmy.pool", extra="mysql").Pool, by="asyncmy_pool"), asyncmy.connect)


@described(technology="MySQL, MariaDB", extra="mysql", asked=ASKED, costs=COSTS, privileges="to connect")
def aiomysql_pool(pool: Given[Pool]) -> AsyncCheck:
    """Return a check of MySQL or MariaDB through a pool of aiomysql.

    The driver may not reconnect in the middle of a ping, which would hide a dead connection. An exhausted pool is
    degraded, not a dead database: the server is asked on a connection opened beside the pool and closed again. A
    connection on which a run was cancelled is thrown away. Raises ModuleNotFoundError without aiomysql, TypeError for
    another kind of client.
    """
    aiomysql = load("aiomysql", extra="mysql")
    return _ping(client_getter(pool, aiomysql.Pool, by="aiomysql_pool"), aiomysql.connect)


def _ping(get: Callable[[], Pool], connect: Callable[..., Any]) -> AsyncCheck:
    async def ping() -> Result:
        pool = get()
        if getattr(pool, "_closing", False):  # private; without it a closed pool says so itself, once it is asked
            raise ClientError("the pool is closed")
        usage = _usage(pool) if pool.maxsize else None
        # A private name: these pools tell nobody how they connect. Without it the run has to wait its turn.
        arguments: dict[str, Any] | None = getattr(pool, "_conn_kwargs", None)
        if usage is not None and usage.exhausted and arguments is not None:
            with refusal_answers(lambda: _usage(pool).exhausted):
                connection = await connect(**arguments)
                try:
                    await connection.ping(reconnect=False)
                finally:
                    connection.close()
        else:
            connection = await pool.acquire()
            try:
                await connection.ping(reconnect=False)
            except BaseException:
                _throw_away(connection)
                raise
            finally:
                await pool.release(connection)
        return healthy() if usage is None else usage.answered()

    return ping


def _usage(pool: Pool) -> Usage:
    return Usage(pool.size - pool.freesize, pool.maxsize)


def _throw_away(connection: Any) -> None:
    connection.close()
    if getattr(connection, "connected", False):
        # Older releases of asyncmy go on calling it connected, and their pool would hand it out again, closed as it is.
        connection._connected = False
