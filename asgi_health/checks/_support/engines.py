"""Requests to a database through an engine of SQLAlchemy, on a connection of its pool or on an extra one."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from ...core.result import Result
from ...core.status import Status
from .cancellation import ends_when_cancelled
from .client import ClientOrFactory, client_getter, load
from .pool import Usage, full_server_is_alive
from .sqlite import require_file

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Pool
    from sqlalchemy.ext.asyncio import AsyncEngine


class NoAsyncEngine:
    """Stands for AsyncEngine when greenlet is not installed; no object is an instance."""


def async_engine(*, extra: str) -> type:
    """Return the class of async engines. Raises ModuleNotFoundError without SQLAlchemy.

    SQLAlchemy 2.1 and later install greenlet only on request. Without greenlet there are plain engines alone.
    """
    load("sqlalchemy", extra=extra)
    try:
        return cast("type", load("sqlalchemy.ext.asyncio", extra=extra).AsyncEngine)
    except ImportError:
        return NoAsyncEngine


def engine_check(
    given: "ClientOrFactory[AsyncEngine | Engine]",
    request: "Callable[[Connection], Result]",
    *,
    full_server_is_healthy: bool,
    extra: str,
    by: str,
) -> Callable[[], object]:
    """Return a check that makes `request` to the database of an engine. It is async or plain, as the engine is.

    While the pool of the engine is exhausted, the request is made on an extra connection, which is closed afterwards,
    and a healthy result becomes degraded. A file of SQLite that is missing is a failure, and is not created.

    Args:
        given: The engine, or the function that returns it.
        request: Runs in the thread or greenlet of the connection.
        full_server_is_healthy: While the pool is exhausted, a server that has no room for the extra connection counts
            as one that has answered.
        extra: The extra that installs SQLAlchemy.
        by: The name of the check, with which errors begin.

    Raises:
        ModuleNotFoundError: SQLAlchemy is not installed.
        TypeError: `given` is neither an engine nor a function without arguments.
    """
    sqlalchemy = load("sqlalchemy", extra=extra)
    async_kind: Any = async_engine(extra=extra)
    get = client_getter(given, async_kind, sqlalchemy.Engine, by=by)

    async def ask(engine: "AsyncEngine") -> Result:
        _require_file(engine.sync_engine)
        usage = _usage(engine.pool)
        if usage is None or not usage.exhausted:
            return _with_usage(await ends_when_cancelled(query(engine)), usage)
        extra_engine = async_kind(engine_like(engine.sync_engine))
        result = usage.answered()
        try:
            with full_server_is_alive(lambda: may_be_refused(engine.pool)):
                result = _with_usage(await ends_when_cancelled(query(extra_engine)), usage)
        finally:
            await extra_engine.dispose()
        return result

    async def query(engine: "AsyncEngine") -> Result:
        async with engine.connect() as connection:
            return await connection.run_sync(make_request)

    def ask_plain(engine: "Engine") -> Result:
        _require_file(engine)
        usage = _usage(engine.pool)
        if usage is None or not usage.exhausted:
            return _with_usage(query_plain(engine), usage)
        extra_engine = engine_like(engine)
        result = usage.answered()
        try:
            with full_server_is_alive(lambda: may_be_refused(engine.pool)):
                result = _with_usage(query_plain(extra_engine), usage)
        finally:
            extra_engine.dispose()
        return result

    def query_plain(engine: "Engine") -> Result:
        with engine.connect() as connection:
            return make_request(connection)

    def engine_like(engine: "Engine") -> "Engine":
        """Return an engine with the options of `engine`, a pool of its own, and the events of the pool of `engine`.

        It lacks the events of the engine itself (``engine_connect`` and the like): SQLAlchemy copies those of pools
        alone.
        """
        options = engine.get_execution_options()
        copy: Engine = sqlalchemy.Engine(engine.pool.recreate(), engine.dialect, engine.url, execution_options=options)
        return copy

    def may_be_refused(pool: "Pool") -> bool:
        usage = _usage(pool)
        return full_server_is_healthy and usage is not None and usage.exhausted

    def make_request(connection: "Connection") -> Result:
        if connection.dialect.name == "postgresql":
            # Saves BEGIN and ROLLBACK; the pool resets the connection. On other databases it would cost a round trip.
            connection.execution_options(isolation_level="AUTOCOMMIT")
        return request(connection)

    if isinstance(given, async_kind):
        return partial(ask, cast("AsyncEngine", given))

    def check() -> object:
        engine = get()
        # The engine of a function is known only now. An awaitable that is returned here is awaited in the loop.
        if isinstance(engine, async_kind):
            return ask(cast("AsyncEngine", engine))
        return ask_plain(cast("Engine", engine))

    return check


def _require_file(engine: "Engine") -> None:
    if engine.dialect.name == "sqlite":
        require_file(engine.url.database)


def _usage(pool: "Pool") -> Usage | None:
    """Return the usage of `pool`; None where it has no limit, or usage has no meaning (NullPool, StaticPool)."""
    overflow = getattr(pool, "_max_overflow", -1)  # private: SQLAlchemy exposes the limit nowhere else
    if overflow < 0:
        return None
    queue: Any = pool
    return Usage(queue.checkedout(), queue.size() + overflow)


def _with_usage(result: Result, usage: Usage | None) -> Result:
    if usage is None or result.status is not Status.HEALTHY:
        return result
    answered = usage.answered()
    return replace(answered, data={**answered.data, **result.data})
