"""PostgreSQL through Django, without Django's pool and with it; MariaDB, with PyMySQL in place of mysqlclient."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import anyio.to_thread
import pymysql
from django import db, setup
from django.conf import settings

from asgi_health.checks.django import django_connection

from ..observe import threads_ended
from ..servers import Target
from .postgres import LOST, PSYCOPG_REFUSED
from .row import TIMED_OUT, Open, Row

if not settings.configured:
    settings.configure(DATABASES={}, USE_TZ=True, LOGGING_CONFIG=None)
    setup()

pymysql.install_as_MySQLdb()

ALIASES = count()
connections: Any = db.connections

# libpq bounds a connection attempt, at 2 s or more. It does not bound the wait for an answer.
LIBPQ: dict[str, Any] = {"sslmode": "disable", "connect_timeout": 2}


def opener(engine: str, options: Mapping[str, Any]) -> Open:
    @asynccontextmanager
    async def open_database(target: Target) -> AsyncGenerator[str]:
        alias = f"test{next(ALIASES)}"
        connections.settings[alias] = connections.settings["default"] | {
            "ENGINE": f"django.db.backends.{engine}",
            "HOST": target.host,
            "PORT": target.port,
            "USER": target.user,
            "PASSWORD": target.password,
            "NAME": target.database,
            "OPTIONS": options,
        }
        made: list[Any] = []
        create = connections.create_connection

        def create_and_note(alias: str) -> Any:
            connection = create(alias)
            connection.inc_thread_sharing()  # any thread may close it below
            made.append(connection)
            return connection

        connections.create_connection = create_and_note
        try:
            yield alias
        finally:
            del connections.create_connection
            await threads_ended()
            for connection in made:
                await anyio.to_thread.run_sync(close, connection)
            del connections.settings[alias]

    return open_database


def close(connection: Any) -> None:
    connection.close()
    if connection.vendor == "postgresql":
        connection.close_pool()
    elif connection.connection is not None:
        connection.connection.close()  # Django leaves a database in memory open


@asynccontextmanager
async def occupy(alias: str) -> AsyncGenerator[None]:
    """Take all connections of the pool, and return them at the end."""
    connection: Any = connections.create_connection(alias)
    connection.pool.open()
    taken = [await anyio.to_thread.run_sync(connection.pool.getconn) for _ in range(2)]
    try:
        yield
    finally:
        for each in taken:
            await anyio.to_thread.run_sync(connection.pool.putconn, each)


MESSAGES = {
    "healthy": "^$",
    "refused": PSYCOPG_REFUSED,
    "killed": PSYCOPG_REFUSED,
    "frozen": TIMED_OUT,
    "blackholed": TIMED_OUT,
    "reset": f"^OperationalError: .*{LOST}",
    "trickled": TIMED_OUT,
    "wrong_password": '^OperationalError: .*password authentication failed for user "health"',
    "wrong_database": '^OperationalError: .*database "nowhere" does not exist',
    "many_runs": "^$",
}
EXHAUSTED = {
    "exhausted": r"^pool exhausted: 2 of 2 in use$",
    "exhausted_and_frozen": TIMED_OUT,
    "exhausted_and_killed": PSYCOPG_REFUSED,
}
ME = r"user 'health'@'127\.0\.0\.1'"
MARIADB_SAYS = MESSAGES | {
    "refused": r"^OperationalError: \(2003, .*Connection refused",
    "killed": r"^OperationalError: \(2003, .*Connection refused",
    "reset": r"^OperationalError: \((2003|2006|2013), .*Connection reset by peer",
    "wrong_password": rf"^OperationalError: \(1045, .*Access denied for {ME} \(using password: YES\)",
    "wrong_database": rf"^OperationalError: \(1044, .*Access denied for {ME} to database 'nowhere'",
}

ROWS = (
    Row(
        "django",
        server="postgres",
        check=django_connection,
        takes_client=False,
        open=opener("postgresql", LIBPQ),
        drivers=("django",),
        extra="django",
        messages=MESSAGES,
        without=dict.fromkeys(EXHAUSTED, "no pool") | {"closed": "the check opens its connection again"},
    ),
    Row(
        "django+pool",
        server="postgres",
        check=django_connection,
        takes_client=False,
        open=opener("postgresql", LIBPQ | {"pool": {"min_size": 1, "max_size": 2, "timeout": 2}}),
        drivers=("django",),
        extra="django",
        occupy=occupy,
        messages=MESSAGES | EXHAUSTED,
        without={"closed": "Django opens its pool again"},
    ),
    Row(
        "django+pymysql",
        server="mariadb",
        check=django_connection,
        takes_client=False,
        open=opener("mysql", {"connect_timeout": 2, "read_timeout": 2}),
        drivers=("django",),
        extra="django",
        messages=MARIADB_SAYS,
        without=dict.fromkeys(EXHAUSTED, "no pool") | {"closed": "the check opens its connection again"},
    ),
)
