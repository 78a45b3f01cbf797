"""The gate opens only after every check has told that it passes, whatever the app does to its process."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ..support.waiting import wait_until
from .command import ENVIRONMENT
from .test_check_find import PRELUDE, check

APP = (
    PRELUDE
    + """
import asyncio, atexit, signal, threading
async def pool(): ...
IMPORT
async def raw(scope, receive, send):
    await receive()
    STARTUP
    await send({"type": "lifespan.startup.complete"})
    await receive()
    SHUTDOWN
    await send({"type": "lifespan.shutdown.complete"})
async def gate():
    CHECK
def plain():
    PLAIN
app = HealthMiddleware(raw, [Check("gate", gate), Check("plain", plain)])
"""
)
PLACES = ("IMPORT", "STARTUP", "CHECK", "PLAIN", "SHUTDOWN")


def app(place: str, statement: str) -> str:
    source = APP
    for each in PLACES:
        source = source.replace(each, statement if each == place else "pass")
    return source


ENDS = {
    "import": ("IMPORT", "os._exit(0)", "the app ended its process with exit code 0 while importing shop"),
    "startup": ("STARTUP", "os._exit(0)", "the app ended its process with exit code 0 while starting the app"),
    "check": ("CHECK", "os._exit(0)", "the app ended its process with exit code 0 while running the checks"),
    "check in a thread": (
        "PLAIN",
        "os._exit(0)",
        "the app ended its process with exit code 0 while running the checks",
    ),
    "another thread": (
        "CHECK",
        "threading.Timer(0.1, os._exit, [0]).start(); await asyncio.sleep(60)",
        "the app ended its process with exit code 0 while running the checks",
    ),
    "killed": (
        "STARTUP",
        "os.kill(os.getpid(), signal.SIGKILL)",
        "the process of the app was ended by SIGKILL while starting the app",
    ),
    "replaced": (
        "IMPORT",
        "os.execv(sys.executable, [sys.executable, '-c', ''])",
        "the app ended its process with exit code 0 while importing shop",
    ),
    "a child is the one that goes on": (
        "IMPORT",
        "os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0); os._exit(0)",
        "the app ended its process with exit code 0 while importing shop",
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_an_app_that_ends_its_process_before_all_is_told_does_not_open_it(name: str, tmp_path: Path) -> None:
    place, statement, why = ENDS[name]
    ended = check(tmp_path, app(place, statement))
    assert (ended.code, ended.out, ended.line) == (1, "", f"python -m asgi_health check: {why}")


@pytest.mark.parametrize(
    ("statement", "verdict", "code", "why"),
    [
        ("os._exit(7)", "pass", 0, "the app ended its process with exit code 7 while shutting down the app"),
        ("os._exit(0)", "return False", 1, "the app ended its process with exit code 0 while shutting down the app"),
        ("atexit.register(os._exit, 7)", "pass", 0, ""),
        ("atexit.register(os._exit, 0)", "return False", 1, ""),
    ],
)
def test_what_was_told_counts_however_the_process_ends_then(
    statement: str, verdict: str, code: int, why: str, tmp_path: Path
) -> None:
    ended = check(tmp_path, app("SHUTDOWN", statement).replace("    pass\napp =", f"    {verdict}\napp ="))
    assert (ended.code, ended.out.splitlines()[-1]) == (code, "failed: plain" if code else "passed")
    assert ended.err == (f"python -m asgi_health check: {why}\n" if why else "")


def test_an_app_that_closes_what_is_not_its_own_does_not_open_it(tmp_path: Path) -> None:
    ended = check(tmp_path, app("IMPORT", "os.closerange(3, 64)"))
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.endswith(" while importing shop\n")


@pytest.mark.parametrize("text", [r"garbage\n", r"\xff\n", r"\n", r"[]\n", r'{"done": true}\n', r'"done"\n'])
def test_an_app_that_writes_to_what_is_not_its_own_does_not_open_it(text: str, tmp_path: Path) -> None:
    statement = f"for each in range(3, 64):\n    with contextlib.suppress(OSError): os.write(each, b'''{text}''')"
    ended = check(tmp_path, app("IMPORT", statement))
    assert (ended.code, ended.out) == (1, "")
    why = "the process of the app wrote something that is no step of it while importing shop"
    assert ended.err == f"python -m asgi_health check: {why}\n"


@pytest.mark.parametrize(
    ("place", "statement"),
    [("CHECK", "pool()"), ("CHECK", "forgotten = pool()"), ("PLAIN", "pool()"), ("PLAIN", "return gate_too()")],
)
def test_a_forgotten_await_in_a_check_does_not_open_it(place: str, statement: str, tmp_path: Path) -> None:
    too = "async def gate_too(): pool()\n"
    ended = check(tmp_path, too + app(place, statement))
    assert (ended.code, ended.err) == (1, "")
    name, function = ("gate", "gate") if place == "CHECK" else ("plain", "gate_too" if "too" in statement else "plain")
    (row,) = [line for line in ended.out.splitlines() if line.startswith(name)]
    assert f"{tmp_path}/shop.py, line " in row
    assert row.endswith(f", in {function}: pool() was never awaited")


def has_ended(pid: str) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"  # not yet waited for by the first process of the container, which may never do that


def test_the_process_of_the_app_does_not_outlive_the_command(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "import os, pathlib, time\npathlib.Path('pid').write_text(str(os.getpid()))\ntime.sleep(60)"
    )
    command = [sys.executable, "-m", "asgi_health", "check", "shop:app"]
    pid = tmp_path / "pid"
    with subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT | {"PYTHONDONTWRITEBYTECODE": "1"}) as process:
        wait_until(lambda: pid.exists() and pid.read_text() != "", "it is imported", 30.0)
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_until(lambda: has_ended(pid.read_text()), "it has ended", 30.0)


def test_the_app_sees_the_command_line_and_the_interpreter_of_the_command(tmp_path: Path) -> None:
    statement = "print(sys.argv[1:], sys.warnoptions, sys.flags.dev_mode, file=sys.stderr)"
    (tmp_path / "shop.py").write_text(app("IMPORT", statement))
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error::DeprecationWarning", "-m", "asgi_health", "check", "shop:app"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0
    # In this mode asyncio tells of slow steps, too.
    assert done.stderr.splitlines()[0] == "['check', 'shop:app'] ['default', 'error::DeprecationWarning'] True"


def test_a_module_beside_the_app_does_not_stand_in_for_the_standard_library(tmp_path: Path) -> None:
    (tmp_path / "subprocess.py").write_text("raise RuntimeError('not this one')")
    (tmp_path / "json.py").write_text("raise RuntimeError('not this one')")
    (tmp_path / "shop.py").write_text(app("IMPORT", "pass"))
    script = os.path.join(os.path.dirname(sys.executable), "asgi-health")
    done = subprocess.run(
        [script, "check", "shop:app"], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")
