"""Cleans up after a run: `keeper.py FOLDER` reads the process groups that live, and those that ended (negative), from
stdin. When that ends it kills those that live, and removes the folder.

The pipe ends when the run does, by whatever signal. A death signal of prctl would reach the children and not theirs
(granian's workers), and only on Linux.
"""

import os
import shutil
import signal
import sys


def main() -> None:
    """Wait for the end of the run, then clean up."""
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
        except (ProcessLookupError, PermissionError):  # the second: macOS, of a process that nothing waited for
            pass
    shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    main()
