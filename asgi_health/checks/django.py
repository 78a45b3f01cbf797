"""A database of Django, by its alias."""

import time
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

from ..core.result import Result, healthy, unhealthy
from ..core.status import Status
from ._support.catalogue import catalogued
from ._support.client import ClientError, PlainCheck, load
from ._support.pool import refusal_answers
from ._support.psycopg import CONNECTS, state_of
from ._support.sqlite import LOCKED, READ, answer, ask_connection, require_file
from ._support.writable import MYSQL, POSTGRES, refusal_of_mysql, refusal_of_postgres


@catalogued(
    technology="Django, any database",
    extra="django",
    asked="`SELECT 1` (SQLite: to read the first page of the file) on a connection of the check's own, and how full "
    "Django's pool for PostgreSQL is. `writable`: PostgreSQL: `pg_is_in_recovery()` and `transaction_read_only` "
    "instead; MySQL, MariaDB: `@@read_only` and `@@innodb_read_only` instead; SQLite: also whether the file could be "
    "written to, and to delete no row of a table, which changes nothing",
    costs="one round trip, and a connection that stays open",
    privileges="to connect",
)
def django_connection(alias: str = "default", *, writable: bool = False) -> PlainCheck:
    """Return a check of the database `alias` of Django's settings.

    With `writable` it fails where the database takes no writes: PostgreSQL on a standby, or where transactions are
    read-only by default; MySQL and MariaDB with ``read_only`` or ``innodb_read_only``; SQLite where the file or its
    folder cannot be written to, or was opened read-only. It asks and writes nothing, so it does not see a full disk,
    what the user may not write to, nor a commit that waits for another server; of SQLite without a table it sees the
    file alone. Another database cannot be asked so, and fails.

    Django's connections belong to one thread each, so there is none to hand over: the check keeps one of its own and
    opens a new one when that is broken. It does so too where Django has a pool (``"OPTIONS": {"pool": ...}``), which is
    looked at and not used: an exhausted pool of psycopg is degraded, not a dead database. A file of SQLite that is
    missing is a failure, and is not made, unless the settings have a URI for it (``file:...``); one that a writer has
    locked for longer than 0.2 s is degraded.

    Nothing closes the connection that is kept while there is the check, and PostgreSQL drops no database that has one.
    So where a test runner drops its database, leave this check out of the application that is tested.

    It is a plain function, and no deadline ends its thread: the failure is published in time, but the next run has to
    wait until the driver gives up. So tell the driver when, for example psycopg by
    ``"OPTIONS": {"connect_timeout": 2, "tcp_user_timeout": 2000}``.

    Raises ModuleNotFoundError without Django, TypeError when `alias` is not a string.
    """
    if not isinstance(alias, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"django_connection: expected the alias of a database, a string, not {alias!r:.80}")
    connections: Any = load("django.db", extra="django").connections
    lock = Lock()
    model: Any = None
    kept: Any = None

    def ping() -> Result:
        nonlocal model, kept
        if alias not in connections.settings:
            raise ClientError(f"there is no database {alias!r} in the settings of Django")
        with lock:  # one connection, one question at a time
            if kept is None:
                model = connections.create_connection(alias)  # never connected: it tells of the pool
                kept = _alone(connections.create_connection(alias))
            spent, result = pool_is_spent(), healthy()
            with refusal_answers(lambda: spent and pool_is_spent()):
                result = _ask_kept(kept, ask_writable if writable else _ping)
            if result.status is Status.UNHEALTHY:
                kept.close()  # the next one may lead to the server that has taken over, as those of requests will
        pool = _pool_of(model)
        if pool is None or result.status is Status.UNHEALTHY:
            return result
        if (state := state_of(pool)).spent:
            time.sleep(CONNECTS)
            state = state_of(pool)
        return state.answered_beside()

    def pool_is_spent() -> bool:
        pool = _pool_of(model)
        return pool is not None and state_of(pool).spent

    return ping


def _pool_of(connection: Any) -> Any:
    return getattr(connection, "pool", None) if connection.vendor == "postgresql" else None


def _alone(connection: Any) -> Any:
    """Give it no pool and, as to whoever reads a file of SQLite, little patience with a writer."""
    settings = connection.settings_dict
    options = {name: value for name, value in settings["OPTIONS"].items() if name != "pool"}
    if connection.vendor == "sqlite":
        options["timeout"] = LOCKED
    connection.settings_dict = {**settings, "OPTIONS": options}
    connection.inc_thread_sharing()  # each run is another thread
    return connection


def _ask_kept(connection: Any, question: Callable[[Any], Result]) -> Result:
    known = connection.connection is not None
    try:
        return _ask(connection, question)
    except Exception:
        connection.close()
        if not known:
            raise
        # An old connection says little about the server: it may have been restarted since. A new one tells.
        try:
            return _ask(connection, question)
        except Exception:
            connection.close()
            raise


def _ask(connection: Any, question: Callable[[Any], Result]) -> Result:
    if connection.vendor == "sqlite":
        require_file(connection.settings_dict["NAME"])
    return question(connection)


def _ping(connection: Any) -> Result:
    select = READ if connection.vendor == "sqlite" else f"SELECT 1{connection.features.bare_select_suffix}"
    return answer(lambda: _execute(connection, select))


def ask_writable(connection: Any) -> Result:
    """Return whether the database takes writes, by the question that it understands."""
    if connection.vendor == "sqlite":
        return ask_connection(lambda statement: _execute(connection, statement))
    if connection.vendor == "postgresql":
        refusal = refusal_of_postgres(len(_execute(connection, POSTGRES)))
    elif connection.vendor == "mysql":  # MariaDB too
        refusal = refusal_of_mysql(_execute(connection, MYSQL)[0])
    else:
        message = f"writable can be asked of mysql, postgresql, sqlite, not of {connection.vendor}"
        raise ClientError(f"django_connection: {message}")
    return unhealthy(refusal) if refusal else healthy()


def _execute(connection: Any, statement: str) -> Sequence[Sequence[Any]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        rows: Sequence[Sequence[Any]] = cursor.fetchall()
        return rows
