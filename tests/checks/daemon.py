"""A server in a process of its own. It is killed, frozen and thawed together with its child processes."""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path

from tests.support.waiting import wait_until

BOOT = 60.0  # seconds in which a server must answer
GONE = {"", "X", "Z"}  # of a process in /proc: nothing, dead, or only its result is left
UNPRIVILEGED_USER = pwd.getpwnam("nobody")  # codespell:ignore nobody


class Daemon:
    """A server that can be started again after it was killed. Linux only: /proc shows its child processes."""

    def __init__(self, name: str, command: Sequence[str], log: Path, *, as_user: Sequence[str] = ()) -> None:
        self.name = name
        self.command = [*as_user, *leash(), *command]  # after the change of the user, which clears the death signal
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, ready: Callable[[], bool]) -> None:
        with self._log.open("ab") as log:
            process = self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._log.parent,
                start_new_session=True,
            )

        def answers() -> bool:
            if process.poll() is not None:
                raise AssertionError(f"{self.name} ended with {process.returncode}\n{self._log.read_text()[-2000:]}")
            return ready()

        wait_until(answers, f"{self.name} answers", BOOT)

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL to every process of it. Frozen first, so that none forks meanwhile."""
        if self._process is None:
            return
        pids = self.freeze()
        for pid in pids:
            _signal(pid, signal.SIGKILL)
        self._process.wait()
        self._process = None
        wait_until(lambda: not any(_alive(pid) for pid in pids), f"all processes of {self.name} are gone")

    def freeze(self) -> set[int]:
        """SIGSTOP to every process of it. When this returns, none of their threads runs."""
        frozen: set[int] = set()
        while fresh := self._family() - frozen:
            for pid in fresh:
                _signal(pid, signal.SIGSTOP)
            wait_until(partial(_stopped, fresh), f"all processes of {self.name} are stopped")
            frozen |= fresh
        return frozen

    def thaw(self) -> None:
        for pid in self._family():
            _signal(pid, signal.SIGCONT)

    def _family(self) -> set[int]:
        return set() if self._process is None else {self._process.pid, *_descendants(self._process.pid)}


def unprivileged(folder: Path) -> list[str]:
    """Return the prefix of a command that must not run as root, and make its user the owner of `folder`."""
    if os.geteuid() != 0:
        return []
    os.chown(folder, UNPRIVILEGED_USER.pw_uid, UNPRIVILEGED_USER.pw_gid)
    return ["setpriv", f"--reuid={UNPRIVILEGED_USER.pw_uid}", f"--regid={UNPRIVILEGED_USER.pw_gid}", "--clear-groups"]


def leash() -> list[str]:
    """Return the prefix of a command that is killed when the tests end, even where the tests are killed."""
    return ["setpriv", "--pdeathsig=KILL"] if shutil.which("setpriv") else []


def _descendants(ancestor: int) -> set[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                # The name of the program is in parentheses, and may contain spaces and parentheses.
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue  # it has ended
    found: set[int] = set()
    while more := {pid for pid, parent in parents.items() if parent in found | {ancestor}} - found:
        found |= more
    return found


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _alive(pid: int) -> bool:
    return _state(Path("/proc") / str(pid)) not in GONE


def _stopped(pids: Collection[int]) -> bool:
    threads = [thread for pid in pids for thread in Path("/proc").glob(f"{pid}/task/*")]
    return all(_state(thread) in {"T", *GONE} for thread in threads)


def _state(place: Path) -> str:
    try:
        return (place / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
