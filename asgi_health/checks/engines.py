"""The kinds of engines that SQLAlchemy has."""

from typing import cast

from .driver import load


class NoAsyncEngine:
    """What no engine is an instance of."""


def async_engine(*, extra: str) -> type:
    """Return the class of async engines. Raises ModuleNotFoundError without SQLAlchemy.

    From 2.1 on SQLAlchemy brings greenlet only when asked for it, and without it has plain engines alone.
    """
    load("sqlalchemy", extra=extra)
    try:
        return cast("type", load("sqlalchemy.ext.asyncio", extra=extra).AsyncEngine)
    except ImportError:
        return NoAsyncEngine
