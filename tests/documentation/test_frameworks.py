"""docs/how-to/frameworks/index.md: the project of Django that it prints; test_programs.py runs the other programs."""

import os
import re
import subprocess
import sys
from pathlib import Path

from asgi_health.formats.release_facts import BUILD_TIMES, COMMITS, RELEASES, VERSIONS

from .blocks import BLOCKS, ROOT, blocks

PROJECT = {
    "manage.py": """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
""",
    "shop/__init__.py": "",
    "shop/health.py": "async def search(): ...\n\nchecks = {'search': search}\n",
    "shop/migrations/__init__.py": "",
    "shop/migrations/0002_price.py": "from django.db import migrations\n\nclass Migration(migrations.Migration): ...\n",
}

SETTINGS = """
INSTALLED_APPS += ["shop"]
SECRET_KEY = "x"
USE_TZ = True
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
"""


def printed(file: str) -> list[str]:
    return [block.text for block in BLOCKS if (block.page, block.file) == ("how-to/frameworks/index.md", file)]


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
    (session,) = (text for text in blocks("console", "how-to/frameworks/index.md") if "manage.py health" in text)
    assert code == 1
    assert normalized(output) == normalized(session.partition("\n")[2])

    (tmp_path / "settings.py").write_text(needed + SETTINGS + optional)
    code, output = run(tmp_path, "manage.py", "check")
    assert code == 0, output
    code, output = run(tmp_path, "-c", "import asgi; print(*(each.name for each in asgi.application.health.checks))")
    assert (code, output) == (0, "search database migrations\n")


def normalized(table: str) -> str:
    """Return a table without the times and the spaces that depend on them."""
    return re.sub(r" +", " ", re.sub(r"\d+\.\d", "0.0", table))


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
