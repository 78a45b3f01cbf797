"""docs/explanation/architecture.md follows five events through the code.

Each is run here, and its calls are those of the table.
"""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/explanation/architecture.md"

PRELUDE = '''
import asyncio, os, signal, sys, time, urllib.request
from asgi_health import Drain, HealthMiddleware, Listener
from asgi_health.testing import lifespan, settled

async def app(scope, receive, send):
    assert scope["type"] == "lifespan"
    for kind in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{kind}.complete"})

async def ping():
    pass

APP = """
async def app(scope, receive, send):
    for kind in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{kind}.complete"})

async def ping():
    pass

health_app = HealthMiddleware(app, {"database": ping})
"""

async def send_nothing(message):
    pass

def mark(name):
    os.write(int(os.environ["MARKS"]), f"{name}\\n".encode())
'''

PROGRAMS = {
    "A probe": """
async def main():
    health_app = HealthMiddleware(app, {"database": ping}, slow_loop=0)
    async with lifespan(health_app):
        await settled(health_app.health)
        scope = {"type": "http", "method": "GET", "path": "/readyz", "query_string": b"", "root_path": ""}
        mark("begin")
        await health_app(scope, None, send_nothing)
        mark("end")
asyncio.run(main())
""",
    "A check": """
async def main():
    health_app = HealthMiddleware(app, {"database": ping})
    mark("begin")
    async with lifespan(health_app):
        await settled(health_app.health)
        mark("end")
asyncio.run(main())
""",
    "A transition": """
async def main():
    health_app = HealthMiddleware(app, {"database": ping})
    received = asyncio.Event()
    loop = asyncio.get_running_loop()
    health_app.health.subscribe(lambda _: loop.call_soon_threadsafe(received.set))
    async with lifespan(health_app):
        mark("begin")
        await settled(health_app.health)
        await received.wait()
        await asyncio.sleep(0.05)
        mark("end")
asyncio.run(main())
""",
    "A SIGTERM": """
async def main():
    health_app = HealthMiddleware(app, {"database": ping}, drain=Drain(delay=0.2))
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with lifespan(health_app):
        await settled(health_app.health)
        mark("begin")
        os.kill(os.getpid(), signal.SIGTERM)
        await stopped.wait()
        mark("end")
asyncio.run(main())
""",
    "A listener's request": """
async def main():
    health_app = HealthMiddleware(app, {"database": ping}, listener=Listener(sys.argv[1]))
    async with lifespan(health_app):
        await settled(health_app.health)
        mark("begin")
        await asyncio.to_thread(urllib.request.urlopen, f"http://{sys.argv[1]}/livez")
        mark("end")
asyncio.run(main())
""",
    "asgi-health check": """
from pathlib import Path
from asgi_health.cli.start import start

Path("shop.py").write_text("from asgi_health import HealthMiddleware\\n" + APP)
sys.argv = ["asgi-health", "check", "shop:health_app"]
mark("begin")
try:
    start()
except SystemExit as exit:
    assert exit.code == 0
mark("end")
""",
}


def walk(heading: str) -> list[str]:
    """Return the rows of the table below a heading, as ``file function``."""
    section = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0].replace("\\_", "_")
    return [f"{file} {function}" for file, function in re.findall(r"^\| (asgi_health/\S+) \| (\S+) \|", section, re.M)]


def calls_of(program: str, folder: Path, *arguments: str) -> list[str]:
    """Return the calls of asgi_health's functions between the marks of a program."""
    log = folder / "calls"
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    environment = os.environ | {
        "CALL_LOG": str(log),
        "MARKS": str(descriptor),
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent / "call_log"), str(ROOT)]),
    }
    environment = {key: value for key, value in environment.items() if not key.startswith("COVERAGE")}
    try:
        subprocess.run(
            [sys.executable, "-c", PRELUDE + program, *arguments],
            env=environment,
            cwd=folder,
            pass_fds=[descriptor],
            timeout=60,
            check=True,
        )
    finally:
        os.close(descriptor)
    calls = log.read_text().splitlines()
    return calls[calls.index("begin") + 1 : calls.index("end")]


def missing_from(calls: list[str], expected: list[str]) -> list[str]:
    """Return what of `expected` does not come in this order among the calls."""
    remaining = iter(calls)
    return [each for each in expected if each not in remaining]


@pytest.mark.processes
@pytest.mark.parametrize("heading", PROGRAMS)
def test_the_calls_are_those_of_the_table_in_its_order(heading: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    calls = calls_of(PROGRAMS[heading], tmp_path, address)
    assert walk(heading)
    assert not missing_from(calls, walk(heading)), "\n".join(calls)


@pytest.mark.processes
def test_a_probe_calls_one_function(tmp_path: Path) -> None:
    assert calls_of(PROGRAMS["A probe"], tmp_path) == walk("A probe")
