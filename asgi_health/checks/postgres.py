"""PostgreSQL, by a pool of asyncpg or of psycopg."""

import asyncio
import contextlib
import inspect
from typing import TYPE_CHECKING, Any, Protocol

from ..core.result import Result, healthy, unhealthy
from ._support.cancellation import ends_when_cancelled
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientError, ClientOrFactory, client_getter, load
from ._support.pool import Usage, refusal_answers, refused_for_want_of_room
from ._support.psycopg import CONNECTS, state_of
from ._support.writable import POSTGRES, refusal_of_postgres

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


@catalogued(
    technology="PostgreSQL",
    extra="postgres",
    asked="`SELECT 1` on a connection of the pool; while the pool is exhausted, on one beside it. `writable`: "
    "`pg_is_in_recovery()` and `transaction_read_only` instead",
    costs="two round trips: the second is the reset that asyncpg does when a connection goes back. While the pool is "
    "exhausted: one connection more, opened and closed",
    privileges="CONNECT",
)
def asyncpg_pool(pool: ClientOrFactory[AsyncpgPool], *, writable: bool = False) -> AsyncCheck:
    """Return a check of PostgreSQL through a pool of asyncpg.

    With `writable` it fails where the server takes no writes: on a standby, to which a failover may lead the pool, and
    where transactions are read-only by default. It asks and writes nothing, so it does not see a full disk, what the
    user may not write to, nor a commit that waits for a synchronous standby.

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
        try:
            return await ask(pool)
        except ValueError as error:
            # It quotes what it cannot read, and that may be a piece of the password.
            told = f"asyncpg cannot connect ({type(error).__name__}): is the dsn of the pool as it should be?"
            raise ClientError(told) from None

    def usage_of(pool: AsyncpgPool) -> Usage:
        return Usage(pool.get_size() - pool.get_idle_size(), pool.get_max_size())

    async def ask(pool: AsyncpgPool) -> Result:
        usage = usage_of(pool)
        refusal = ""
        # The one private name: asyncpg tells nobody how its pool connects. Without it the run has to wait its turn.
        beside = getattr(pool, "_get_new_connection", None)
        if usage.exhausted and beside is not None:
            with refusal_answers(lambda: usage_of(pool).exhausted):
                connection = await beside()
                try:
                    refusal = await put(connection)
                finally:
                    connection.terminate()
        else:
            connection = await pool.acquire()
            try:
                refusal = await put(connection)
                await pool.release(connection)
            except BaseException:
                with contextlib.suppress(asyncpg.InterfaceError):  # it is no longer ours: the pool has closed it
                    connection.terminate()
                raise
        return unhealthy(refusal, data=usage.data) if refusal else usage.answered()

    async def put(connection: Any) -> str:
        """Return why the server takes no writes, where that is asked; else nothing."""
        if not writable:
            await connection.execute(PING)
            return ""
        tag: str = await connection.execute(POSTGRES)  # such as "SELECT 2"
        return refusal_of_postgres(int(tag.rpartition(" ")[2]))

    return ping


@catalogued(
    technology="PostgreSQL",
    extra="postgres",
    asked="`SELECT 1` on a connection of the pool, outside of a transaction; while the pool has none to give, on one "
    "beside it. `writable`: `pg_is_in_recovery()` and `transaction_read_only` instead",
    costs="one round trip. While the pool has none to give: one connection more, opened and closed",
    privileges="CONNECT",
)
def psycopg_pool(pool: "ClientOrFactory[AsyncConnectionPool[Any]]", *, writable: bool = False) -> AsyncCheck:
    """Return a check of PostgreSQL through an AsyncConnectionPool of psycopg 3.

    With `writable` it fails where the server takes no writes: on a standby, to which a failover may lead the pool, and
    where transactions are read-only by default. It asks and writes nothing, so it does not see a full disk, what the
    user may not write to, a commit that waits for a synchronous standby, nor ``read_only`` of a connection.

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
            state = state_of(pool)
            if not state.available:
                spent = state.spent and not discarded
                refusal = ""
                try:
                    refusal = await _ask_beside(pool, writable)
                except broken as error:
                    # Twice: a connection that it is just making counts as one at work.
                    if not (spent and refused_for_want_of_room(error) and state_of(pool).spent):
                        raise
                if refusal:
                    return unhealthy(refusal, data=state.usage.data)
                if (
                    state := state_of(pool)
                ).spent:  # or is it connecting at this moment, and will not be when that is over?
                    await asyncio.sleep(CONNECTS)
                    state = state_of(pool)
                if discarded:
                    return healthy(data=state.usage.data)
                if state.stuck or state.spent:
                    return state.answered_beside()
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
        raise ClientError("the pool has no connection that holds")

    return ping


async def _ask_beside(pool: "AsyncConnectionPool[Any]", writable: bool) -> str:
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
        # It quotes what it cannot read, and that may be a piece of the password.
        raise ClientError("psycopg cannot read how the pool is to connect (conninfo, kwargs)") from None
    return connection


async def _ask(connection: "AsyncConnection[Any]", writable: bool) -> str:
    """Ping outside of a transaction, which would cost two round trips more.

    Returns why the server takes no writes, where that is asked; else nothing.
    """
    before = connection.autocommit
    if not before:
        await connection.set_autocommit(True)
    try:
        asked = await ends_when_cancelled(connection.execute(POSTGRES if writable else PING, prepare=False))
        return refusal_of_postgres(asked.rowcount) if writable else ""
    finally:
        # Where the ping was cut off the connection is in the middle of it, and its pool throws it away.
        if not before and connection.info.transaction_status == IDLE:
            await connection.set_autocommit(False)
