"""A run that a signal ends leaves no process behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from benchmarks.processes import ROOT, Worker, environment
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="the processes are found in /proc")

MARK = "BENCHMARK_TEST"
CHILDREN = """
import sys
from benchmarks.processes import start
start(["sh", "-c", "sleep 600 & sleep 600"])
sys.stdin.read()
"""


class _Run:
    """A process and its descendants, found by a variable in their environment."""

    def __init__(self, mark: str, process: subprocess.Popen[bytes]) -> None:
        self._mark = f"{MARK}={mark}".encode()
        self.process = process

    def programs(self) -> list[str]:
        """Return the command lines of the processes that still run."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdecimal() and self._mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue  # it has ended meanwhile, or belongs to another user
        return found

    def wait_for(self, part: str, count: int = 1) -> None:
        wait_until(lambda: sum(part in each for each in self.programs()) >= count, f"{part} runs", 60.0)

    def end(self, number: signal.Signals) -> int:
        """Send a signal, wait until all processes have ended, and return the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(30.0)
        wait_until(lambda: not self.programs(), "all processes have ended", 30.0)
        return code


def _default_signals() -> None:
    # A job that was started with `&`, or by nohup, ignores these, and its children with it.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def _running(folder: Path, *arguments: str) -> Iterator[_Run]:
    mark = uuid4().hex
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment(TMPDIR=str(folder), **{MARK: mark}),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=_default_signals,  # noqa: PLW1509  the threads of pytest-xdist hold no lock that it takes
    )
    run = _Run(mark, process)
    try:
        yield run
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("measurement", "number"),
    [
        ("start", signal.SIGTERM),
        ("start", signal.SIGKILL),
        ("start", signal.SIGHUP),
        ("in-process", signal.SIGINT),
        ("in-process", signal.SIGKILL),
    ],
)
def test_a_run_that_a_signal_ends_leaves_neither_servers_nor_workers(
    measurement: str, number: signal.Signals, tmp_path: Path
) -> None:
    started = {"start": "uvicorn", "in-process": "benchmarks.worker"}[measurement]
    with _running(tmp_path, "-m", "benchmarks", "--quick", "--only", measurement, "--out", str(tmp_path)) as run:
        run.wait_for(started)
        assert run.end(number) == -number
    assert list(tmp_path.iterdir()) == []


def test_the_children_of_the_children_of_a_killed_run_end_too(tmp_path: Path) -> None:
    with _running(tmp_path, "-c", CHILDREN) as run:
        run.wait_for("sleep 600", 3)
        run.end(signal.SIGKILL)


def test_a_process_that_is_closed_twice_is_killed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker("simulated")
    worker.close()
    killed: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda group, number: killed.append(group))
    worker.close()
    assert killed == []
