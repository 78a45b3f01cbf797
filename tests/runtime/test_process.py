"""How a process ends while its checks hang or interrupt it, seen from outside."""

import subprocess
import sys
import textwrap

import pytest

PROGRAM = """
import signal, sys, threading
import anyio
from asgi_health import Check, Health, HealthMiddleware
from asgi_health.testing import lifespan, probe, settled
from tests.apps import plain_app

async def swallow():
    while True:
        try:
            await anyio.sleep_forever()
        except BaseException:
            pass

async def hang():
    await anyio.sleep_forever()

def block():
    threading.Event().wait()

async def interrupt():
    raise KeyboardInterrupt

def interrupt_in_a_thread():
    raise KeyboardInterrupt

# A job that a shell starts with `&` ignores Ctrl-C, and so do its children.
signal.signal(signal.SIGINT, signal.default_int_handler)

async def main():
    health = Health([Check("bad", {check}, timeout=0.05, retry_interval=0.05, interval=0.05)])
    app = HealthMiddleware(plain_app, health)
    {body}
    print("over")

anyio.run(main, backend="{backend}")
"""
WITH_LIFESPAN = """
    async with lifespan(app):
        await settled(health)
        {then}
        print((await probe(app, "/readyz")).status, (await probe(app, "/livez")).status)
"""
ON_DEMAND = """
    print((await probe(app, "/readyz")).status, (await probe(app, "/livez")).status)
"""
BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


def run(backend: str, check: str, body: str) -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(backend=backend, check=check, body=textwrap.dedent(body).replace("\n", "\n    "))
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60, check=False
    )


@BACKENDS
@pytest.mark.parametrize("check", ["swallow", "hang", "block"])
@pytest.mark.parametrize("body", [WITH_LIFESPAN.format(then="await anyio.sleep(0.2)"), ON_DEMAND])
def test_no_check_keeps_the_process_from_exiting(backend: str, check: str, body: str) -> None:
    ended = run(backend, check, body)
    assert ended.stdout == "503 200\nover\n", ended.stderr
    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr


@BACKENDS
@pytest.mark.parametrize("check", ["interrupt", "interrupt_in_a_thread"])
def test_a_keyboard_interrupt_in_a_check_ends_the_process_as_ctrl_c_does(backend: str, check: str) -> None:
    ended = run(backend, check, WITH_LIFESPAN.format(then="await anyio.sleep(30)"))
    assert ended.returncode != 0
    assert "KeyboardInterrupt" in ended.stderr
    assert "over" not in ended.stdout
    assert "TrioInternalError" not in ended.stderr
