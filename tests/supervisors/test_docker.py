"""The line of docs/how-to/platforms/compose.md for Docker, run as Docker would."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .documented import docker_command, moved, printed
from .guard import guarded
from .shop import GONE
from .work import Supervised, install_app, supervised

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def folder() -> Iterator[Path]:
    with guarded() as place:
        install_app(place / "app")
        yield place / "app"


@pytest.fixture
def app(folder: Path) -> Iterator[Supervised]:
    """Yield the app without a supervisor."""
    command = printed("/etc/service/app/run").split("exec ")[1].split()
    with supervised(folder, [moved(word, folder) for word in command]) as running:
        running.wait_for_status("/readyz", 200)
        yield running


def outcome(folder: Path) -> tuple[int, int]:
    """Return the exit code and the number of lines on stderr."""
    end = subprocess.run(
        [moved(word, folder) for word in docker_command()],
        env=os.environ | {"PATH": f"{folder}/.venv/bin:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert end.stdout == ""
    return end.returncode, len(end.stderr.splitlines())


def test_it_fails_while_no_app_answers(folder: Path) -> None:
    assert outcome(folder) == (1, 1)


def test_it_passes_also_while_the_database_is_down(folder: Path, app: Supervised) -> None:
    assert outcome(folder) == (0, 0)
    app.cause(GONE)
    app.wait_for_status("/readyz", 503)
    assert outcome(folder) == (0, 0)


def test_it_fails_when_the_loop_is_blocked(folder: Path, app: Supervised) -> None:
    app.cause("sleeps")
    app.wait_until(lambda: outcome(folder) == (1, 1), "it fails")
