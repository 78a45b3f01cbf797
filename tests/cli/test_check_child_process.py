"""`check` passes only if every check has reported its result, whatever the app does to its process."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ..support.waiting import wait_until
from .command import ENVIRONMENT
from .test_check_find_health import PRELUDE, check

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


EARLY_EXITS = {
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
        "the app's process was killed by SIGKILL while starting the app",
    ),
    "replaced": (
        "IMPORT",
        "os.execv(sys.executable, [sys.executable, '-c', ''])",
        "the app ended its process with exit code 0 while importing shop",
    ),
    "a grandchild continues": (
        "IMPORT",
        "os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0); os._exit(0)",
        "the app ended its process with exit code 0 while importing shop",
    ),
}


@pytest.mark.parametrize("name", EARLY_EXITS)
def test_an_app_that_ends_its_process_before_all_results_fails(name: str, tmp_path: Path) -> None:
    place, statement, error = EARLY_EXITS[name]
    completed = check(tmp_path, app(place, statement))
    assert (completed.code, completed.out, completed.line) == (1, "", f"python -m asgi_health check: {error}")


@pytest.mark.parametrize(
    ("statement", "result", "code", "error"),
    [
        ("os._exit(7)", "pass", 0, "the app ended its process with exit code 7 while shutting down the app"),
        ("os._exit(0)", "return False", 1, "the app ended its process with exit code 0 while shutting down the app"),
        ("atexit.register(os._exit, 7)", "pass", 0, ""),
        ("atexit.register(os._exit, 0)", "return False", 1, ""),
    ],
)
def test_reported_results_count_however_the_process_ends_afterwards(
    statement: str, result: str, code: int, error: str, tmp_path: Path
) -> None:
    completed = check(tmp_path, app("SHUTDOWN", statement).replace("    pass\napp =", f"    {result}\napp ="))
    assert (completed.code, completed.out.splitlines()[-1]) == (code, "failed: plain" if code else "passed")
    assert completed.err == (f"python -m asgi_health check: {error}\n" if error else "")


def test_an_app_that_closes_all_descriptors_fails(tmp_path: Path) -> None:
    completed = check(tmp_path, app("IMPORT", "os.closerange(3, 64)"))
    assert (completed.code, completed.out) == (1, "")
    assert completed.err.endswith(" while importing shop\n")


@pytest.mark.parametrize(
    "text", [r"garbage\n", r"\xff\n", r"\n", r"[]\n", r'{"done": true}\n', r'"done"\n', r'{"rows": [{}]}\n']
)
def test_an_app_that_writes_to_all_descriptors_fails(text: str, tmp_path: Path) -> None:
    statement = f"for each in range(3, 64):\n    with contextlib.suppress(OSError): os.write(each, b'''{text}''')"
    completed = check(tmp_path, app("IMPORT", statement))
    assert (completed.code, completed.out) == (1, "")
    error = "the app's process wrote an unexpected message while importing shop"
    assert completed.err == f"python -m asgi_health check: {error}\n"


@pytest.mark.parametrize(
    ("place", "statement"),
    [("CHECK", "pool()"), ("CHECK", "forgotten = pool()"), ("PLAIN", "pool()"), ("PLAIN", "return gate_too()")],
)
def test_a_check_that_forgets_an_await_fails_and_the_line_is_named(place: str, statement: str, tmp_path: Path) -> None:
    too = "async def gate_too(): pool()\n"
    completed = check(tmp_path, too + app(place, statement))
    assert (completed.code, completed.err) == (1, "")
    name, function = ("gate", "gate") if place == "CHECK" else ("plain", "gate_too" if "too" in statement else "plain")
    (row,) = [line for line in completed.out.splitlines() if line.startswith(name)]
    assert f"{tmp_path}/shop.py, line " in row
    assert row.endswith(f", in {function}: pool() was never awaited")


def has_ended(pid: str) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"  # a zombie: process 1 of a container may never wait for it


def test_the_process_of_the_app_does_not_outlive_the_command(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "import os, pathlib, time\npathlib.Path('pid').write_text(str(os.getpid()))\ntime.sleep(60)"
    )
    command = [sys.executable, "-m", "asgi_health", "check", "shop:app"]
    pid = tmp_path / "pid"
    with subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT | {"PYTHONDONTWRITEBYTECODE": "1"}) as process:
        wait_until(lambda: pid.exists() and pid.read_text() != "", "the app is imported", 30.0)
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_until(lambda: has_ended(pid.read_text()), "it has completed", 30.0)


def test_the_app_gets_the_arguments_and_interpreter_flags_of_the_command(tmp_path: Path) -> None:
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
    # The first line: in this mode asyncio also logs slow callbacks.
    assert done.stderr.splitlines()[0] == "['check', 'shop:app'] ['default', 'error::DeprecationWarning'] True"


def test_a_module_next_to_the_app_does_not_replace_the_standard_library(tmp_path: Path) -> None:
    (tmp_path / "subprocess.py").write_text("raise RuntimeError('not this one')")
    (tmp_path / "json.py").write_text("raise RuntimeError('not this one')")
    (tmp_path / "shop.py").write_text(app("IMPORT", "pass"))
    script = os.path.join(os.path.dirname(sys.executable), "asgi-health")
    done = subprocess.run(
        [script, "check", "shop:app"], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")
