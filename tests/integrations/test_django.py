"""Django: the app in a project of its own, run by manage.py and served, and its settings."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import django
import pytest
from django.conf import settings
from django.test import override_settings

from asgi_health import Check, Health
from asgi_health.integrations.django.configuration import make_health
from asgi_health.integrations.django.system_checks import check_settings

ROOT = Path(__file__).parents[2]

if not settings.configured:  # with the settings of the tests of the checks, which may run first or later
    settings.configure(DATABASES={}, USE_TZ=True, LOGGING_CONFIG=None)
    django.setup()

MANAGE = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""

SETTINGS = """
SECRET_KEY = "x"
USE_TZ = True
INSTALLED_APPS = ["shop", "asgi_health.integrations.django"]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"},
    "Second one": {"ENGINE": "django.db.backends.sqlite3", "NAME": "second.sqlite3"},
}
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "sessions": {"BACKEND": "shop.caches.Cache", "LOCATION": "a"},
    "pages": {"BACKEND": "shop.caches.Forgetful", "LOCATION": "b"},
}
SESSION_ENGINE = "django.contrib.sessions.backends.cache"
SESSION_CACHE_ALIAS = "sessions"
ROOT_URLCONF = "shop.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ASGI_HEALTH = {"CHECKS": "shop.health.CHECKS", "PATHS": "shop.health.PATHS"}
"""

FILES = {
    "manage.py": MANAGE,
    "site_settings.py": SETTINGS,
    "shop/__init__.py": "",
    "shop/models.py": "from django.db import models\nclass Order(models.Model):\n    price = models.IntegerField()\n",
    "shop/migrations/__init__.py": "",
    "shop/migrations/0001_initial.py": """
from django.db import migrations, models

class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            "Order", [("id", models.BigAutoField(primary_key=True)), ("price", models.IntegerField())]
        )
    ]
""",
    "shop/urls.py": "urlpatterns = []\n",
    "shop/caches.py": """
from django.core.cache.backends.locmem import LocMemCache

class Cache(LocMemCache): ...

class Forgetful(LocMemCache):
    def set(self, *arguments, **options): ...  # as a client does that ignores errors
""",
    "shop/health.py": """
from asgi_health import Paths
from shop.models import Order  # settings could not import this

async def search(): ...

CHECKS = {"search": search}
PATHS = Paths(live="/alive")
""",
    "site_asgi.py": """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
from asgi_health.integrations.django import get_asgi_application
application = get_asgi_application()
""",
    "served.py": """
import json, sys
import anyio
from site_asgi import application
from asgi_health.testing import lifespan, probe, settled

async def main():
    async with lifespan(application):
        await settled(application.health)
        answers = {}
        for path in ("/alive", "/readyz", "/missing"):
            answers[path] = (await probe(application, path)).status
        return answers

checks = {each.name: [each.critical, [probe.value for probe in each.probes]] for each in application.health.checks}
print(json.dumps({"answers": anyio.run(main), "checks": checks}))
""",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(text)
    return tmp_path


def run(project: Path, *arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_command_runs_the_checks_of_a_new_project_and_of_a_migrated_one(project: Path) -> None:
    code, output, _ = run(project, "manage.py", "health")
    lines = output.splitlines()
    assert code == 1, output
    assert [line.split()[:2] for line in lines[1:-1]] == [
        ["search", "pass"],
        ["database", "fail"],
        ["database-second-one", "fail"],
        ["cache-sessions", "pass"],
        ["cache-pages", "fail"],
        ["migrations", "fail"],
    ]
    assert "(not critical) it did not return the value that was set just before" in lines[5]
    assert lines[-1] == "failed: database, database-second-one, migrations"
    assert not (project / "db.sqlite3").exists(), "a check creates no database"

    (project / "db.sqlite3").touch()
    (project / "second.sqlite3").touch()
    code, output, _ = run(project, "manage.py", "health", "--json", "--timeout", "30")
    failed = {check["name"]: check["message"] for check in json.loads(output)["checks"] if check["status"] == "fail"}
    assert (code, failed["migrations"]) == (1, "migrations are not applied: shop.0001_initial")

    assert run(project, "manage.py", "migrate", "-v0")[0] == 0
    code, output, _ = run(project, "manage.py", "health")
    assert (code, output.splitlines()[-1]) == (0, "passed")

    code, output, errors = run(project, "served.py")
    assert code == 0, errors
    found = json.loads(output)
    assert found["answers"] == {"/alive": 200, "/readyz": 200, "/missing": 404}
    assert found["checks"] == {
        "search": [True, ["readiness"]],
        "database": [True, ["readiness"]],
        "database-second-one": [True, ["readiness"]],
        "cache-sessions": [True, ["readiness"]],
        "cache-pages": [False, ["readiness"]],
        "migrations": [True, ["startup"]],
    }


def test_wrong_settings_are_found_by_the_check_of_django_and_stop_the_app_with_the_same_message(project: Path) -> None:
    file = project / "site_settings.py"
    file.write_text(file.read_text() + "ASGI_HEALTH['DRIAN'] = 5\n")
    code, _, errors = run(project, "manage.py", "check")
    assert code == 1
    assert "(asgi_health.E002) ASGI_HEALTH has no option 'DRIAN', expected some of CHECKS" in errors
    assert "HINT: Did you mean 'DRAIN'?" in errors
    code, _, errors = run(project, "-c", "import site_asgi")
    assert code == 1
    assert "ImproperlyConfigured: ASGI_HEALTH has no option 'DRIAN'" in errors


async def passes() -> None: ...


HEALTH = Health({"own": passes})

WRONG: list[tuple[Any, str, str]] = [
    ([], "E001", "ASGI_HEALTH must be a dict, not []"),
    ({"drain": 5}, "E002", "ASGI_HEALTH has no option 'drain'"),
    ({1: 5}, "E002", "ASGI_HEALTH has no option 1"),
    ({"DETAILS": "no.such.policy"}, "E003", "ASGI_HEALTH['DETAILS']: 'no.such.policy' cannot be imported"),
    ({"CHECKS": ["shop"]}, "E003", "ASGI_HEALTH['CHECKS']: 'shop' cannot be imported"),
    ({"DRAIN": 5}, "E004", "ASGI_HEALTH: drain"),
    ({"SLOW_LOOP": -1}, "E004", "ASGI_HEALTH: slow_loop"),
    ({"CHECKS": 5}, "E004", "ASGI_HEALTH: health: checks must be {name: function}"),
    ({"CHECKS": [Check("a", passes), Check("a", passes)]}, "E004", "ASGI_HEALTH: check 'a': the name is taken"),
    ({"CACHES": "default"}, "E004", "ASGI_HEALTH: CACHES must be True, False or a list of aliases, not 'default'"),
    ({"CACHES": ["sessions"]}, "E004", "ASGI_HEALTH: CACHES has no alias 'sessions', expected some of default"),
    ({"DATABASES": ["a"]}, "E004", "ASGI_HEALTH: DATABASES has no alias 'a', expected some of "),
]


@pytest.mark.parametrize(("value", "number", "message"), WRONG)
def test_a_wrong_setting_has_an_id_and_says_what_was_expected(value: Any, number: str, message: str) -> None:
    with override_settings(ASGI_HEALTH=value):
        (error,) = check_settings()
    assert error.id == f"asgi_health.{number}"
    assert error.msg.startswith(message)


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ({}, []),
        ({"CHECKS": {"one": passes}, "QUIET": True}, ["one"]),
        ({"CHECKS": [{"one": passes}, Check("two", passes), f"{__name__}.HEALTH"]}, None),
        ({"CHECKS": f"{__name__}.HEALTH"}, ["own"]),
        ({"CHECKS": {"cache": passes}, "CACHES": ["default"]}, ["cache"]),
        ({"CACHES": ["default"]}, ["cache"]),
        ({"CACHES": False, "DATABASES": False, "MIGRATIONS": False}, []),
    ],
)
def test_the_checks_come_from_the_settings(value: Any, names: list[str] | None) -> None:
    with override_settings(ASGI_HEALTH=value):
        if names is None:  # a Health stands alone
            assert [error.id for error in check_settings()] == ["asgi_health.E004"]
        else:
            assert check_settings() == []
            assert [check.name for check in make_health().checks] == names
