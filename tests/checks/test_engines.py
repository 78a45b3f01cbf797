"""SQLAlchemy without greenlet, which it no longer installs by itself: plain engines can still be checked."""

import sys
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy.exc import DatabaseError

from asgi_health import Status
from asgi_health.checks._support.engines import NoAsyncEngine, async_engine
from asgi_health.checks.sqlalchemy import sqlalchemy_engine


def test_without_greenlet_a_plain_engine_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlalchemy.ext.asyncio", None)
    assert async_engine(extra="sqlalchemy") is NoAsyncEngine
    engine = sqlalchemy.create_engine("sqlite://")
    try:
        assert sqlalchemy_engine(engine)().status is Status.HEALTHY
    finally:
        engine.dispose()


def test_a_file_that_is_no_database_is_not_healthy(tmp_path: Path) -> None:
    """SQLite answers `SELECT 1` without reading its file."""
    file = tmp_path / "garbage"
    file.write_bytes(b"no database" * 1000)
    engine = sqlalchemy.create_engine(f"sqlite:///{file}")
    try:
        with pytest.raises(DatabaseError, match="not a database"):
            sqlalchemy_engine(engine)()
    finally:
        engine.dispose()
