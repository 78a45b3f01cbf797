"""Without h11, which only a listener needs, everything but a listener works."""

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
def test_without_h11_a_listener_is_refused_and_the_error_says_what_to_install(use: str) -> None:
    ended = run(f"sys.modules['h11'] = None\n{use}")
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == (
        'ModuleNotFoundError: listener: h11 is not installed; try: pip install "asgi-health[listener]"'
    )


def test_without_h11_everything_else_works() -> None:
    ended = run("sys.modules['h11'] = None; HealthMiddleware(app); Listener('127.0.0.1:0')")
    assert (ended.returncode, ended.stderr) == (0, "")


def test_without_a_listener_its_server_is_not_imported() -> None:
    ended = run(
        "from asgi_health import listen_early; HealthMiddleware(app);"
        " print([name for name in sys.modules if name == 'h11' or name == 'asgi_health.listener.server'])"
    )
    assert ended.stdout.strip() == "[]", ended.stderr
