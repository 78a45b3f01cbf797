"""How many connections of a pool are in use, and the result that follows from it."""

import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ...core.result import Result, degraded, healthy

POSTGRES_FULL = ("53300", "53400")
"""SQLSTATE codes: https://www.postgresql.org/docs/current/errcodes-appendix.html"""

POSTGRES_FULL_MESSAGE = re.compile(
    r"FATAL:\s+(sorry, too many clients already|too many connections for (role|database)|remaining connection slots)"
)
"""The message, because libpq does not pass on the code of a connection that failed."""

MYSQL_FULL = (1040, 1203)
MYSQL_USER_LIMIT = 1226
"""Error numbers. MySQL uses the last one also for a user who has sent too many queries in an hour."""


@contextmanager
def full_server_is_alive(exhausted: Callable[[], bool]) -> Generator[None]:
    """Suppress the refusal of a full server, raised while an extra connection is opened for an exhausted pool.

    The server has answered, and the pool has its connections. `exhausted` is asked again after the refusal: some pools
    count connections that they are only opening, and the server may refuse those too.
    """
    try:
        yield
    except Exception as error:
        if not (refused_because_full(error) and exhausted()):
            raise


def refused_because_full(error: Exception) -> bool:
    """Return whether a live server refused a connection only because it has too many."""
    original: Any = getattr(error, "orig", None) or error  # SQLAlchemy wraps it
    number = original.args[0] if original.args else None
    if isinstance(number, int):
        return number in MYSQL_FULL or (number == MYSQL_USER_LIMIT and "connections" in str(original))
    if code := getattr(original, "sqlstate", None):
        return code in POSTGRES_FULL
    return bool(POSTGRES_FULL_MESSAGE.search(str(original)))


@dataclass(frozen=True, slots=True)
class Usage:
    """The connections of a pool at one moment.

    Attributes:
        in_use: Connections that the application holds.
        size: The most connections that the pool may have.
    """

    in_use: int
    size: int

    @property
    def exhausted(self) -> bool:
        return self.in_use >= self.size

    @property
    def data(self) -> dict[str, int]:
        return {"pool_in_use": self.in_use, "pool_size": self.size}

    def answered(self) -> Result:
        """Return the result of a run whose server has answered."""
        if self.exhausted:
            return degraded(f"pool exhausted: {self.in_use} of {self.size} in use", data=self.data)
        return healthy(data=self.data)


def usage_of(count: Callable[[], Usage | None]) -> Usage | None:
    """Return what `count` reads from private attributes of a driver, or None where a release has no such attributes.

    After a driver upgrade the numbers may be missing, but the check still works.
    """
    try:
        return count()
    except AttributeError:
        return None


def exhausted(usage: Usage | None) -> bool:
    return usage is not None and usage.exhausted


def answered(usage: Usage | None) -> Result:
    """Return the result of a run whose server has answered. `usage` is None where it is unknown."""
    return healthy() if usage is None else usage.answered()
