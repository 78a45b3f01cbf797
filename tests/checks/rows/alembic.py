"""The schema of a database in PostgreSQL, through an async engine and a plain one."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from alembic.config import Config

from asgi_health.checks.alembic import alembic_at_head

from .row import Row
from .sqlalchemy import BY_ASYNCPG, BY_PSYCOPG, NEVER_CLOSED, occupy, occupy_async, open_engine, opener

CONFIG = Config()
CONFIG.set_main_option("script_location", str(Path(__file__).parents[1] / "migrations"))
CONFIG.set_main_option("path_separator", "os")


@wraps(alembic_at_head)
def at_head(engine: Any) -> Callable[[], object]:
    return alembic_at_head(engine, CONFIG)


ROWS = (
    Row(
        "alembic+asyncpg",
        server="postgres",
        check=at_head,
        open=opener("postgresql+asyncpg", {"ssl": False}),
        drivers=("alembic",),
        extra="alembic",
        occupy=occupy_async,
        messages=BY_ASYNCPG,
        without=NEVER_CLOSED,
    ),
    Row(
        "alembic+psycopg",
        server="postgres",
        check=at_head,
        open=open_engine,
        drivers=("alembic",),
        extra="alembic",
        occupy=occupy,
        messages=BY_PSYCOPG,
        without=NEVER_CLOSED,
    ),
)
