"""The plugin of pytest: each test here runs pytest over a small suite in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import asgi_health
from asgi_health.integrations import pytest_plugin

ROOT = Path(__file__).parents[2]
PLUGIN = pytest_plugin.__name__

APP = """
from asgi_health import HealthMiddleware

async def database(): ...

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise ValueError("without lifespan")

app = HealthMiddleware(app, {"database": database})
"""

TESTS = """
import anyio
import pytest
import service
from asgi_health.testing import lifespan, settled

def in_lifespan(test):
    async def main():
        async with lifespan(service.app):
            await settled(service.app.health)
            test()
    anyio.run(main)

def test_in_a_block(health, break_check, assert_ready, assert_not_ready):
    assert health is service.app.health
    def test():
        assert_ready()
        with break_check("database"):
            assert_not_ready(because="database")
        assert_ready()
    in_lifespan(test)

def test_until_the_end_of_the_test(break_check, assert_not_ready):
    in_lifespan(lambda: (break_check("database"), assert_not_ready(because="database")))

def test_after_it(assert_ready):
    in_lifespan(assert_ready)

def test_failing(assert_not_ready):
    with pytest.raises(AssertionError, match="the app is not ready, but not because of cache: st"):
        assert_not_ready(because="cache")
"""


def run_pytest(folder: Path, *arguments: str, plugin: bool = True, **environment: str) -> str:
    """Return the output of pytest, which must pass, with warnings as errors and without the cache."""
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *(["-p", PLUGIN] if plugin else []), *arguments],
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
        | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "service.py").write_text(APP)
    (tmp_path / "test_service.py").write_text(TESTS)
    return tmp_path


def test_the_app_comes_from_the_ini_option(suite: Path) -> None:
    (suite / "pytest.ini").write_text("[pytest]\nasgi_health_app = service:app\n")
    assert "4 passed" in run_pytest(suite)


@pytest.mark.parametrize("name", ["app", "asgi_app"])
def test_the_app_comes_from_a_fixture_of_the_suite(suite: Path, name: str) -> None:
    (suite / "conftest.py").write_text(
        f"import pytest, service\n@pytest.fixture\ndef {name}():\n    return service.app\n"
    )
    assert "4 passed" in run_pytest(suite)


def test_without_an_app_the_error_says_what_to_define_and_an_error_of_a_fixture_is_shown(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "import pytest\n@pytest.fixture\ndef app(missing): ...\n@pytest.fixture\ndef caught(request):\n"
        "    with pytest.raises(Exception) as caught:\n        request.getfixturevalue('health')\n"
        "    return repr(caught.value)\n"
    )
    (tmp_path / "test_it.py").write_text("def test_it(caught):\n    assert 'missing' in caught\n")
    assert "1 passed" in run_pytest(tmp_path)
    (tmp_path / "conftest.py").write_text((tmp_path / "conftest.py").read_text().replace("def app(missing)", "def x()"))
    (tmp_path / "test_it.py").write_text("def test_it(caught):\n    assert 'asgi_health_app = ' in caught\n")
    assert "1 passed" in run_pytest(tmp_path)


def test_an_unused_plugin_imports_nothing_that_the_run_would_not_import(tmp_path: Path) -> None:
    """As an entry point, although asgi_health is imported already, so that pytest cannot rewrite its assert statements.

    pytest marks each package of a distribution that has a plugin, and warns where one is imported too early.
    """
    metadata = tmp_path / "plugged-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(f"[pytest11]\nasgi_health = {PLUGIN}\n")
    (metadata / "RECORD").write_text("asgi_health/__init__.py,,\nasgi_health/integrations/pytest_plugin.py,,\n")
    (tmp_path / "sitecustomize.py").write_text("import asgi_health")
    (tmp_path / "test_it.py").write_text(
        "import sys\ndef test_it(request):\n"
        f"    assert request.config.pluginmanager.get_plugin('asgi_health').__name__ == {PLUGIN!r}\n"
        "    loaded = {name for name in sys.modules if name.startswith('asgi_health')}\n"
        f"    assert loaded == {{'asgi_health', 'asgi_health.integrations', {PLUGIN!r}}}\n"
        "    assert not {'anyio', 'orjson', 'asyncio'} & {*sys.modules}\n"
    )
    assert "1 passed" in run_pytest(
        tmp_path, plugin=False, PYTEST_DISABLE_PLUGIN_AUTOLOAD="", PYTEST_ADDOPTS=without_other_plugins()
    )


def without_other_plugins() -> str:
    """Return options that block the plugins of the other packages that are installed here."""
    from importlib.metadata import entry_points

    return " ".join(f"-p no:{each.name}" for each in entry_points(group="pytest11") if each.value != PLUGIN)


def test_the_project_declares_it_as_an_entry_point() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"] == {"pytest11": {"asgi_health": PLUGIN}}
    assert "PYTEST_DONT_REWRITE" in str(asgi_health.__doc__)
