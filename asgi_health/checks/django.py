"""A database of Django, by its alias."""

import time
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

from ..core.result import Result, healthy
from ..core.status import Status
from ._support.catalogue import catalogued
from ._support.client import ClientError, PlainCheck, load
from ._support.pool import full_server_is_alive
from ._support.psycopg import CONNECT_TIME, state_of
from ._support.sqlite import LOCK_TIMEOUT, READ_FIRST_PAGE, read, require_file
from ._support.writable import ask_writable

ASKABLE = ("mysql", "postgresql", "sqlite")
"""The vendors of Django whose databases can be asked whether they take writes. MariaDB is ``mysql``."""


@catalogued(
    technology="Django, any database",
    extra="django",
    asked="`SELECT 1` (SQLite: to read the first page of the file) on a connection of the check's own, and the usage "
    "of Django's pool for PostgreSQL. `writable`: PostgreSQL: `pg_is_in_recovery()` and `transaction_read_only` "
    "instead; MySQL, MariaDB: `@@read_only` and `@@innodb_read_only` instead; SQLite: also whether the file could be "
    "written to, and to delete no row of a table, which changes nothing",
    costs="one round trip, and a connection that stays open",
    privileges="to connect",
)
def django_connection(alias: str = "default", *, writable: bool = False) -> PlainCheck:
    """Return a check of the database `alias` of Django's settings.

    Django's connections belong to one thread each, so the check keeps a connection of its own, and opens another when
    that is broken. It does so too where Django has a pool (``"OPTIONS": {"pool": ...}``), whose usage it only reads: an
    exhausted pool of psycopg is degraded. A missing file of SQLite is a failure, and is not created, unless the
    settings have a URI for it (``file:...``). A file that a writer has locked for longer than 0.2 s is degraded.

    Nothing closes that connection while the check exists, and PostgreSQL drops no database that has one. So leave this
    check out of an application whose test runner drops its database.

    It is a plain function, and no deadline ends its thread: the failure is published in time, but the next run waits
    until the driver gives up. So set timeouts of the driver, for example for psycopg
    ``"OPTIONS": {"connect_timeout": 2, "tcp_user_timeout": 2000}``.

    Args:
        alias: The alias of the database.
        writable: Fail also where the database takes no writes: PostgreSQL on a standby, or where transactions are
            read-only by default; MySQL and MariaDB with ``read_only`` or ``innodb_read_only``; SQLite where the file or
            its folder cannot be written to, or was opened read-only. Other databases cannot be asked, and fail. The
            check writes nothing. So it does not see a full disk, what the user may not write to, nor a commit that
            waits for another server; of SQLite without a table it sees the file alone.

    Raises:
        ModuleNotFoundError: Django is not installed.
        TypeError: `alias` is not a string.
    """
    if not isinstance(alias, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"django_connection: expected the alias of a database, a string, not {alias!r:.80}")
    connections: Any = load("django.db", extra="django").connections
    request = _ask_writable if writable else _ping
    lock = Lock()
    model: Any = None
    kept: Any = None

    def check() -> Result:
        nonlocal model, kept
        if alias not in connections.settings:
            raise ClientError(f"there is no database {alias!r} in the settings of Django")
        with lock:  # a connection serves one request at a time
            if kept is None:
                model = connections.create_connection(alias)  # never connected; it gives access to the pool
                kept = _without_pool(connections.create_connection(alias))
            was_exhausted, result = pool_is_exhausted(), healthy()
            with full_server_is_alive(lambda: was_exhausted and pool_is_exhausted()):
                result = _ask_kept(kept, request)
            if result.status is Status.UNHEALTHY:
                kept.close()  # the next connection may reach the server that has taken over, as those of requests will
        pool = _pool_of(model)
        if pool is None or result.status is Status.UNHEALTHY:
            return result
        if (state := state_of(pool)).exhausted:
            time.sleep(CONNECT_TIME)  # a connection that is being opened counts as in use
            state = state_of(pool)
        return state.answered_outside_pool()

    def pool_is_exhausted() -> bool:
        pool = _pool_of(model)
        return pool is not None and state_of(pool).exhausted

    return check


def _pool_of(connection: Any) -> Any:
    return getattr(connection, "pool", None) if connection.vendor == "postgresql" else None


def _without_pool(connection: Any) -> Any:
    """Return `connection`, set to use no pool. On SQLite it also waits no longer than LOCK_TIMEOUT for a writer."""
    settings = connection.settings_dict
    options = {name: value for name, value in settings["OPTIONS"].items() if name != "pool"}
    if connection.vendor == "sqlite":
        options["timeout"] = LOCK_TIMEOUT
    connection.settings_dict = {**settings, "OPTIONS": options}
    connection.inc_thread_sharing()  # each run is another thread
    return connection


def _ask_kept(connection: Any, request: Callable[[Any], Result]) -> Result:
    was_open = connection.connection is not None
    try:
        return _ask(connection, request)
    except Exception:
        connection.close()
        if not was_open:
            raise
        # A connection that was open before may be older than a restart of the server. Only a new one shows its state.
        try:
            return _ask(connection, request)
        except Exception:
            connection.close()
            raise


def _ask(connection: Any, request: Callable[[Any], Result]) -> Result:
    if connection.vendor == "sqlite":
        require_file(connection.settings_dict["NAME"])
    return request(connection)


def _ping(connection: Any) -> Result:
    bare = f"SELECT 1{connection.features.bare_select_suffix}"
    return read(lambda: _execute(connection, READ_FIRST_PAGE if connection.vendor == "sqlite" else bare))


def _ask_writable(connection: Any) -> Result:
    if connection.vendor not in ASKABLE:
        message = f"writable can be asked of {', '.join(ASKABLE)}, not of {connection.vendor}"
        raise ClientError(f"django_connection: {message}")
    return ask_writable(connection.vendor, lambda statement: _execute(connection, statement))


def _execute(connection: Any, statement: str) -> Sequence[Sequence[Any]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        rows: Sequence[Sequence[Any]] = cursor.fetchall()
        return rows
