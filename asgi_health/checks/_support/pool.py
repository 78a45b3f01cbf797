"""How full a pool is, and what a check says of it."""

import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ...core.result import Result, degraded, healthy

NO_ROOM = ("53300", "53400")
"""PostgreSQL's codes: https://www.postgresql.org/docs/current/errcodes-appendix.html"""

NO_ROOM_IN_WORDS = re.compile(
    r"FATAL:\s+(sorry, too many clients already|too many connections for (role|database)|remaining connection slots)"
)
"""For libpq keeps the code to itself where it could not connect."""

NO_ROOM_BY_NUMBER = (1040, 1203)
USER_LIMIT = 1226
"""MySQL's numbers; the last also where a user has asked too many questions in an hour."""


@contextmanager
def refusal_answers(exhausted: Callable[[], bool]) -> Generator[None]:
    """Take it for an answer when a server has no room for the connection that is opened in here, beside a pool.

    It has answered, and the pool has the room. That is so only while the pool is `exhausted` still: some pools count
    what they are just connecting, and their server may refuse that too.
    """
    try:
        yield
    except Exception as error:
        if not (refused_for_want_of_room(error) and exhausted()):
            raise


def refused_for_want_of_room(error: Exception) -> bool:
    """Return whether a live server refused a connection for the sole reason that it has too many."""
    told: Any = getattr(error, "orig", None) or error  # SQLAlchemy wraps it
    number = told.args[0] if told.args else None
    if isinstance(number, int):
        return number in NO_ROOM_BY_NUMBER or (number == USER_LIMIT and "connections" in str(told))
    if code := getattr(told, "sqlstate", None):
        return code in NO_ROOM
    return bool(NO_ROOM_IN_WORDS.search(str(told)))


@dataclass(frozen=True, slots=True)
class Usage:
    """Connections of a pool at one moment."""

    in_use: int
    size: int
    """How many there can be at most."""

    @property
    def exhausted(self) -> bool:
        return self.in_use >= self.size

    @property
    def data(self) -> dict[str, int]:
        return {"pool_in_use": self.in_use, "pool_size": self.size}

    def answered(self) -> Result:
        """Return what is to be said when the server has answered."""
        if self.exhausted:
            return degraded(f"pool exhausted: {self.in_use} of {self.size} in use", data=self.data)
        return healthy(data=self.data)


def usage_of(count: Callable[[], Usage | None]) -> Usage | None:
    """Return what `count` finds in the private parts of a driver, or None in a version that has others.

    So an upgrade costs a figure, and the server is asked all the same.
    """
    try:
        return count()
    except AttributeError:
        return None


def exhausted(usage: Usage | None) -> bool:
    return usage is not None and usage.exhausted


def answered(usage: Usage | None) -> Result:
    """Return what is to be said when the server has answered, whether the pool is known or not."""
    return healthy() if usage is None else usage.answered()
