"""The schema of a database: whether Alembic has brought it to where this release's scripts are."""

from typing import TYPE_CHECKING, overload

from ..core.require import require_type
from ..core.result import Result, healthy, unhealthy
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientOrFactory, PlainCheck, load
from ._support.engines import engine_check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from alembic.config import Config
    from sqlalchemy import Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine


@overload
def alembic_at_head(
    engine: "AsyncEngine", config: "Config", *, version_table: str = ..., version_table_schema: str | None = ...
) -> AsyncCheck: ...
@overload
def alembic_at_head(
    engine: "Engine", config: "Config", *, version_table: str = ..., version_table_schema: str | None = ...
) -> PlainCheck: ...
@overload
def alembic_at_head(
    engine: "Callable[[], AsyncEngine | Engine | None]",
    config: "Config",
    *,
    version_table: str = ...,
    version_table_schema: str | None = ...,
) -> "Callable[[], object]": ...
@catalogued(
    technology="Alembic",
    extra="alembic",
    asked="whether the table of versions is there, and what it holds, on a connection of the engine; while its pool is "
    "exhausted, on one beside it",
    costs="PostgreSQL: two round trips, outside of a transaction. While the pool is exhausted: one more connection, "
    "opened and closed. Meant for startup: `Check(..., probes=(Probe.STARTUP,))` stops after its first pass",
    privileges="to connect, and SELECT on the table of versions (PostgreSQL: with USAGE on its schema)",
)
def alembic_at_head(
    engine: "ClientOrFactory[AsyncEngine | Engine]",
    config: "Config",
    *,
    version_table: str = "alembic_version",
    version_table_schema: str | None = None,
) -> "Callable[[], object]":
    """Return a check that the database is at the heads of the scripts that `config` (``Config("alembic.ini")``) names.

    It fails while a migration is still to come, and also where another release has migrated further than these scripts
    know. `version_table` and `version_table_schema` are to be what your env.py tells ``context.configure``. The scripts
    are read once, now, and no migration is run; the table is not made where it is missing. While the pool of the engine
    is exhausted it asks on a connection opened beside the pool, with the execution options of the engine but without
    its events, and a database at the heads is degraded.

    With a plain Engine the check is a plain function, whose thread no deadline ends. Raises ModuleNotFoundError without
    Alembic, TypeError for another kind of engine or config, alembic.util.CommandError where the folder of the scripts
    is not there, ValueError where it has none.
    """
    context = load("alembic.runtime.migration", extra="alembic").MigrationContext
    require_type("alembic_at_head: config", config, load("alembic.config", extra="alembic").Config)
    scripts = load("alembic.script", extra="alembic").ScriptDirectory.from_config(config)
    options = {"version_table": version_table, "version_table_schema": version_table_schema}
    walked = list(scripts.walk_revisions())
    known = frozenset[str](script.revision for script in walked)
    # Alembic leaves out of its table what another revision there depends on, unless it was stamped.
    implied = frozenset[str](
        needed.revision
        for script in walked
        if script.dependencies
        for needed in scripts.get_revisions(script.dependencies)
    )
    heads = frozenset[str](scripts.get_heads()) - implied
    if not heads:
        raise ValueError(f"alembic_at_head: there are no scripts in {scripts.dir}, expected one revision or more")
    inspect = load("sqlalchemy", extra="alembic").inspect

    def read(connection: "Connection") -> Result:
        current = frozenset[str](context.configure(connection, opts=options).get_current_heads())
        if current - implied == heads:
            return healthy(data={"revision": _names(heads)})
        if not current and not inspect(connection).has_table(version_table, schema=version_table_schema):
            return unhealthy(f"no table {version_table} can be seen; the scripts are at {_names(heads)}")
        unknown = ", which these scripts do not know" if current - known else ""
        return unhealthy(f"the database is at {_names(current)}{unknown}; the scripts are at {_names(heads)}")

    return engine_check(engine, read, refusal_answers_it=False, extra="alembic", by="alembic_at_head")


def _names(revisions: "Iterable[str]") -> str:
    return ", ".join(sorted(revisions)) or "no revision"
