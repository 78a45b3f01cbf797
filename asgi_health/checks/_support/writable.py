"""Whether the server of an SQL database takes writes, asked without writing, in the round trip of a ping."""

from collections.abc import Sequence
from typing import Any

from ...core.result import Result, healthy, unhealthy
from . import sqlite

POSTGRES_QUERY = (
    "SELECT 1 WHERE pg_is_in_recovery() UNION ALL SELECT 1 WHERE current_setting('transaction_read_only') = 'on'"
)
"""Returns one row for each obstacle. The number of rows is the answer, because that is all that asyncpg returns for a
statement that is not prepared. Preparing it costs a round trip, and does not work behind every PgBouncer."""

MYSQL_QUERY = "SELECT @@global.read_only, @@global.innodb_read_only"

MYSQL_OFF = (0, "OFF")
"""The values of a variable of MySQL that is off: a word where it has more than two values, as in MariaDB 12."""

ASKABLE = ("mariadb", "mysql", "postgresql", "sqlite")
"""The names of the databases that can be asked, as SQLAlchemy (dialects) and Django (vendors) use them."""


def ask_writable(database: str, execute: sqlite.Execute) -> Result:
    """Return whether the database takes writes. `database` is one of ASKABLE."""
    if database == "sqlite":
        return sqlite.ask_writable(execute)
    if database == "postgresql":
        refusal = refusal_of_postgres(len(execute(POSTGRES_QUERY)))
    else:
        refusal = refusal_of_mysql(execute(MYSQL_QUERY)[0])
    return unhealthy(refusal) if refusal else healthy()


def refusal_of_postgres(rows: int) -> str:
    """Return why PostgreSQL takes no writes, by the number of rows that POSTGRES_QUERY returned; empty where it does.

    A standby returns both rows: its transactions are all read-only.
    """
    if rows == 0:
        return ""
    if rows == 1:
        return "the database takes no writes: transaction_read_only is on"
    return "the server takes no writes: it is a standby (pg_is_in_recovery)"


def refusal_of_mysql(row: Sequence[Any] | None) -> str:
    """Return why MySQL or MariaDB takes no writes, by the row that MYSQL_QUERY returned; empty where it does."""
    values = dict(zip(("read_only", "innodb_read_only"), row or (None, None), strict=True))
    refusals = [f"{name} is {value}" for name, value in values.items() if value not in MYSQL_OFF]
    return f"the server takes no writes: {', '.join(refusals)}" if refusals else ""
