"""PostgreSQL, by a pool of asyncpg or of psycopg."""

import asyncio
import contextlib
import inspect
from typing import TYPE_CHECKING, Any, Protocol

from ..core.result import Result, healthy, unhealthy
from ._support.cancellation import ends_when_cancelled
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientError, ClientOrFactory, client_getter, load
from ._support.pool import Usage, full_server_is_alive, refused_because_full
from ._support.psycopg import CONNECT_TIME, state_of
from ._support.writable import POSTGRES_QUERY, refusal_of_postgres

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

PING = "SELECT 1"
PQTRANS_IDLE = 0  # of libpq: no transaction is open


class AsyncpgPool(Protocol):
    """What is used of asyncpg.Pool, which has no types."""

    def is_closing(self) -> bool: ...
    def get_size(self) -> int: ...
    def get_idle_size(self) -> int: ...
    def get_max_size(self) -> int: ...
    def acquire(self) -> Any: ...
    def release(self, connection: Any) -> Any: ...


@catalogued(
    technology="PostgreSQL",
    extra="postgres",
    asked="`SELECT 1` on a connection of the pool; while the pool is exhausted, on an extra one. `writable`: "
    "`pg_is_in_recovery()` and `transaction_read_only` instead",
    costs="two round trips: the second is the reset that asyncpg does when a connection returns to the pool. While the "
    "pool is exhausted: one connection more, opened and closed",
    privileges="CONNECT",
)
def asyncpg_pool(pool: ClientOrFactory[AsyncpgPool], *, writable: bool = False) -> AsyncCheck:
    """Return a check of PostgreSQL through a pool of asyncpg.

    An exhausted pool is degraded: the server is asked on an extra connection, which is closed afterwards. A connection
    on which a run was cancelled is closed.

    Args:
        pool: The pool, or a function that returns it.
        writable: Fail also where the server takes no writes: on a standby, to which a failover may lead the pool, and
            where transactions are read-only by default. The check writes nothing. So it does not see a full disk, what
            the user may not write to, nor a commit that waits for a synchronous standby.

    Raises:
        ModuleNotFoundError: asyncpg is not installed.
        TypeError: `pool` is another kind of client.
    """
    asyncpg = load("asyncpg", extra="postgres")
    get = client_getter(pool, asyncpg.Pool, by="asyncpg_pool")

    async def check() -> Result:
        pool = get()
        if pool.is_closing():
            raise ClientError("the pool is closed")
        try:
            return await ask_pool(pool)
        except ValueError as error:
            # Its text quotes what asyncpg cannot parse, which may be a part of the password.
            message = f"asyncpg cannot connect ({type(error).__name__}): is the dsn of the pool as it should be?"
            raise ClientError(message) from None

    def usage_of(pool: AsyncpgPool) -> Usage:
        return Usage(pool.get_size() - pool.get_idle_size(), pool.get_max_size())

    async def ask_pool(pool: AsyncpgPool) -> Result:
        usage = usage_of(pool)
        refusal = ""
        # Private: asyncpg does not expose how its pool connects. Without it the run waits for a connection.
        connect = getattr(pool, "_get_new_connection", None)
        if usage.exhausted and connect is not None:
            with full_server_is_alive(lambda: usage_of(pool).exhausted):
                connection = await connect()
                try:
                    refusal = await ask(connection)
                finally:
                    connection.terminate()
        else:
            connection = await pool.acquire()
            try:
                refusal = await ask(connection)
                await pool.release(connection)
            except BaseException:
                with contextlib.suppress(asyncpg.InterfaceError):  # the pool has closed it already
                    connection.terminate()
                raise
        return unhealthy(refusal, data=usage.data) if refusal else usage.answered()

    async def ask(connection: Any) -> str:
        """Return why the server takes no writes; empty where it does, or where that is not asked."""
        if not writable:
            await connection.execute(PING)
            return ""
        tag: str = await connection.execute(POSTGRES_QUERY)  # such as "SELECT 2"
        return refusal_of_postgres(int(tag.rpartition(" ")[2]))

    return check


@catalogued(
    technology="PostgreSQL",
    extra="postgres",
    asked="`SELECT 1` on a connection of the pool, outside of a transaction; while the pool has none to give, on an "
    "extra one. `writable`: `pg_is_in_recovery()` and `transaction_read_only` instead",
    costs="one round trip. While the pool has none to give: one connection more, opened and closed",
    privileges="CONNECT",
)
def psycopg_pool(pool: "ClientOrFactory[AsyncConnectionPool[Any]]", *, writable: bool = False) -> AsyncCheck:
    """Return a check of PostgreSQL through an AsyncConnectionPool of psycopg 3.

    Such a pool connects in the background, and does not expose why that fails. While it has no connection to give, the
    check opens an extra one, which shows the reason, and separates an exhausted pool (degraded) from a dead database. A
    connection on which a run was cancelled is closed.

    Args:
        pool: The pool, or a function that returns it.
        writable: Fail also where the server takes no writes: on a standby, to which a failover may lead the pool, and
            where transactions are read-only by default. The check writes nothing. So it does not see a full disk, what
            the user may not write to, a commit that waits for a synchronous standby, nor ``read_only`` of a connection.

    Raises:
        ModuleNotFoundError: psycopg or psycopg_pool is not installed.
        TypeError: `pool` is another kind of client.
    """
    broken = load("psycopg", extra="postgres").OperationalError  # psycopg_pool does not install psycopg
    kind = load("psycopg_pool", extra="postgres").AsyncConnectionPool
    get = client_getter(pool, kind, by="psycopg_pool")

    async def check() -> Result:
        pool = get()
        if pool.closed:
            raise ClientError("the pool is closed")
        discarded = False
        # After a restart of the server, each connection of the pool fails once, and is closed then.
        for again in range(pool.max_size, -1, -1):
            state = state_of(pool)
            if not state.available:
                exhausted = state.exhausted and not discarded
                refusal = ""
                try:
                    refusal = await _ask_on_extra_connection(pool, writable)
                except broken as error:
                    # The state is read again, because a connection that is being opened counts as in use.
                    if not (exhausted and refused_because_full(error) and state_of(pool).exhausted):
                        raise
                if refusal:
                    return unhealthy(refusal, data=state.usage.data)
                state = state_of(pool)
                if state.exhausted:
                    await asyncio.sleep(CONNECT_TIME)  # until connections that are being opened are open
                    state = state_of(pool)
                if discarded:
                    return healthy(data=state.usage.data)
                if state.stuck or state.exhausted:
                    return state.answered_outside_pool()
            connection = await pool.getconn()
            try:
                refusal = await _ask(connection, writable)
                return unhealthy(refusal, data=state.usage.data) if refusal else healthy(data=state.usage.data)
            except broken:
                if not (again and state.available and connection.closed):
                    raise
                discarded = True
            finally:
                await pool.putconn(connection)
        raise ClientError("each connection of the pool was broken")

    return check


async def _ask_on_extra_connection(pool: "AsyncConnectionPool[Any]", writable: bool) -> str:
    connection = await _connect_like(pool)
    try:
        return await _ask(connection, writable)
    finally:
        await connection.close()


async def _connect_like(pool: "AsyncConnectionPool[Any]") -> "AsyncConnection[Any]":
    conninfo: Any = pool.conninfo() if callable(pool.conninfo) else pool.conninfo
    options: Any = pool.kwargs() if callable(pool.kwargs) else pool.kwargs
    where: str = (await conninfo if inspect.isawaitable(conninfo) else conninfo) or ""
    arguments: dict[str, Any] = (await options if inspect.isawaitable(options) else options) or {}
    try:
        connection: AsyncConnection[Any] = await pool.connection_class.connect(where, **arguments)
    except load("psycopg", extra="postgres").ProgrammingError:
        # Its text quotes what psycopg cannot parse, which may be a part of the password.
        raise ClientError("psycopg cannot read how the pool is to connect (conninfo, kwargs)") from None
    return connection


async def _ask(connection: "AsyncConnection[Any]", writable: bool) -> str:
    """Return why the server takes no writes; empty where it does, or where that is not asked.

    Asks outside of a transaction, which would cost two round trips more.
    """
    autocommit = connection.autocommit
    if not autocommit:
        await connection.set_autocommit(True)
    try:
        query = POSTGRES_QUERY if writable else PING
        answer = await ends_when_cancelled(connection.execute(query, prepare=False))
        return refusal_of_postgres(answer.rowcount) if writable else ""
    finally:
        # A cancelled query leaves the connection in a transaction, and its pool closes it.
        if not autocommit and connection.info.transaction_status == PQTRANS_IDLE:
            await connection.set_autocommit(False)
