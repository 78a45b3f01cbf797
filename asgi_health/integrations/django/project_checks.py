"""Checks of what a project has in its settings: databases, caches, migrations."""

# Django has no types.
# pyright: basic

import re
from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from typing import Any
from uuid import uuid4

from django import db
from django.conf import settings
from django.core import cache as django_cache
from django.db.migrations.executor import MigrationExecutor

from ...checks._support.sqlite import require_file
from ...checks.django import django_connection
from ...core.check import Check
from ...core.result import Result, healthy, unhealthy
from ...core.status import Probe

caches: Any = django_cache.caches
connections: Any = db.connections

DEFAULT = "default"

NO_DATABASE = "django.db.backends.dummy"
"""The engine of the default database of a project without databases."""

WITHOUT_SERVER = frozenset(
    f"django.core.cache.backends.{each}"
    for each in ("db.DatabaseCache", "dummy.DummyCache", "filebased.FileBasedCache", "locmem.LocMemCache")
)
"""Caches in this process, in a folder, or in a database, which has a check of its own."""

SESSIONS_IN_CACHE = "django.contrib.sessions.backends.cache"

KEY_LIFETIME = 60
"""Seconds for which the cache keeps the key of a check."""

SHOWN = 3
"""Migrations that a message names."""

MIGRATIONS_TIMEOUT = 10.0
"""Seconds. The first run imports every migration of the project."""


def database_checks(wanted: bool | Sequence[str]) -> list[Check]:
    """Return a check of each database. Raises ValueError for an unknown alias."""
    found = [alias for alias in connections.settings if connections.settings[alias]["ENGINE"] != NO_DATABASE]
    return [
        Check(_name("database", alias), django_connection(alias))
        for alias in _chosen("DATABASES", wanted, found, found)
    ]


def cache_checks(wanted: bool | Sequence[str]) -> list[Check]:
    """Return a check of each cache that is a server of its own. Raises ValueError for an unknown alias.

    A failing cache degrades readiness: most apps go on without it. It fails readiness where sessions are kept in it
    alone.
    """
    known = list(caches.settings)
    found = [alias for alias in known if caches.settings[alias].get("BACKEND") not in WITHOUT_SERVER]
    return [
        Check(_name("cache", alias), cache_answers(alias), critical=_keeps_sessions(alias))
        for alias in _chosen("CACHES", wanted, known, found)
    ]


def migration_checks(wanted: bool | Sequence[str]) -> list[Check]:
    """Return a check that the migrations of the default database are applied, or of the `wanted` ones.

    It counts for startup: it stops when they are applied, and until then the app is not ready.
    """
    known = [alias for alias in connections.settings if connections.settings[alias]["ENGINE"] != NO_DATABASE]
    found = [alias for alias in known if alias == DEFAULT]
    return [
        Check(
            _name("migrations", alias),
            migrations_applied(alias),
            probes=(Probe.STARTUP,),
            timeout=MIGRATIONS_TIMEOUT,
        )
        for alias in _chosen("MIGRATIONS", wanted, known, found)
    ]


def cache_answers(alias: str) -> Callable[[], Result]:
    """Return a check that the cache `alias` stores a value: a client that ignores errors answers everything else.

    It has a client of its own, which stays open. Each process writes one key, which expires after a minute.
    """
    key = f"asgi-health:{uuid4().hex}"
    lock = Lock()
    cache: Any = None

    def check() -> Result:
        nonlocal cache
        with lock:
            if cache is None:
                cache = caches.create_connection(alias)
            value = uuid4().hex
            try:
                cache.set(key, value, KEY_LIFETIME)
                found = cache.get(key)
            except Exception:
                cache.close()
                raise
        return healthy() if found == value else unhealthy("it did not return the value that was set just before")

    return check


def migrations_applied(alias: str) -> Callable[[], Result]:
    """Return a check that no migration of this release is missing in the database `alias`.

    Each run opens a connection, outside of Django's pool, and closes it.
    """

    def check() -> Result:
        connection: Any = connections.create_connection(alias)
        values = connection.settings_dict
        options = {name: value for name, value in values["OPTIONS"].items() if name != "pool"}
        connection.settings_dict = {**values, "OPTIONS": options}
        if connection.vendor == "sqlite":
            require_file(values["NAME"])  # to connect would create it
        try:
            executor: Any = MigrationExecutor(connection)
            plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        finally:
            connection.close()
        missing = [f"{migration.app_label}.{migration.name}" for migration, _ in plan]
        if not missing:
            return healthy()
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        return unhealthy(f"migrations are not applied: {', '.join(missing[:SHOWN])}{more}")

    return check


def _chosen(option: str, wanted: bool | Sequence[str], known: Iterable[str], found: list[str]) -> list[str]:
    if isinstance(wanted, bool):
        return found if wanted else []
    for alias in wanted:
        if alias not in known:
            raise ValueError(f"{option} has no alias {alias!r}, expected some of {', '.join(known) or 'none'}")
    return list(wanted)


def _name(kind: str, alias: str) -> str:
    return kind if alias == DEFAULT else f"{kind}-{re.sub('[^a-z0-9._-]', '-', alias.lower())}"[:63]


def _keeps_sessions(alias: str) -> bool:
    return bool(settings.SESSION_ENGINE == SESSIONS_IN_CACHE and alias == settings.SESSION_CACHE_ALIAS)
