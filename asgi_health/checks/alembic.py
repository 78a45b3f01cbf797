"""The schema of a database: whether Alembic has migrated it to the scripts of this release."""

from typing import TYPE_CHECKING, overload

from ..core.result import Result, healthy, unhealthy
from ._support.arguments import require_type
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
    asked="whether the table of versions exists, and what it holds, on a connection of the engine; while its pool is "
    "exhausted, on an extra one",
    costs="PostgreSQL: two round trips, outside of a transaction. While the pool is exhausted: one connection more, "
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
    """Return a check that the database is at the heads of the migration scripts.

    It fails while a migration is missing, and also where another release has migrated further than these scripts know.
    The scripts are read once, now. No migration is run, and a missing table of versions is not created.

    While the pool of the engine is exhausted, the check opens an extra connection, with the execution options of the
    engine but without its events. A database at the heads is degraded then. With a plain Engine the check is a plain
    function, whose thread no deadline ends.

    Args:
        engine: The engine of SQLAlchemy 2, async or plain, or a function that returns it.
        config: Names the scripts: ``Config("alembic.ini")``.
        version_table: The same as in ``context.configure`` of your env.py.
        version_table_schema: The same as in ``context.configure`` of your env.py.

    Raises:
        ModuleNotFoundError: Alembic is not installed.
        TypeError: `engine` or `config` is of another kind.
        ValueError: The folder of the scripts has none.
        alembic.util.CommandError: The folder of the scripts does not exist.
    """
    context = load("alembic.runtime.migration", extra="alembic").MigrationContext
    require_type("alembic_at_head: config", config, load("alembic.config", extra="alembic").Config)
    scripts = load("alembic.script", extra="alembic").ScriptDirectory.from_config(config)
    options = {"version_table": version_table, "version_table_schema": version_table_schema}
    revisions = list(scripts.walk_revisions())
    known = frozenset[str](script.revision for script in revisions)
    # Unless it was stamped, Alembic does not store a revision on which another stored revision depends.
    implied = frozenset[str](
        needed.revision
        for script in revisions
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

    return engine_check(engine, read, full_server_is_healthy=False, extra="alembic", by="alembic_at_head")


def _names(revisions: "Iterable[str]") -> str:
    return ", ".join(sorted(revisions)) or "no revision"
