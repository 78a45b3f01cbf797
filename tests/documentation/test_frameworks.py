"""docs/how-to/frameworks: the project of Django, and the claims of its pages that no program shows.

test_programs.py runs the programs.
"""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import anyio
import litestar.testing
import pytest
from a2wsgi import WSGIMiddleware
from blacksheep import Application, Router
from blacksheep.testing import TestClient
from flask import Flask
from litestar import Litestar
from litestar.cli._utils import LitestarEnv
from mcp.server.mcpserver import MCPServer
from quart import Quart
from quart.cli import NoAppException, ScriptInfo

from asgi_health import HealthMiddleware, Status
from asgi_health.formats.release_facts import BUILD_TIMES, COMMITS, RELEASES, VERSIONS
from asgi_health.integrations.litestar import HealthPlugin
from asgi_health.testing import lifespan, probe, settled

from ..support.waiting import wait_until_async
from .blocks import BLOCKS, ROOT, blocks
from .preambles import passes

DJANGO = "how-to/frameworks/django.md"
PROJECT = {
    "manage.py": """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
""",
    "shop/__init__.py": "",
    "shop/urls.py": "urlpatterns = []\n",
    "shop/health.py": "async def search(): ...\n\nchecks = {'search': search}\n",
    "shop/migrations/__init__.py": "",
    "shop/migrations/0002_price.py": "from django.db import migrations\n\nclass Migration(migrations.Migration): ...\n",
}

SETTINGS = """
INSTALLED_APPS += ["shop"]
SECRET_KEY = "x"
USE_TZ = True
ROOT_URLCONF = "shop.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
"""

CLIENT = """

class ClientTests(TransactionTestCase):
    def test_the_client_of_django_sees_no_probe(self):
        self.assertEqual(self.client.get("/readyz").status_code, 404)
"""


def printed(file: str) -> list[str]:
    return [block.text for block in BLOCKS if (block.page, block.file) == (DJANGO, file)]


def run(project: Path, *arguments: str) -> tuple[int, str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_printed_project_of_django_starts_and_its_command_prints_what_the_page_shows(tmp_path: Path) -> None:
    needed, optional = printed("settings.py")
    (asgi,) = printed("asgi.py")
    for name, text in {**PROJECT, "settings.py": needed + SETTINGS, "asgi.py": asgi}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "db.sqlite3").touch()
    code, output = run(tmp_path, "manage.py", "health")
    (session,) = (text for text in blocks("console", DJANGO) if "manage.py health" in text)
    assert code == 1
    assert normalized(output) == normalized(session.partition("\n")[2])

    (tests,) = printed("shop/tests.py")
    (tmp_path / "shop/tests.py").write_text(tests + CLIENT)
    code, output = run(tmp_path, "manage.py", "test", "shop.tests")
    assert code == 0, output
    assert "Ran 2 tests" in output

    (tmp_path / "settings.py").write_text(needed + SETTINGS + optional)
    code, output = run(tmp_path, "manage.py", "check")
    assert code == 0, output
    code, output = run(tmp_path, "-c", "import asgi; print(*(each.name for each in asgi.application.health.checks))")
    assert (code, output) == (0, "search database migrations\n")


def normalized(table: str) -> str:
    """Return a table without the times and the spaces that depend on them."""
    return re.sub(r" +", " ", re.sub(r"\d+\.\d", "0.0", table))


def quart_inside() -> Quart:
    app: Any = Quart("tests")
    app.asgi_app = HealthMiddleware(app.asgi_app)
    quart: Quart = app
    return quart


COMMANDS: dict[str, tuple[Callable[[str], object], Callable[[], Any], Callable[[], Any], type[Exception]]] = {
    "quart run": (lambda name: ScriptInfo(name).load_app(), quart_inside, lambda: Quart("tests"), NoAppException),
    "litestar run": (
        lambda name: LitestarEnv.from_env(name).app,
        lambda: Litestar(plugins=[HealthPlugin()]),
        Litestar,
        TypeError,
    ),
}
"""What loads the app for a command, the app of its page, an app to wrap, and how the command refuses a wrapper."""


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_takes_the_app_of_its_page_and_refuses_a_wrapper(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, on_the_page, plain, error = COMMANDS[command]
    monkeypatch.setenv("LITESTAR_APP", "")
    monkeypatch.setattr(sys, "path", [*sys.path])
    app = on_the_page()
    module = ModuleType("printed_app")
    vars(module).update(app=app, wrapped=HealthMiddleware(plain()))
    monkeypatch.setitem(sys.modules, "printed_app", module)
    assert load("printed_app:app") is app
    with pytest.raises(error):
        load("printed_app:wrapped")


def test_the_client_of_litestar_sees_no_probe_outside_of_its_block_and_the_prefix_of_the_app_moves_none() -> None:
    app = Litestar(path="/api", plugins=[HealthPlugin({"database": passes})])
    client = litestar.testing.TestClient(app)
    assert client.get("/readyz").status_code == 404
    with client:
        assert [client.get(path).status_code for path in ("/readyz", "/api/readyz")] == [200, 404]
        assert not [path for path in client.get("/api/schema/openapi.json").json()["paths"] if "readyz" in path]


def test_the_client_of_blacksheep_sees_no_probe() -> None:
    async def main() -> None:
        api = Application(router=Router())
        app = HealthMiddleware(api, {"database": passes})
        async with lifespan(app):
            assert (await probe(app, "/readyz")).status == 200
            response = await TestClient(api).get("/readyz")
            assert response.status == 404

    anyio.run(main)


def test_the_sdk_of_mcp_refuses_another_host_and_the_probes_pass_all_the_same() -> None:
    async def main() -> None:
        for host, status in (("127.0.0.1", 421), ("0.0.0.0", 406)):  # 406: no event stream is accepted
            app = HealthMiddleware(MCPServer("tools").streamable_http_app(host=host), {"index": passes})
            async with lifespan(app):
                answers = [await probe(app, path, headers={"host": "10.0.0.7:8000"}) for path in ("/mcp", "/readyz")]
            assert [answer.status for answer in answers] == [status, 200]

    anyio.run(main)


def test_while_every_thread_of_flask_is_busy_probes_are_answered_and_the_check_of_the_page_warns() -> None:
    (program,) = (block.text for block in BLOCKS if block.page.endswith("/flask.md") and "threads_answer" in block.text)
    often = "timeout=0.5, interval=0.1, retry_interval=0.05, failure_threshold=1"
    names: dict[str, Any] = {"__name__": __name__}
    exec(program.replace("workers=10", "workers=1").replace("timeout=1.0", often), names)
    app: HealthMiddleware = names["app"]
    wsgi: WSGIMiddleware = names["wsgi"]
    begun, go = threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        return str(go.wait(30.0))

    cast("Flask", wsgi.app).add_url_rule("/slow", view_func=slow)

    async def main() -> list[bytes]:
        bodies = []
        async with lifespan(app), anyio.create_task_group() as tasks:
            await settled(app.health)
            bodies.append((await probe(app, "/readyz")).body)
            tasks.start_soon(probe, app, "/slow")
            await wait_until_async(begun.is_set, "the only thread is busy")
            await wait_until_async(lambda: app.health.report().status is Status.DEGRADED, "the check warns")
            bodies.append((await probe(app, "/readyz")).body)
            go.set()
        return bodies

    assert anyio.run(main) == [b'{"status":"pass"}', b'{"status":"warn"}']


def test_the_page_lists_the_variables_that_name_a_release() -> None:
    page = (ROOT / "docs" / "reference/settings.md").read_text()
    for field, names in {
        "`releaseId`": RELEASES,
        "`notes`: the commit": COMMITS,
        "`notes`: when it was built": BUILD_TIMES,
        "`version`, where": VERSIONS,
    }.items():
        (row,) = (line for line in page.splitlines() if line.startswith(f"| {field}"))
        assert [name for name in re.findall(r"`([A-Z][A-Z0-9_]+)`", row) if name != "OTEL_RESOURCE_ATTRIBUTES"] == [
            *names
        ]
