"""Alembic, with real scripts and a real database of SQLite in a temporary folder."""

import shutil
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine

from asgi_health import Check, Status
from asgi_health.checks.alembic import alembic_at_head
from tests.support.waiting import wait_until_async

from .observe import expect

pytestmark = pytest.mark.anyio

PATIENT = 20.0

ENV = """
from alembic import context
from sqlalchemy import create_engine

engine = create_engine(context.config.get_main_option("sqlalchemy.url"))
with engine.connect() as connection:
    context.configure(connection=connection, version_table=context.config.get_main_option("version_table"))
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
"""

SCRIPT = """
from alembic import op

revision = {revision!r}
down_revision = {down!r}
depends_on = {depends_on!r}

def upgrade():
    op.execute("CREATE TABLE {table} (x INTEGER)")

def downgrade():
    op.execute("DROP TABLE {table}")
"""


class Schema:
    """A database in a file, and scripts that migrate it to `one` and to `two`."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "database"
        self.scripts = folder / "scripts"
        (self.scripts / "versions").mkdir(parents=True)
        (self.scripts / "env.py").write_text(ENV)
        self.script("one", None)
        self.script("two", "one")
        self.config = Config()
        self.config.set_main_option("script_location", str(self.scripts))
        self.config.set_main_option("path_separator", "os")
        self.config.set_main_option("sqlalchemy.url", f"sqlite:///{self.file}")
        self.config.set_main_option("version_table", "alembic_version")

    def script(self, revision: str, down: str | None, depends_on: str | None = None) -> Path:
        path = self.scripts / "versions" / f"{revision}.py"
        table = f"made_by_{revision}"
        path.write_text(SCRIPT.format(revision=revision, down=down, depends_on=depends_on, table=table))
        return path

    def migrate(self, revision: str) -> None:
        command.upgrade(self.config, revision)


@pytest.fixture
def schema(tmp_path: Path) -> Iterator[Schema]:
    before = set(sys.modules)
    yield Schema(tmp_path)
    for name in set(sys.modules) - before:
        if name in ("one_py", "two_py", "three_py", "four_py", "env_py"):
            del sys.modules[name]


@pytest.fixture(params=["plain", "async"])
async def engine(request: pytest.FixtureRequest, schema: Schema) -> AsyncIterator[Any]:
    if request.param == "async":
        engine = create_async_engine(f"sqlite+aiosqlite:///{schema.file}")
        yield engine
        await engine.dispose()
        # aiosqlite does not wait for the thread of a connection that it could not open, and that speaks to the loop.
        await wait_until_async(
            lambda: "_connection_worker" not in str(threading.enumerate()), "the threads of aiosqlite have ended"
        )
    else:
        plain = sqlalchemy.create_engine(f"sqlite:///{schema.file}")
        yield plain
        plain.dispose()


@pytest.fixture(params=["engine", "function"])
def given(request: pytest.FixtureRequest, engine: Any) -> Any:
    return engine if request.param == "engine" else lambda: engine


async def test_a_database_that_waits_for_its_migrations_fails_until_they_have_run(schema: Schema, given: Any) -> None:
    check = alembic_at_head(given, schema.config)
    schema.file.touch()
    await expect(
        check, Status.UNHEALTHY, "^no table alembic_version can be seen; the scripts are at two$", timeout=PATIENT
    )
    assert schema.file.read_bytes() == b""  # the check created nothing
    schema.migrate("one")
    await expect(check, Status.UNHEALTHY, "^the database is at one; the scripts are at two$", timeout=PATIENT)
    schema.migrate("head")
    result = await expect(check, Status.HEALTHY, "^$", timeout=PATIENT)
    assert result.data["revision"] == ("two", "")


async def test_a_database_that_a_newer_release_has_migrated_fails(schema: Schema, engine: Any) -> None:
    newer = schema.script("three", "two")
    schema.migrate("head")
    newer.unlink()
    message = "^the database is at three, which these scripts do not know; the scripts are at two$"
    await expect(alembic_at_head(engine, schema.config), Status.UNHEALTHY, message, timeout=PATIENT)


async def test_all_heads_of_branches_are_required(schema: Schema, engine: Any) -> None:
    schema.script("three", "one")
    check = alembic_at_head(engine, schema.config)
    schema.migrate("two")
    message = "^the database is at two; the scripts are at three, two$"
    await expect(check, Status.UNHEALTHY, message, timeout=PATIENT)
    schema.migrate("heads")
    await expect(check, Status.HEALTHY, "^$", timeout=PATIENT)


@pytest.mark.parametrize("bring", [command.upgrade, command.stamp])
async def test_a_head_on_which_another_branch_depends_is_implied_by_it(schema: Schema, engine: Any, bring: Any) -> None:
    """Alembic stores it where it was stamped, and does not store it where the other was migrated to."""
    schema.script("three", None)
    schema.script("four", "two", depends_on="three")
    check = alembic_at_head(engine, schema.config)
    schema.migrate("three")
    message = "^the database is at three; the scripts are at four$"
    await expect(check, Status.UNHEALTHY, message, timeout=PATIENT)
    bring(schema.config, "heads")
    await expect(check, Status.HEALTHY, "^$", timeout=PATIENT)


def test_an_empty_folder_of_scripts_is_refused_when_the_check_is_made(schema: Schema) -> None:
    """An image may lack the scripts. A database without a table would be at their heads."""
    for script in (schema.scripts / "versions").glob("*.py"):
        script.unlink()
    with pytest.raises(ValueError, match=rf"^alembic_at_head: there are no scripts in {schema.scripts}, expected"):
        alembic_at_head(lambda: None, schema.config)
    shutil.rmtree(schema.scripts / "versions")
    with pytest.raises(ValueError, match=rf"^alembic_at_head: there are no scripts in {schema.scripts}, expected"):
        alembic_at_head(lambda: None, schema.config)


async def test_an_exhausted_engine_reads_the_schema_that_its_options_name(schema: Schema, tmp_path: Path) -> None:
    schema.migrate("one")
    shutil.copy(schema.file, tmp_path / "tenant")
    schema.migrate("head")
    root = sqlalchemy.create_engine(f"sqlite:///{schema.file}", pool_size=1, max_overflow=0)
    attach = f"ATTACH '{tmp_path / 'tenant'}' AS tenant"
    event.listen(root, "connect", lambda connection, _: connection.execute(attach))
    engine = root.execution_options(schema_translate_map={None: "tenant"})
    message = "^the database is at one; the scripts are at two$"
    try:
        await expect(alembic_at_head(engine, schema.config), Status.UNHEALTHY, message, timeout=PATIENT)
        with engine.connect():
            await expect(alembic_at_head(engine, schema.config), Status.UNHEALTHY, message, timeout=PATIENT)
    finally:
        root.dispose()


async def test_a_version_table_of_another_name_is_read(schema: Schema, engine: Any) -> None:
    schema.config.set_main_option("version_table", "versions")
    schema.migrate("head")
    check = alembic_at_head(engine, schema.config, version_table="versions", version_table_schema="main")
    await expect(check, Status.HEALTHY, "^$", timeout=PATIENT)
    await expect(alembic_at_head(engine, schema.config), Status.UNHEALTHY, "^no table alembic_version", timeout=PATIENT)
    schema.config.set_main_option("version_table", "versions")
    command.downgrade(schema.config, "base")
    message = "^the database is at no revision; the scripts are at two$"
    await expect(check, Status.UNHEALTHY, message, timeout=PATIENT)


async def test_a_database_that_cannot_be_opened_fails_with_the_reason(schema: Schema, engine: Any) -> None:
    schema.file.mkdir()
    message = "^OperationalError: .*unable to open database file"
    await expect(alembic_at_head(engine, schema.config), Status.UNHEALTHY, message, timeout=PATIENT)


async def test_a_missing_file_fails_and_is_not_created(schema: Schema, engine: Any) -> None:
    message = f"^FileNotFoundError: there is no file {schema.file}$"
    await expect(alembic_at_head(engine, schema.config), Status.UNHEALTHY, message, timeout=PATIENT)
    assert not schema.file.exists()


async def test_many_runs_keep_no_connection(schema: Schema, engine: Any) -> None:
    schema.migrate("head")
    check = alembic_at_head(engine, schema.config)
    for _ in range(20):
        await expect(check, Status.HEALTHY, "^$", timeout=PATIENT)
    assert engine.pool.checkedout() == 0


def test_missing_scripts_are_refused_when_the_check_is_made(tmp_path: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(tmp_path / "nowhere"))
    config.set_main_option("path_separator", "os")
    with pytest.raises(CommandError, match="nowhere"):
        alembic_at_head(lambda: None, config)


@pytest.mark.parametrize("wrong", [None, "sqlite://", object()])
def test_another_kind_of_engine_is_refused(schema: Schema, wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"^alembic_at_head: expected sqlalchemy"):
        alembic_at_head(wrong, schema.config)


def test_another_kind_of_config_is_refused() -> None:
    wrong: Any = "alembic.ini"
    with pytest.raises(TypeError, match=r"^alembic_at_head: config must be of type Config"):
        alembic_at_head(lambda: None, wrong)


@pytest.mark.parametrize("driver", ["alembic", "sqlalchemy"])
def test_a_missing_driver_is_named_with_the_extra_that_installs_it(
    schema: Schema, monkeypatch: pytest.MonkeyPatch, driver: str
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == driver]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(ModuleNotFoundError, match=rf'^{driver} is not installed; .*"asgi-health\[alembic\]"$'):
        alembic_at_head(lambda: None, schema.config)


async def test_an_async_engine_needs_no_thread(schema: Schema, engine: Any) -> None:
    plain = isinstance(engine, sqlalchemy.Engine)
    assert Check("schema", alembic_at_head(engine, schema.config)).is_async is not plain
