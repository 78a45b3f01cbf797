"""Whether the process that wrote a slot of the board still exists."""

import os
import sys
from dataclasses import dataclass

PROC = "/proc"


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """What tells one process from all others of this boot, also from a later one with the same number.

    Attributes:
        pid: Its number, in its own pid namespace.
        started: When it started, in clock ticks since the boot; None where no /proc says so.
        namespace: Its pid namespace; None where no /proc says so.
    """

    pid: int
    started: int | None
    namespace: str | None


def this_process() -> ProcessIdentity:
    """Return the identity of this process."""
    pid = os.getpid()
    try:
        namespace = os.readlink(f"{PROC}/self/ns/pid")
        if os.readlink(f"{PROC}/self") != str(pid):
            return ProcessIdentity(pid, None, namespace)  # this /proc numbers the processes of another namespace
    except OSError:
        return ProcessIdentity(pid, None, None)
    state_and_start = _state_and_start(pid)
    return ProcessIdentity(pid, None if state_and_start is None else state_and_start[1], namespace)


def exists(process: ProcessIdentity, own: ProcessIdentity) -> bool | None:
    """Return whether `process` exists, and None where this process cannot know.

    False is certain: a zombie does not exist, nor does a process whose number another one has now. A process of another
    pid namespace cannot be seen. One whose start time is not known may have given its number to another.

    Args:
        process: The process in question.
        own: The process that asks.
    """
    if process == own:
        return True
    if process.namespace != own.namespace or sys.platform == "win32":  # there, os.kill(pid, 0) sends a Ctrl+C
        return None
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass  # it belongs to another user, or is no number of a process
    if process.started is None or own.started is None:
        return None
    # Where /proc is mounted with hidepid, it shows no process that may not be traced, so a missing file proves nothing.
    state_and_start = _state_and_start(process.pid)
    if state_and_start is None:
        return None
    state, started = state_and_start
    return state not in (b"Z", b"X") and started == process.started


def _state_and_start(pid: int) -> tuple[bytes, int] | None:
    try:
        file = os.open(f"{PROC}/{pid}/stat", os.O_RDONLY)
        try:
            text = os.read(file, 4096)
        finally:
            os.close(file)
        # proc_pid_stat(5): the second field is the name in parentheses, which may hold spaces and parentheses itself.
        fields = text[text.rindex(b")") + 2 :].split()
        return fields[0], int(fields[19])
    except (OSError, ValueError, IndexError):
        return None
