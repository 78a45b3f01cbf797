"""Engines without a pool that could be exhausted, and engines that a function returns later."""

import gc
import os
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import AsyncAdaptedQueuePool, NullPool, QueuePool, StaticPool, create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from asgi_health import Check, Status
from asgi_health.checks.sqlalchemy import sqlalchemy_engine

from .conftest import GetServer
from .observe import TIMED_OUT, expect
from .port import HOST
from .rows.sqlalchemy import POOL, url
from .servers import Target

pytestmark = pytest.mark.anyio

on_postgres = pytest.mark.xdist_group("checks postgres")

MakeArgument = Callable[[Any], Any]


@pytest.fixture(params=["as it is", "by a function"])
def make_argument(request: pytest.FixtureRequest) -> MakeArgument:
    by_function = request.param == "by a function"
    return lambda engine: (lambda: engine) if by_function else engine


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "db"
    path.touch()
    return path


@pytest.mark.parametrize("pool", [NullPool, StaticPool, AsyncAdaptedQueuePool])
async def test_an_async_engine_with_any_pool(file: Path, make_argument: MakeArgument, pool: Any) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{file}", poolclass=pool)
    try:
        result = await expect(sqlalchemy_engine(make_argument(engine)), Status.HEALTHY, "^$")
    finally:
        await engine.dispose()
    assert bool(result.data) is (pool is AsyncAdaptedQueuePool)


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
@pytest.mark.parametrize("pool", [NullPool, StaticPool, QueuePool])
async def test_a_plain_engine_with_any_pool(file: Path, make_argument: MakeArgument, pool: Any) -> None:
    options = {"check_same_thread": False}
    engine = create_engine(f"sqlite:///{file}", poolclass=pool, connect_args=options)
    try:
        result = await expect(sqlalchemy_engine(make_argument(engine)), Status.HEALTHY, "^$")
    finally:
        engine.dispose()
    assert bool(result.data) is (pool is QueuePool)


@pytest.mark.parametrize("kind", ["async", "plain"])
async def test_a_missing_file_of_sqlite_fails_and_is_not_created(tmp_path: Path, kind: str) -> None:
    """Neither at first, nor when it is deleted while a pool has it open."""
    file = tmp_path / "db"
    engine: Any = (
        create_async_engine(f"sqlite+aiosqlite:///{file}") if kind == "async" else create_engine(f"sqlite:///{file}")
    )
    check = sqlalchemy_engine(engine)
    try:
        for _ in range(2):
            await expect(check, Status.UNHEALTHY, f"^FileNotFoundError: there is no file {file}$")
            assert not file.exists()
            file.touch()
            await expect(check, Status.HEALTHY, "^$")
            file.unlink()
    finally:
        await engine.dispose() if kind == "async" else engine.dispose()


@pytest.mark.parametrize("kind", ["async", "plain"])
async def test_a_file_of_sqlite_that_a_writer_has_locked_is_degraded_and_recovers(file: Path, kind: str) -> None:
    options = {"connect_args": {"timeout": 0.1}}
    engine: Any = (
        create_async_engine(f"sqlite+aiosqlite:///{file}", **options)
        if kind == "async"
        else create_engine(f"sqlite:///{file}", **options)
    )
    check = sqlalchemy_engine(engine)
    try:
        with closing(sqlite3.connect(file, isolation_level=None)) as writer:
            writer.execute("BEGIN EXCLUSIVE")
            await expect(check, Status.DEGRADED, "^a writer has locked the file$")
            writer.execute("ROLLBACK")
        await expect(check, Status.HEALTHY, "^$")
    finally:
        await engine.dispose() if kind == "async" else engine.dispose()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:here?mode=memory&uri=true"])
async def test_a_database_in_memory_needs_no_file(url: str) -> None:
    engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
    try:
        await expect(sqlalchemy_engine(engine), Status.HEALTHY, "^$")
    finally:
        engine.dispose()


async def test_a_pool_without_a_limit_is_never_exhausted(file: Path) -> None:
    engine = create_engine(f"sqlite:///{file}", poolclass=QueuePool, pool_size=1, max_overflow=-1)
    try:
        with engine.connect(), engine.connect():
            await expect(sqlalchemy_engine(engine), Status.HEALTHY, "^$")
    finally:
        engine.dispose()


@on_postgres
async def test_an_exhausted_engine_passes_its_options_to_the_extra_connection(get_server: GetServer) -> None:
    root = create_async_engine(url("postgresql+asyncpg", Target(get_server("postgres").port)), **POOL)
    engine = root.execution_options(isolation_level="SERIALIZABLE")
    try:
        async with engine.connect() as one, engine.connect() as two:
            for connection in (one, two):
                await connection.get_raw_connection()
            await expect(sqlalchemy_engine(engine), Status.DEGRADED, "^pool exhausted: 2 of 2 in use$")
    finally:
        await root.dispose()


@on_postgres
async def test_a_connection_returns_to_the_pool_with_its_isolation_level(get_server: GetServer) -> None:
    engine = create_async_engine(
        url("postgresql+asyncpg", Target(get_server("postgres").port)),
        pool_size=1,
        max_overflow=0,
        isolation_level="SERIALIZABLE",
    )
    try:
        await expect(sqlalchemy_engine(engine), Status.HEALTHY, "^$")
        async with engine.connect() as connection:
            assert await connection.get_isolation_level() == "SERIALIZABLE"
    finally:
        await engine.dispose()


@pytest.mark.parametrize("driver", ["postgresql+asyncpg", "postgresql+psycopg", "mysql+aiomysql", "mysql+asyncmy"])
async def test_a_connection_attempt_that_is_cancelled_is_closed_at_once(driver: str) -> None:
    """And not by the garbage collector, perhaps hours later."""
    with socket.create_server((HOST, 0)) as silent:
        engine = create_async_engine(url(driver, Target(silent.getsockname()[1])))
        check = sqlalchemy_engine(engine)
        gc.collect()
        gc.disable()
        try:
            await expect(check, Status.UNHEALTHY, TIMED_OUT)
            before = len(os.listdir("/proc/self/fd"))
            for _ in range(5):
                await expect(check, Status.UNHEALTHY, TIMED_OUT)
            assert len(os.listdir("/proc/self/fd")) <= before
        finally:
            gc.enable()
            await engine.dispose()


def test_an_async_engine_needs_no_thread_where_the_check_is_made_with_it() -> None:
    engine = create_async_engine("sqlite+aiosqlite://")
    assert Check("database", sqlalchemy_engine(engine)).is_async
    assert not Check("database", sqlalchemy_engine(lambda: engine)).is_async
