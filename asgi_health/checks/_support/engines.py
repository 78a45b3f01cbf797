"""A question to a database through an engine of SQLAlchemy: on a connection of the engine, or on one beside it."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from ...core.result import Result
from ...core.status import Status
from .cancellation import ends_when_cancelled
from .client import ClientOrFactory, client_getter, load
from .pool import Usage, refusal_answers
from .sqlite import require_file

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Pool
    from sqlalchemy.ext.asyncio import AsyncEngine


class NoAsyncEngine:
    """What no engine is an instance of."""


def async_engine(*, extra: str) -> type:
    """Return the class of async engines. Raises ModuleNotFoundError without SQLAlchemy.

    From 2.1 on SQLAlchemy brings greenlet only when asked for it, and without it has plain engines alone.
    """
    load("sqlalchemy", extra=extra)
    try:
        return cast("type", load("sqlalchemy.ext.asyncio", extra=extra).AsyncEngine)
    except ImportError:
        return NoAsyncEngine


def engine_check(
    given: "ClientOrFactory[AsyncEngine | Engine]",
    question: "Callable[[Connection], Result]",
    *,
    refusal_answers_it: bool,
    extra: str,
    by: str,
) -> Callable[[], object]:
    """Return a check that puts `question` to the database of an engine, async or plain as that is.

    While the pool of the engine is exhausted it is put on a connection opened beside the pool and closed again, and a
    good answer is degraded; so is a server without room for that connection, where the question is whether it answers
    (`refusal_answers_it`). A file of SQLite that is missing is a failure, and is not made. Raises what client_getter
    does in the name of `by`, and ModuleNotFoundError without SQLAlchemy.
    """
    sqlalchemy = load("sqlalchemy", extra=extra)
    async_kind: Any = async_engine(extra=extra)
    get = client_getter(given, async_kind, sqlalchemy.Engine, by=by)

    async def ask(engine: "AsyncEngine") -> Result:
        _require_file(engine.sync_engine)
        usage = _usage(engine.pool)
        if usage is None or not usage.exhausted:
            return _told(await ends_when_cancelled(query(engine)), usage)
        spare = async_kind(beside(engine.sync_engine))
        result = usage.answered()
        try:
            with refusal_answers(lambda: may_be_refused(engine.pool)):
                result = _told(await ends_when_cancelled(query(spare)), usage)
        finally:
            await spare.dispose()
        return result

    async def query(engine: "AsyncEngine") -> Result:
        async with engine.connect() as connection:
            return await connection.run_sync(put)

    def ask_plain(engine: "Engine") -> Result:
        _require_file(engine)
        usage = _usage(engine.pool)
        if usage is None or not usage.exhausted:
            return _told(query_plain(engine), usage)
        spare = beside(engine)
        result = usage.answered()
        try:
            with refusal_answers(lambda: may_be_refused(engine.pool)):
                result = _told(query_plain(spare), usage)
        finally:
            spare.dispose()
        return result

    def query_plain(engine: "Engine") -> Result:
        with engine.connect() as connection:
            return put(connection)

    def beside(engine: "Engine") -> "Engine":
        """One that connects as `engine` does, with a pool of its own, its options, and those events that its pool has.

        Events of the engine itself (``engine_connect`` and the like) are not run on it: SQLAlchemy hands on those of
        pools alone.
        """
        options = engine.get_execution_options()
        spare: Engine = sqlalchemy.Engine(engine.pool.recreate(), engine.dialect, engine.url, execution_options=options)
        return spare

    def may_be_refused(pool: "Pool") -> bool:
        usage = _usage(pool)
        return refusal_answers_it and usage is not None and usage.exhausted

    def put(connection: "Connection") -> Result:
        if connection.dialect.name == "postgresql":
            # Saves BEGIN and ROLLBACK; the pool puts the connection back to what it was. Elsewhere it would cost more.
            connection.execution_options(isolation_level="AUTOCOMMIT")
        return question(connection)

    if isinstance(given, async_kind):
        return partial(ask, cast("AsyncEngine", given))

    def ping() -> object:
        engine = get()
        # What is returned here to be awaited is awaited in the loop.
        if isinstance(engine, async_kind):
            return ask(cast("AsyncEngine", engine))
        return ask_plain(cast("Engine", engine))

    return ping


def _require_file(engine: "Engine") -> None:
    if engine.dialect.name == "sqlite":
        require_file(engine.url.database)


def _usage(pool: "Pool") -> Usage | None:
    """Return how full `pool` is; None where that has no meaning (NullPool, StaticPool), or it has no limit."""
    overflow = getattr(pool, "_max_overflow", -1)  # private: nothing else tells the limit
    if overflow < 0:
        return None
    queue: Any = pool
    return Usage(queue.checkedout(), queue.size() + overflow)


def _told(result: Result, usage: Usage | None) -> Result:
    if usage is None or result.status is not Status.HEALTHY:
        return result
    answered = usage.answered()
    return replace(answered, data={**answered.data, **result.data})
