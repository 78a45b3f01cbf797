"""A database of Django, by its alias."""

from threading import Lock
from typing import Any

from ..core.result import Result, healthy
from .client import ClientError, PlainCheck
from .driver import load
from .pool import Usage
from .table import described


@described(
    technology="Django, any database",
    extra="django",
    asked="`SELECT 1` on a connection of the check's own; with Django's pool for PostgreSQL, on one of the pool, or "
    "beside it while it has none to give",
    costs="one round trip, and a connection that stays open; with Django's pool none stays open, and a connection is "
    "opened and closed while the pool has none to give",
    privileges="to connect",
)
def django_connection(alias: str = "default") -> PlainCheck:
    """Return a check of the database `alias` of Django's settings.

    Django's connections belong to one thread each, so there is none to hand over: the check keeps one of its own and
    opens a new one when that is broken. Where Django has a pool (``"OPTIONS": {"pool": ...}``) it takes one out of the
    pool, and an exhausted pool is degraded, not a dead database.

    It is a plain function, and no deadline ends its thread: the failure is published in time, but the next run has to
    wait until the driver gives up. So tell the driver when, for example psycopg by
    ``"OPTIONS": {"connect_timeout": 2, "tcp_user_timeout": 2000}``.

    Raises ModuleNotFoundError without Django, TypeError when `alias` is not a string.
    """
    if not isinstance(alias, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"django_connection: expected the alias of a database, a string, not {alias!r:.80}")
    connections: Any = load("django.db", extra="django").connections
    lock = Lock()
    kept: Any = None

    def ping() -> Result:
        nonlocal kept
        if alias not in connections.settings:
            raise ClientError(f"there is no database {alias!r} in the settings of Django")
        with lock:  # one connection, one question at a time
            if kept is None:
                kept = connections.create_connection(alias)
                kept.inc_thread_sharing()  # each run is another thread
            if getattr(kept, "pool", None):
                return _ask_pool(kept)
            _ask_kept(kept)
            return healthy()

    return ping


def _ask_kept(connection: Any) -> None:
    known = connection.connection is not None
    try:
        _ask(connection)
    except Exception:
        connection.close()
        if not known:
            raise
        # An old connection says little about the server: it may have been restarted since. A new one tells.
        try:
            _ask(connection)
        except Exception:
            connection.close()
            raise


def _ask_pool(connection: Any) -> Result:
    connection.pool.open()
    measures = connection.pool.get_stats()
    available = measures["pool_available"]
    usage = Usage(measures["pool_size"] - available, measures["pool_max"])
    if not available:
        # The pool connects in the background and keeps the reasons of its failures to itself.
        beside = connection.copy()
        beside.settings_dict["OPTIONS"].pop("pool")
        try:
            _ask(beside)
        finally:
            beside.close()
        if usage.exhausted:
            return usage.answered()
    try:
        _ask(connection)
    finally:
        connection.close()  # which gives it back
    return usage.answered()


def _ask(connection: Any) -> None:
    with connection.cursor() as cursor:
        # SQLite opens its file for nothing less than a table of its own.
        of = " FROM sqlite_master LIMIT 1" if connection.vendor == "sqlite" else connection.features.bare_select_suffix
        cursor.execute(f"SELECT 1{of}")
