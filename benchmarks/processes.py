"""Child processes that end when this process does."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile, mkdtemp
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parent.parent

_alive: set[int] = set()
"""The process groups that were started and not ended."""


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a contender: that of this process, this repository importable, no debug options."""
    # PYTHONDONTWRITEBYTECODE: an installation has bytecode; without it each process would compile this source tree.
    unwanted = (
        "PYTHONDEVMODE",
        "PYTHONASYNCIODEBUG",
        "PYTHONMALLOC",
        "PYTHONTRACEMALLOC",
        "COVERAGE_PROCESS_START",
        "COVERAGE_PROCESS_CONFIG",
        "PYTHONDONTWRITEBYTECODE",
    )
    inherited = {key: value for key, value in os.environ.items() if key not in unwanted}
    return {**inherited, "PYTHONPATH": str(ROOT), **more}


def cores() -> Sequence[int]:
    """Return the processors that this process may use; none where the system does not list them."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else ()


def start(
    command: Sequence[str], *, first: bool | None = None, env: Mapping[str, str] | None = None, **options: Any
) -> subprocess.Popen[Any]:
    """Start a process in a group of its own, which is killed when this process ends in any way.

    `first`: True for the first processor, False for the others, so that servers and load do not share one; None for
    any.
    """
    pipe, _ = _cleanup()
    available = cores()
    chosen = None if first is None or len(available) < 2 else available[:1] if first else available[1:]

    def in_child() -> None:
        # The child writes it: the parent may be killed between the fork and its own write.
        os.write(pipe, b"%d\n" % os.getpid())
        if chosen is not None:
            os.sched_setaffinity(0, chosen)

    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment() if env is None else env,
        start_new_session=True,
        preexec_fn=in_child,  # noqa: PLW1509  this process has started no thread
        **options,
    )
    _alive.add(process.pid)
    return process


def end(process: subprocess.Popen[Any]) -> None:
    """Kill a process and its children. A shutdown is not measured, and some servers would wait for hung checks."""
    if process.pid not in _alive:
        return  # another process may have its number by now
    _alive.remove(process.pid)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    with suppress(OSError):
        os.write(_cleanup()[0], b"-%d\n" % process.pid)
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(BrokenPipeError):
                stream.close()


def folder() -> str:
    """Return the folder for temporary files; it is removed when this process ends in any way."""
    return _cleanup()[1]


@cache
def _cleanup() -> tuple[int, str]:
    """Start cleanup.py, once for this process, and return the pipe that it reads and the folder that it removes."""
    removed = mkdtemp(prefix="benchmark-")
    read, write = os.pipe()
    command = [sys.executable, "-IS", str(Path(__file__).with_name("cleanup.py")), removed]
    # Not Popen, which warns when it is collected before its process has ended.
    os.posix_spawn(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, read, 0)], setsid=True)
    os.close(read)
    return write, removed


class Worker:
    """The process of one contender. Questions and answers are lines of JSON."""

    def __init__(self, *arguments: str) -> None:
        self.arguments = arguments
        self._said = TemporaryFile("w+")  # noqa: SIM115  a pipe that no process reads would fill up and block the worker
        self._process = start(
            [sys.executable, "-m", "benchmarks.worker", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, **question: Any) -> Mapping[str, Any]:
        """Return the answer. Raises RuntimeError, with the last line of stderr, when the process ends without one."""
        self.send(**question)
        return self.read()

    def send(self, **question: Any) -> None:
        """Send a question without waiting for the answer."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._dead() from None

    def read(self) -> Mapping[str, Any]:
        """Return the next answer."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._dead()
        answer: Mapping[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        end(self._process)
        self._said.close()

    def _dead(self) -> RuntimeError:
        with suppress(subprocess.TimeoutExpired):  # it has closed its pipe, and may still be writing the reason
            self._process.wait(3.0)
        end(self._process)
        self._said.seek(0)
        last = self._said.read().strip().splitlines()[-1:] or ["it wrote nothing"]
        return RuntimeError(f"{' '.join(self.arguments)}: {last[0]}")
