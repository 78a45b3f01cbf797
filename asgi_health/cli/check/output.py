"""Keep stdout for the result: what the app prints, whether itself or in a thread or a child process, goes to stderr."""

import os
import sys


class Output:
    """The stdout that there was when this was made. From then on it is closed to everybody else."""

    def __init__(self) -> None:
        self._fd: int | None = None
        try:
            self._fd = os.dup(1)
        except OSError:  # it was closed
            pass
        try:
            os.dup2(2, 1)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        # A buffer would hold back what was printed until after what was written to stderr later.
        reconfigure = getattr(sys.stdout, "reconfigure", None)
        if callable(reconfigure):
            reconfigure(line_buffering=True)

    def write(self, text: str) -> None:
        """Write all of `text`; nothing happens where nobody reads."""
        data = text.encode("utf-8", "backslashreplace")
        try:
            while data and self._fd is not None:
                data = data[os.write(self._fd, data) :]
        except OSError:
            self._fd = None
