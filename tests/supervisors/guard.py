"""A process that clears up after a test in whatever way that ends, a kill -9 of pytest included.

Supervisors and what they start outlive those who started them: that is what they are for. So this waits until its
standard input is closed, kills all processes that work in the folder or name it in their command line, and removes it.
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

PATIENCE = 10.0


@contextmanager
def guarded() -> Iterator[Path]:
    """A folder that is gone after the block, with all who work in it."""
    folder = tempfile.mkdtemp(prefix="asgi-health-")
    command = [sys.executable, "-I", __file__, folder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as guard:
        yield Path(folder)
    assert guard.returncode == 0


def main(folder: Path) -> None:
    sys.stdin.read()
    end = time.monotonic() + PATIENCE
    while inmates := _inmates(folder):  # once more, for what a supervisor has started before its own end
        if time.monotonic() > end:
            raise SystemExit(f"still in {folder}: {inmates}")
        for pid in inmates:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)
    shutil.rmtree(folder)


def _inmates(folder: Path) -> list[int]:
    found = (each for each in Path("/proc").iterdir() if each.name.isdecimal() and int(each.name) != os.getpid())
    return [int(each.name) for each in found if _is_inmate(each, folder)]


def _is_inmate(process: Path, folder: Path) -> bool:
    try:
        if str(folder).encode() in (process / "cmdline").read_bytes():
            return True
        return (process / "cwd").readlink().is_relative_to(folder)
    except OSError:  # it has ended, or is somebody else's
        return False


if __name__ == "__main__":
    main(Path(sys.argv[1]))
