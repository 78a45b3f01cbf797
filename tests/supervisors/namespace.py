"""systemd as the first process of namespaces of its own: it sees none of the units and processes of the host."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..support.waiting import wait_until

SYSTEMD = "/lib/systemd/systemd"

# The cgroup is left to the namespace that is made next, so that systemd finds an empty tree.
OUTSIDE = """
echo $$ >{cgroup}/cgroup.procs
exec unshare --mount --pid --cgroup --uts --ipc --fork --kill-child sh {folder}/inside
"""
INSIDE = """
set -e
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
export container=test SYSTEMD_UNIT_PATH={folder}/units
exec {systemd} --system --unit=tests.target --log-target=null --show-status=no
"""
TARGET = "[Unit]\nDefaultDependencies=no\n"


class NotPossible(Exception):
    """This machine does not let a test start systemd; the text says why."""


@dataclass(frozen=True)
class Systemd:
    """A running systemd.

    Attributes:
        units: The folder of its units.
        enter: The command that executes the one that follows it in the namespaces.
    """

    units: Path
    enter: tuple[str, ...]

    def systemctl(self, *words: str) -> str:
        """Return the output of systemctl, which must succeed."""
        done = subprocess.run(
            [*self.enter, "systemctl", "--no-pager", *words], capture_output=True, text=True, check=False, timeout=90
        )
        assert done.returncode == 0, f"systemctl {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def shown(self, unit: str, name: str) -> str:
        """Return one property of a unit."""
        return self.systemctl("show", unit, "--value", "--property", name).strip()

    def wait_for(self, unit: str, name: str, value: str) -> None:
        """Return when a property of a unit has this value."""

        def described() -> str:
            return f"{unit}: {name} is {value}\n{self.systemctl('show', unit)}"

        wait_until(lambda: self.shown(unit, name) == value, described)


@contextmanager
def running_systemd(folder: Path) -> Iterator[Systemd]:
    """Start systemd, and kill it with all its processes at the end of the block. Raises NotPossible."""
    if os.geteuid() != 0:
        raise NotPossible("only root may start systemd in namespaces")
    cgroup = _make_cgroup(folder.name)
    (folder / "units").mkdir()
    (folder / "units" / "tests.target").write_text(TARGET)
    (folder / "inside").write_text(INSIDE.format(folder=folder, systemd=SYSTEMD))
    outside = OUTSIDE.format(cgroup=cgroup, folder=folder)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["sh", "-c", outside], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield _wait_for_start(process, folder)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_until(lambda: _is_removed(cgroup), "its processes are gone")


def _make_cgroup(name: str) -> Path:
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    found = [Path(words[1]) for words in mounts if words[2] == "cgroup2"]
    if not found or shutil.which("unshare") is None or shutil.which("nsenter") is None:
        raise NotPossible("there is no cgroup2, no unshare or no nsenter")
    cgroup = found[0] / name
    try:
        cgroup.mkdir()
    except OSError as error:
        raise NotPossible(f"no cgroup can be made: {error}") from None
    return cgroup


def _wait_for_start(process: "subprocess.Popen[bytes]", folder: Path) -> Systemd:
    systemd: Systemd | None = None

    def has_started() -> bool:
        nonlocal systemd
        if process.poll() is not None:
            raise NotPossible(f"the namespaces cannot be made: {(folder / 'log').read_text()}")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        if not children:
            return False
        systemd = Systemd(folder / "units", ("nsenter", "-t", children[0], "-m", "-p", "-C", "-u", "-i"))
        done = subprocess.run(
            [*systemd.enter, "systemctl", "is-active", "tests.target"], capture_output=True, check=False
        )
        return done.returncode == 0

    wait_until(has_started, lambda: f"systemd has started\n{(folder / 'log').read_text()}")
    assert systemd is not None
    return systemd


def _is_removed(cgroup: Path) -> bool:
    if not cgroup.exists():
        return True
    for folder, _, _ in os.walk(cgroup, topdown=False):
        try:
            os.rmdir(folder)
        except OSError:  # a process has not ended yet
            return False
    return True
