"""Start the child process, read its messages, and print the outcome."""

import json
import os
import sys
import time
from queue import Empty
from typing import Any, cast

from ..arguments import program
from . import table
from .child_process import EXIT_TIMEOUT, ChildProcess, child_process
from .table import Row


def check(module: str, attribute: str, *, seconds: float, as_json: bool, verbose: bool, allow_empty: bool) -> int:
    """Return 0 when no critical check of the app fails, 1 when one fails or the results are not known.

    Whatever the app does to its process, the result is 0 only if all checks have ended, and without any checks only
    with `allow_empty`. All of it ends within `seconds`, or `EXIT_TIMEOUT` later if the app does not exit by itself.
    """
    gate = _Gate(seconds, as_json=as_json, verbose=verbose, allow_empty=allow_empty)
    options = {"module": module, "attribute": attribute, "seconds": seconds, "verbose": verbose}
    try:
        with child_process(options) as process:
            return _read_outcome(gate, process)
    except OSError as error:
        return gate.fail(f"cannot start a process for the app: {error}")
    except KeyboardInterrupt:
        return 130


def _read_outcome(gate: "_Gate", process: ChildProcess) -> int:
    exit_deadline = time.monotonic() + gate.seconds + EXIT_TIMEOUT
    while True:
        try:
            line = process.messages.get(timeout=max(exit_deadline - time.monotonic(), 0.0))
        except Empty:
            process.kill()
            return gate.fail_timed_out()
        if line is None:
            return gate.fail(process.explain_silence(gate.doing))
        if not gate.python_started:
            exit_deadline = time.monotonic() + gate.seconds + EXIT_TIMEOUT  # the start of Python is not the app's time
        code = gate.read_message(_parse_json(line))
        if code is not None:
            return code


def _parse_json(line: bytes) -> Any:
    """Return the value of a line, None if it is not JSON: the app may write to any descriptor of its process."""
    try:
        return json.loads(line)
    except ValueError:
        return None


class _Gate:
    """Collects the messages of the child, prints the outcome and decides the exit code."""

    def __init__(self, seconds: float, *, as_json: bool, verbose: bool, allow_empty: bool) -> None:
        self.seconds = seconds
        self.python_started = False
        self.doing = "starting Python"
        self._as_json = as_json
        self._verbose = verbose
        self._allow_empty = allow_empty
        self._rows: list[Row] | None = None

    def read_message(self, message: Any) -> int | None:
        """Take note of `message`; return the exit code if it is the last one."""
        match message:
            case {"doing": str(doing)}:
                self.python_started, self.doing = True, doing
            case {"rows": rows}:
                self._rows = [Row(**row) for row in cast("list[dict[str, Any]]", rows)]
            case {"done": True} if self._rows is not None:
                return self._print_results(self._rows)
            case {"timed_out": True}:
                return self.fail_timed_out()
            case {"interrupted": True}:
                return 130
            case {"error": str(error), "details": str(details)}:
                return self.fail(error, details)
            case _:
                return self.fail(f"the app's process wrote an unexpected message while {self.doing}")
        return None

    def fail_timed_out(self) -> int:
        """Report that the time is over, and return the exit code."""
        return self.fail(f"timed out after {self.seconds:g} s while {self.doing}")

    def fail(self, error: str, details: str = "") -> int:
        """Report `error`, then the results if there are any, and return the exit code."""
        _write(2, sys.stderr, f"{details if self._verbose else ''}{program()} check: {error}\n")
        if self._rows is not None:
            return self._print_results(self._rows)
        if self._as_json:
            _write(1, sys.stdout, table.as_json([], error))
        return 1

    def _print_results(self, rows: list[Row]) -> int:
        refused = not rows and not self._allow_empty
        if self._as_json:
            text = table.as_json(rows, table.REFUSED if refused else "")
        else:
            text = table.as_table(rows, allow_empty=self._allow_empty)
        _write(1, sys.stdout, text)
        return 1 if refused or any(row.fails for row in rows) else 0


def _write(descriptor: int, stream: object, text: str) -> None:
    """Write all of `text`. Does nothing if `stream` was closed (None) or its reader has gone.

    Not through the stream: it would report the missing reader again when the interpreter exits.
    """
    data = text.encode("utf-8", "backslashreplace")
    try:
        while data and stream is not None:
            data = data[os.write(descriptor, data) :]
    except OSError:
        pass
