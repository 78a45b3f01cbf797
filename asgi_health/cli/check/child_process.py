"""The process in which the app runs, as seen from the command that starts it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from queue import Queue
from threading import Thread
from typing import Any, cast

EXIT_TIMEOUT = 2.0
"""Seconds for the child to exit by itself after its last message, before it is killed."""

INTERRUPT_TIMEOUT = 0.5
"""Seconds for the child to exit by itself after Ctrl-C, which reaches both processes, before it is killed."""

# Not -m: it would put the folder of the module in front of the standard library. sys.path is that of this process.
_PROGRAM = "import json, sys; sys.path[:] = json.loads(sys.argv[1])['path']; from {} import start; start(sys.argv[1])"


class ChildProcess:
    """A running child.

    Attributes:
        messages: The lines that the child writes, and None after the last one.
    """

    def __init__(self, main: str, options: Mapping[str, Any]) -> None:
        self.messages: Queue[bytes | None] = Queue()
        arguments = {**options, "path": [os.fspath(entry) for entry in sys.path], "argv": sys.argv}
        # Private, but the only way to pass on -W, -X and other flags of the interpreter. multiprocessing does so too.
        flags = cast("list[str]", subprocess._args_from_interpreter_flags())  # type: ignore[attr-defined]
        reader, writer = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, *flags, "-P", "-c", _PROGRAM.format(main), json.dumps(arguments)],
                # If a standard stream is closed here, the pipe could get its number, and the child would use the pipe.
                stdin=subprocess.DEVNULL if sys.stdin is None else None,
                stdout=writer,
                stderr=subprocess.DEVNULL if sys.stderr is None else None,
            )
        except BaseException:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        Thread(target=self._read_messages, args=(reader,), daemon=True).start()

    def kill(self) -> None:
        """Kill the child."""
        self._process.kill()

    def wait_or_kill(self, seconds: float) -> None:
        """Wait until the child has exited; kill it if that takes longer than `seconds`."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def explain_silence(self, doing: str) -> str:
        """Return why the child writes no more messages; `doing` is the step that it had begun."""
        try:
            code = self._process.wait(EXIT_TIMEOUT)
        except subprocess.TimeoutExpired:
            return f"the app closed its connection to this command while {doing}"
        if code < 0:
            return f"the app's process was killed by {_signal_name(-code)} while {doing}"
        return f"the app ended its process with exit code {code} while {doing}"

    def _read_messages(self, reader: int) -> None:
        buffer = b""
        while data := os.read(reader, 65536):
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                self.messages.put(line)
        os.close(reader)
        self.messages.put(None)


@contextmanager
def child_process(main: str, options: Mapping[str, Any]) -> Generator[ChildProcess]:
    """Start a child, and make sure that it has ended after the block.

    Args:
        main: Name of the module whose function `start` runs in the child.
        options: What `start` gets, as JSON.
    """
    process = ChildProcess(main, options)
    try:
        yield process
        process.wait_or_kill(EXIT_TIMEOUT)
    except KeyboardInterrupt:
        process.wait_or_kill(INTERRUPT_TIMEOUT)
        raise
    except BaseException:
        process.wait_or_kill(0.0)
        raise


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
