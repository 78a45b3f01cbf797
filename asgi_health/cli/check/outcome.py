"""Start a child process, read its messages until it has reported the outcome or its time is over, and print that."""

import json
import sys
import time
from collections.abc import Mapping
from queue import Empty
from typing import Any, Protocol

from ..arguments import program
from ..output import write
from .child_process import EXIT_TIMEOUT, ChildProcess, child_process

Rows = list[dict[str, Any]]
"""The results that the child reports, as JSON."""


class Results(Protocol):
    """The results of one command, as it prints them."""

    @property
    def known(self) -> bool:
        """Whether the child has reported them."""
        ...

    @property
    def passed(self) -> bool:
        """Whether the command succeeds."""
        ...

    def read(self, rows: Rows) -> None:
        """Take what the child reports."""
        ...

    def text(self) -> str:
        """Return what is printed on stdout."""
        ...

    def text_without_results(self, error: str) -> str:
        """Return what is printed on stdout when there are no results because of `error`, which stderr shows."""
        ...


def run_child(
    command: str, main: str, options: Mapping[str, Any], results: Results, *, seconds: float, verbose: bool
) -> int:
    """Return the exit code of a command whose work is done by a child process.

    Whatever the app does to its process, it is 0 only if the child has reported results that pass. All of it ends
    within `seconds`, or `EXIT_TIMEOUT` later if the app does not exit by itself.

    Args:
        command: Name of the command, for errors.
        main: Name of the module that runs in the child.
        options: What it gets.
        results: Takes its results.
        seconds: Seconds for all of it; the child gets them too.
        verbose: Whether tracebacks are printed; the child gets it too.
    """
    outcome = _Outcome(command, results, seconds, verbose=verbose)
    try:
        with child_process(main, {**options, "seconds": seconds, "verbose": verbose}) as process:
            return _read_outcome(outcome, process)
    except OSError as error:
        return outcome.fail(f"cannot start a process for the app: {error}")
    except KeyboardInterrupt:
        return 130


def _read_outcome(outcome: "_Outcome", process: ChildProcess) -> int:
    exit_deadline = time.monotonic() + outcome.seconds + EXIT_TIMEOUT
    while True:
        try:
            line = process.messages.get(timeout=max(exit_deadline - time.monotonic(), 0.0))
        except Empty:
            process.kill()
            return outcome.fail_timed_out()
        if line is None:
            return outcome.fail(process.explain_silence(outcome.doing))
        if not outcome.python_started:
            # The start of Python is not the app's time.
            exit_deadline = time.monotonic() + outcome.seconds + EXIT_TIMEOUT
        code = outcome.read_message(_parse_json(line))
        if code is not None:
            return code


def _parse_json(line: bytes) -> Any:
    """Return the value of a line, None if it is not JSON: the app may write to any descriptor of its process."""
    try:
        return json.loads(line)
    except ValueError:
        return None


class _Outcome:
    """Collects the messages of the child, prints the outcome and decides the exit code."""

    def __init__(self, command: str, results: Results, seconds: float, *, verbose: bool) -> None:
        self.seconds = seconds
        self.python_started = False
        self.doing = "starting Python"
        self._command = command
        self._results = results
        self._verbose = verbose

    def read_message(self, message: Any) -> int | None:
        """Take note of `message`; return the exit code if it is the last one."""
        match message:
            case {"doing": str(doing)}:
                self.python_started, self.doing = True, doing
            case {"rows": rows}:
                try:
                    self._results.read(rows)
                except (AttributeError, KeyError, TypeError, ValueError):  # not those of the child's program
                    return self._fail_unexpected()
            case {"done": True} if self._results.known:
                return self._print_results()
            case {"timed_out": True}:
                return self.fail_timed_out()
            case {"interrupted": True}:
                return 130
            case {"error": str(error), "details": str(details)}:
                return self.fail(error, details)
            case _:
                return self._fail_unexpected()
        return None

    def _fail_unexpected(self) -> int:
        return self.fail(f"the app's process wrote an unexpected message while {self.doing}")

    def fail_timed_out(self) -> int:
        """Report that the time is over, and return the exit code."""
        return self.fail(f"timed out after {self.seconds:g} s while {self.doing}")

    def fail(self, error: str, details: str = "") -> int:
        """Report `error`, then the results if there are any, and return the exit code."""
        write(2, sys.stderr, f"{details if self._verbose else ''}{program()} {self._command}: {error}\n")
        if self._results.known:
            return self._print_results()
        write(1, sys.stdout, self._results.text_without_results(error))
        return 1

    def _print_results(self) -> int:
        write(1, sys.stdout, self._results.text())
        return 0 if self._results.passed else 1
