"""A process that cleans up after a test however the test ends, also by a kill -9 of pytest.

Supervisors and their processes outlive the process that started them. So this one waits until its standard input is
closed, kills all processes that work in the folder or have it in their command line, and removes the folder.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TIMEOUT = 10.0  # seconds


@contextmanager
def guarded() -> Iterator[Path]:
    """Yield a folder. After the block it is removed, and all processes that work in it are killed."""
    folder = tempfile.mkdtemp(prefix="asgi-health-")
    command = [sys.executable, "-I", __file__, folder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as guard:
        yield Path(folder)
    assert guard.returncode == 0


def main(folder: Path) -> None:
    sys.stdin.read()
    end = time.monotonic() + TIMEOUT
    while pids := _pids_in(folder):  # again, because a supervisor may start a process just before it is killed
        if time.monotonic() > end:
            raise SystemExit(f"still in {folder}: {pids}")
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)
    shutil.rmtree(folder)


def _pids_in(folder: Path) -> list[int]:
    found = (each for each in Path("/proc").iterdir() if each.name.isdecimal() and int(each.name) != os.getpid())
    return [int(each.name) for each in found if _works_in(each, folder)]


def _works_in(process: Path, folder: Path) -> bool:
    try:
        if str(folder).encode() in (process / "cmdline").read_bytes():
            return True
        return (process / "cwd").readlink().is_relative_to(folder)
    except OSError:  # it has ended, or belongs to another user
        return False


if __name__ == "__main__":
    main(Path(sys.argv[1]))
