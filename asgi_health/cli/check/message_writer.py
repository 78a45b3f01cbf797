"""Write messages from the child process to the parent, and keep the output of the app apart from them."""

import json
import os
import sys
from typing import Any


class MessageWriter:
    """Writes one JSON object per line to the stdout with which this process was started.

    From its creation on, everything else that the app, its threads and its child processes write to stdout goes to
    stderr.
    """

    def __init__(self) -> None:
        self.doing = "starting"
        self._fd: int | None = None
        try:
            self._fd = os.dup(1)
        except OSError:  # stdout was closed
            pass
        try:
            os.dup2(2, 1)
        except OSError:  # stderr was closed
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        # Otherwise what is printed would wait in a buffer, and appear after what was written to stderr later.
        reconfigure = getattr(sys.stdout, "reconfigure", None)
        if callable(reconfigure):
            reconfigure(line_buffering=True)

    def begin(self, doing: str) -> None:
        """Report the step that begins."""
        self.doing = doing
        self.write(doing=doing)

    def write(self, **message: Any) -> None:
        """Write `message`. Does nothing once the parent has closed its end."""
        data = json.dumps(message).encode() + b"\n"
        try:
            while data and self._fd is not None:
                data = data[os.write(self._fd, data) :]
        except OSError:
            self._fd = None
