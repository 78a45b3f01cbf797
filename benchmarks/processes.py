"""Processes of our own, which end when we do."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parent.parent


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a contender: ours, this repository importable, nothing that slows Python down."""
    # The last: an installation has its bytecode, and without it each process would compile this source tree anew.
    unwanted = (
        "PYTHONDEVMODE",
        "PYTHONASYNCIODEBUG",
        "PYTHONMALLOC",
        "PYTHONTRACEMALLOC",
        "COVERAGE_PROCESS_START",
        "PYTHONDONTWRITEBYTECODE",
    )
    inherited = {key: value for key, value in os.environ.items() if key not in unwanted}
    return {**inherited, "PYTHONPATH": str(ROOT), **more}


class Worker:
    """A contender's own process, which is asked in JSON, a line each way."""

    def __init__(self, *arguments: str) -> None:
        self.arguments = arguments
        self._said = TemporaryFile("w+")  # noqa: SIM115  a pipe that nobody reads would fill up and stop the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            cwd=ROOT,
            env=environment(),
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
        """Return the answer. Raises RuntimeError, with what the process wrote to stderr, when it gives none."""
        self.send(**question)
        return self.read()

    def send(self, **question: Any) -> None:
        """Ask without waiting for the answer."""
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
        stop(self._process)
        self._said.close()

    def _dead(self) -> RuntimeError:
        stop(self._process)
        self._said.seek(0)
        last = self._said.read().strip().splitlines()[-1:] or ["no word"]
        return RuntimeError(f"{' '.join(self.arguments)}: {last[0]}")


def stop(process: subprocess.Popen[Any]) -> None:
    """End a process, whatever it thinks of it."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(3.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            try:
                stream.close()
            except BrokenPipeError:
                pass
