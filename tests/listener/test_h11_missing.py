"""The package that a listener needs, and nobody else."""

import subprocess
import sys

import pytest

from ..servers.process import ROOT

PROLOGUE = (
    "import sys; from asgi_health import HealthMiddleware, Health, Listener; from tests.apps import plain_app as app\n"
)


def run(program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", PROLOGUE + program]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "use",
    [
        "HealthMiddleware(app, listener=Listener('127.0.0.1:0'))",
        "from asgi_health import listen_early; listen_early(Listener('127.0.0.1:0'))",
        "import anyio; anyio.run(Health().running(listener=Listener('127.0.0.1:0')).__aenter__)",
    ],
    ids=["middleware", "early", "program"],
)
def test_without_it_a_listener_is_refused_when_it_is_made_and_told_what_to_install(use: str) -> None:
    ended = run(f"sys.modules['h11'] = None\n{use}")
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == (
        'ModuleNotFoundError: listener: h11 is not installed; try: pip install "asgi-health[listener]"'
    )


def test_without_it_everything_else_works() -> None:
    ended = run("sys.modules['h11'] = None; HealthMiddleware(app); Listener('127.0.0.1:0')")
    assert (ended.returncode, ended.stderr) == (0, "")


def test_without_a_listener_nothing_of_it_is_imported() -> None:
    ended = run(
        "from asgi_health import listen_early; HealthMiddleware(app);"
        " print([name for name in sys.modules if name == 'h11' or 'listener_thread' in name])"
    )
    assert ended.stdout.strip() == "[]", ended.stderr
