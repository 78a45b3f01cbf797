"""What `check` prints, and how it ends, whatever the app does."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .command import interruptible, run
from .test_check_find_health import PRELUDE, STARLETTE, check

MIXED = (
    PRELUDE
    + STARLETTE
    + """
import asyncio, subprocess, threading, time, logging
print("printed at import")
def payments():
    print("printed in a thread")
    os.write(1, b"written to the descriptor\\n")
    subprocess.run(["echo", "from a child"])
    raise ConnectionError("https://me:sesame@pay.example refuses\\nthe connection")
async def disk():
    sys.__stdout__.write("written to the first stdout\\n")
    return degraded("less than 5 GB left")
async def gone():
    sys.exit(3)
checks = [
    Check("database", database),
    Check("payments", payments, critical=False),
    Check("disk", disk, probes=(Probe.LIVENESS,)),
    Check("migrations", lambda: True, probes=(Probe.STARTUP,), success_threshold=3),
]
app = HealthMiddleware(Starlette(lifespan=lifespan), checks)
never = Check("never", lambda: asyncio.sleep(60), timeout=0.2)
unhealthy = HealthMiddleware(Starlette(lifespan=lifespan), [*checks, Check("gone", gone), never])
"""
)


def test_the_table_has_a_line_per_check_and_one_for_the_outcome(tmp_path: Path) -> None:
    completed = check(tmp_path, MIXED)
    assert completed.code == 0
    rows = [re.split(r" {2,}", line) for line in completed.out.splitlines()]
    assert [row[0] for row in rows] == ["NAME", "database", "payments", "disk", "migrations", "passed"]
    assert [row[1] for row in rows[:-1]] == ["STATUS", "pass", "fail", "warn", "pass"]
    assert rows[2][3:] == ["(not critical) ConnectionError: https://***@pay.example refuses the connection"]
    assert rows[3][3:] == ["less than 5 GB left"]
    assert all(float(row[2]) < 10_000 for row in rows[1:-1])


def test_the_output_of_the_app_goes_to_stderr(tmp_path: Path) -> None:
    completed = check(tmp_path, MIXED, "shop:app", "--json")
    for text in (
        "printed at import",
        "printed in a thread",
        "written to the descriptor",
        "written to the first stdout",
        "from a child",
    ):
        assert completed.err.count(text) == 1
    document = json.loads(completed.out)
    assert completed.out.count("\n") == 1
    assert document["status"] == "warn"
    assert [(each["name"], each["status"], each["critical"]) for each in document["checks"]] == [
        ("database", "pass", True),
        ("payments", "fail", False),
        ("disk", "warn", True),
        ("migrations", "pass", True),
    ]
    assert document["checks"][1]["message"] == "ConnectionError: https://***@pay.example refuses the connection"
    assert all(0 <= each["milliseconds"] < 10_000 for each in document["checks"])


def test_a_critical_check_that_fails_makes_the_command_fail(tmp_path: Path) -> None:
    completed = check(tmp_path, MIXED, "shop:unhealthy")
    assert completed.code == 1
    assert completed.out.splitlines()[-1] == "failed: gone, never"
    assert re.search(r"^gone +fail +\d+\.\d  SystemExit: 3$", completed.out, re.MULTILINE)
    assert re.search(r"^never +fail +\d+\.\d  timed out after 0\.2 s$", completed.out, re.MULTILINE)
    assert "Traceback" not in completed.err
    document = json.loads(check(tmp_path, MIXED, "shop:unhealthy", "--json").out)
    assert document["status"] == "fail"


def test_verbose_prints_the_log_of_failures(tmp_path: Path) -> None:
    completed = check(tmp_path, MIXED, "shop:app", "--verbose")
    assert completed.code == 0
    assert "Traceback (most recent call last):" in completed.err


# Without a framework: on a busy machine its import may take longer than the short timeouts below.
STUBBORN = (
    PRELUDE
    + """
import asyncio, threading, time
async def stubborn():
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass
def hung():
    time.sleep(60)
async def plain_app(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    SHUTDOWN
    await send({"type": "lifespan.shutdown.complete"})
app = HealthMiddleware(plain_app, [
    Check("database", database), Check("stubborn", stubborn, timeout=TIMEOUT), Check("hung", hung, timeout=TIMEOUT),
])
healthy = HealthMiddleware(plain_app, dict(database=lambda: None))
"""
)


def stubborn_app(shutdown: str = "pass", timeout: float = 1.0) -> str:
    return STUBBORN.replace("SHUTDOWN", shutdown).replace("TIMEOUT", str(timeout))


@pytest.mark.parametrize("timeout", [0.3, 50.0], ids=["of the check", "of the command"])
def test_a_check_that_does_not_end_fails_at_its_timeout(timeout: float, tmp_path: Path) -> None:
    completed = check(tmp_path, stubborn_app(timeout=timeout), "shop:app", "--timeout", "2")
    assert completed.code == 1
    assert completed.out.splitlines()[-1] == "failed: stubborn, hung"
    assert re.search(r"^hung +fail +\d+\.\d  timed out after \d\.\d s$", completed.out, re.MULTILINE)
    assert re.search(r"^database +pass ", completed.out, re.MULTILINE)
    assert completed.err == ""


@pytest.mark.parametrize(
    ("shutdown", "error"),
    [
        ("await asyncio.sleep(60)", "timed out after 1 s while shutting down the app"),
        ("time.sleep(60)", "timed out after 1 s while shutting down the app"),
        ("raise RuntimeError('no pool')", "the app failed to shut down: RuntimeError: no pool"),
        (
            "threading.Thread(target=time.sleep, args=(60,)).start(); asyncio.create_task(stubborn())\n"
            "    asyncio.get_running_loop().run_in_executor(None, time.sleep, 60); await asyncio.sleep(0)",
            "",
        ),
    ],
    ids=["hangs", "blocks", "fails", "leaves a thread, a task and a job"],
)
def test_a_failed_shutdown_does_not_change_the_result(shutdown: str, error: str, tmp_path: Path) -> None:
    completed = check(tmp_path, stubborn_app(shutdown), "shop:healthy", "--timeout", "1")
    assert (completed.code, completed.out.splitlines()[-1]) == (0, "passed")
    assert completed.err == (f"python -m asgi_health check: {error}\n" if error else "")


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "0<&- 1>&- 2>&-", "1>/dev/full", "2>/dev/full"])
@pytest.mark.parametrize(("app", "code"), [("shop:healthy", 0), ("shop:nope", 1)])
def test_the_exit_code_is_right_if_output_is_closed_or_full(closed: str, app: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(stubborn_app())
    completed = run("-c", f'"$0" -m asgi_health check {app} {closed}', sys.executable, command=("sh",), cwd=tmp_path)
    assert completed.code == code
    assert "Traceback" not in completed.err
    assert "Exception ignored" not in completed.err
    if "1>" not in closed:
        assert completed.out.splitlines()[-1:] == ([] if code else ["passed"])


def test_ctrl_c_ends_check_with_130_and_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("import sys, time\nprint('here', flush=True)\ntime.sleep(60)\n")
    with interruptible():
        checking = subprocess.Popen(
            [sys.executable, "-m", "asgi_health", "check", "shop:app"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
            stderr=subprocess.PIPE,
        )
    with checking as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"here\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == b""
        assert process.wait(10.0) == 130
