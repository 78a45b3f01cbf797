"""Clean up after a run: `cleanup.py FOLDER` reads from stdin the process groups that started, and those that ended
(negative). At the end of stdin it kills those that still run, and removes the folder.

The pipe ends when the run does, by any signal. A death signal of prctl would reach the children but not their children
(granian's workers), and exists only on Linux.
"""

import os
import shutil
import signal
import sys


def main() -> None:
    """Wait until stdin ends, then clean up."""
    alive: set[int] = set()
    for line in sys.stdin:
        group = int(line)
        if group > 0:
            alive.add(group)
        else:
            alive.discard(-group)
    for group in alive:
        try:
            os.killpg(group, signal.SIGKILL)
        except (
            ProcessLookupError,
            PermissionError,
        ):  # PermissionError: an ended process of macOS
            pass
    shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    main()
