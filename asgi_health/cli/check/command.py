"""Start a process for the app, read the steps that it writes, print the outcome."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from queue import Empty, Queue
from threading import Thread
from typing import Any, cast

from ..arguments import program
from . import table
from .line import Line

GRACE = 2.0
"""Seconds for the orderly way once the time is over, or once there is an outcome."""

INTERRUPTED = 0.5
"""Seconds for the app to end by itself at Ctrl-C, which reaches both processes."""

# The path is that of this process. Not -m: the folder that one is in would come before the standard library.
_BEGIN = "import json, sys; sys.path[:] = json.loads(sys.argv[1])['path']; " + (
    "from asgi_health.cli.check.child import start; start(sys.argv[1])"
)


def check(module: str, attribute: str, *, seconds: float, as_json: bool, verbose: bool, allow_empty: bool) -> int:
    """Return 0 when no critical check of that app fails, 1 when one does or that is not known for sure.

    All of it ends within `seconds`, or a moment later where the app does not let go. Whatever the app does to its
    process, 0 is returned only after all its checks have ended, and without any only where `allow_empty` says so.
    """
    gate = _Gate(seconds, as_json=as_json, verbose=verbose, allow_empty=allow_empty)
    given = {
        "module": module,
        "attribute": attribute,
        "seconds": seconds,
        "verbose": verbose,
        "path": [os.fspath(each) for each in sys.path],
        "argv": sys.argv,
    }
    try:
        with _started(json.dumps(given)) as process:
            return _outcome(gate, process)
    except OSError as error:
        return gate.fail(f"cannot start a process for the app: {error}")
    except KeyboardInterrupt:
        return 130


def _outcome(gate: "_Gate", process: "_Process") -> int:
    end = time.monotonic() + gate.seconds + GRACE
    while True:
        try:
            line = process.lines.get(timeout=max(end - time.monotonic(), 0.0))
        except Empty:
            process.kill()
            return gate.fail_late()
        if line is None:
            return gate.fail(process.how_it_ended(gate.doing))
        if not gate.begun:
            end = time.monotonic() + gate.seconds + GRACE  # from here on it is the app's time
        code = gate.take(_read_json(line))
        if code is not None:
            return code


def _read_json(line: bytes) -> Any:
    """Return what a line holds, None for what is no JSON: the app may write to any descriptor of its process."""
    try:
        return json.loads(line)
    except ValueError:
        return None


class _Process:
    """The app's process, and what it tells."""

    def __init__(self, given: str) -> None:
        self.lines: Queue[bytes | None] = Queue()
        """Line by line, None at the end."""
        reader, writer = os.pipe()
        try:
            self._process = subprocess.Popen(
                # As multiprocessing does: -W, -X and the like are for the app too.
                [sys.executable, *subprocess._args_from_interpreter_flags(), "-P", "-c", _BEGIN, given],  # type: ignore[attr-defined]
                stdin=subprocess.DEVNULL if sys.stdin is None else None,  # what is closed here would be taken for
                stdout=writer,  # the pipe there
                stderr=subprocess.DEVNULL if sys.stderr is None else None,
            )
        except BaseException:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        Thread(target=self._read, args=(reader,), daemon=True).start()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def leave(self, seconds: float) -> None:
        """Let it end by itself for so long."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def how_it_ended(self, doing: str) -> str:
        """Return why it tells no more."""
        try:
            code = self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            return f"the app cut the connection to this command while {doing}"
        if code < 0:
            return f"the process of the app was ended by {_signal_name(-code)} while {doing}"
        return f"the app ended its process with exit code {code} while {doing}"

    def _read(self, reader: int) -> None:
        buffer = b""
        while data := os.read(reader, 65536):
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                self.lines.put(line)
        os.close(reader)
        self.lines.put(None)


@contextmanager
def _started(given: str) -> Generator[_Process]:
    process = _Process(given)
    try:
        yield process
        process.leave(GRACE)
    except KeyboardInterrupt:
        process.leave(INTERRUPTED)
        raise
    except BaseException:
        process.leave(0.0)
        raise


class _Gate:
    """What is known of the app, and what is said of it."""

    def __init__(self, seconds: float, *, as_json: bool, verbose: bool, allow_empty: bool) -> None:
        self.seconds = seconds
        self.begun = False
        self.doing = "starting Python"
        self._as_json = as_json
        self._verbose = verbose
        self._allow_empty = allow_empty
        self._lines: list[Line] | None = None

    def take(self, step: Any) -> int | None:
        """Take note of what the process writes; return the exit code when that was its last word."""
        match step:
            case {"doing": str(doing)}:
                self.begun, self.doing = True, doing
            case {"lines": lines}:
                self._lines = [Line(**line) for line in cast("list[dict[str, Any]]", lines)]
            case {"done": True} if self._lines is not None:
                return self._say(self._lines)
            case {"late": True}:
                return self.fail_late()
            case {"interrupted": True}:
                return 130
            case {"trouble": str(trouble), "details": str(details)}:
                return self.fail(trouble, details)
            case _:
                return self.fail(f"the process of the app wrote something that is no step of it while {self.doing}")
        return None

    def fail_late(self) -> int:
        """Say that there is no more time."""
        return self.fail(f"timed out after {self.seconds:g} s while {self.doing}")

    def fail(self, trouble: str, details: str = "") -> int:
        """Say what went wrong, then what is known of the checks all the same, and return the exit code."""
        _write(2, sys.stderr, f"{details if self._verbose else ''}{program()} check: {trouble}\n")
        if self._lines is not None:
            return self._say(self._lines)
        if self._as_json:
            _write(1, sys.stdout, table.as_json([], trouble))
        return 1

    def _say(self, lines: list[Line]) -> int:
        refused = not lines and not self._allow_empty
        if self._as_json:
            text = table.as_json(lines, table.REFUSED if refused else "")
        else:
            text = table.as_table(lines, allow_empty=self._allow_empty)
        _write(1, sys.stdout, text)
        return 1 if refused or any(line.fails for line in lines) else 0


def _write(descriptor: int, stream: object, text: str) -> None:
    """Write all of `text`; nothing happens where `stream` was closed (None), or has no reader.

    Not through the stream: it would complain once more when the interpreter ends.
    """
    data = text.encode("utf-8", "backslashreplace")
    try:
        while data and stream is not None:
            data = data[os.write(descriptor, data) :]
    except OSError:
        pass


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
