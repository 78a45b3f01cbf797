"""Run a command and wait for all processes that it leaves behind, which process 1 of a container often does not do.

Otherwise they stay as zombies when they end, and start-stop-daemon takes a zombie for a running process.
"""

import ctypes
import os
import subprocess
import sys

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def main(command: list[str]) -> int:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    process = subprocess.Popen(command)
    while True:
        pid, status = os.wait()
        if pid == process.pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
