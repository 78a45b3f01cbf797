"""What the import of an app compiles, and details in a process that can open no more files."""

import subprocess
import sys

import pytest

from ..servers.process import ROOT

PATTERNS = "[name for name in sys.modules if name.startswith('asgi_health.formats.redact.')]"

PROGRAM = """
import anyio, resource, sys
from asgi_health import Health, HealthMiddleware
from asgi_health.testing import lifespan, probe, settled
from tests.apps import plain_app

async def failing():
    raise RuntimeError("password=hunter2 is refused")

health = Health()
health.check("db", failure_threshold=1)(failing)
app = HealthMiddleware(plain_app, health, details=True)

async def show():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    print((await probe(app, "/healthz")).body.decode())
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))  # the interpreter opens a library when it ends its threads

async def with_lifespan():
    async with lifespan(app):
        await settled(health)
        await show()

async def on_demand():
    await probe(app, "/readyz")
    await show()

anyio.run(globals()[sys.argv[1]])
"""


def run(program: str, *arguments: str) -> str:
    command = [sys.executable, "-c", program, *arguments]
    completed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert completed.returncode == 0, completed.stderr
    return completed.stdout.strip()


def test_an_app_that_is_only_imported_compiles_no_pattern_of_credentials() -> None:
    program = "import sys; from asgi_health import HealthMiddleware; from tests.apps import plain_app;"
    assert run(f"{program} HealthMiddleware(plain_app); print({PATTERNS})") == "['asgi_health.formats.redact.clean']"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of descriptors")
@pytest.mark.parametrize("start", ["with_lifespan", "on_demand"])
def test_the_first_details_need_no_descriptor(start: str) -> None:
    shown = run(PROGRAM, start)
    assert "RuntimeError: password=*** is refused" in shown


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of descriptors")
def test_without_a_descriptor_at_the_start_the_patterns_are_compiled_later() -> None:
    program = (
        "import resource; from asgi_health.formats.redact import prepare, redact;"
        " soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE);"
        " resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard)); prepare();"
        " resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)); print(redact('password=hunter2'))"
    )
    assert run(program) == "password=***"
