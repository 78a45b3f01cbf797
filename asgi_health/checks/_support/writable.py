"""Whether the server of a database takes writes, asked without writing, in the round trip of the ping."""

from collections.abc import Sequence
from typing import Any

POSTGRES = "SELECT 1 WHERE pg_is_in_recovery() UNION ALL SELECT 1 WHERE current_setting('transaction_read_only') = 'on'"
"""One row for each thing in the way of a write. Their number is the answer: asyncpg tells no more of a statement that
it has not prepared, and to prepare it costs a round trip, and does not work behind every PgBouncer."""

MYSQL = "SELECT @@global.read_only, @@global.innodb_read_only"

OFF = (0, "OFF")
"""What a variable of MySQL is that is not set; a word where there are more than two values, as in MariaDB 12."""


def refusal_of_postgres(rows: int) -> str:
    """Return why PostgreSQL takes no writes, by the number of rows that it answers to `POSTGRES`; nothing if it does.

    A standby has both: there each transaction is read-only.
    """
    if rows == 0:
        return ""
    if rows == 1:
        return "the database takes no writes: transaction_read_only is on"
    return "the server takes no writes: it is a standby (pg_is_in_recovery)"


def refusal_of_mysql(answer: Sequence[Any] | None) -> str:
    """Return why MySQL or MariaDB takes no writes, by the row that it answers to `MYSQL`; nothing if it does."""
    values = dict(zip(("read_only", "innodb_read_only"), answer or (None, None), strict=True))
    refusals = [f"{name} is {value}" for name, value in values.items() if value not in OFF]
    return f"the server takes no writes: {', '.join(refusals)}" if refusals else ""
