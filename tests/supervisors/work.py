"""An app that a supervisor has started. The test asks it, and makes it fail, through files in its folder."""

import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..servers.process import ROOT
from ..servers.wire import ask
from ..support.waiting import wait_until
from . import reap
from .shop import LISTENER, STARTS

SCRIPTS = Path(sysconfig.get_path("scripts"))
TIMEOUT = 60.0  # seconds
PROBES = "probes"  # the file with the exit code of each run of `asgi-health`, one per line

APP = """
import sys
from pathlib import Path

sys.path.insert(0, {root!r})  # a supervisor does not pass the environment on

from {package}.shop import shop

app = shop(Path(__file__).parent)
"""
COMMAND = """#!/bin/sh
{command} "$@"
code=$?
echo "$code $*" >>{probes}
exit $code
"""


@dataclass(frozen=True)
class Supervised:
    """An app and its supervisor, both in one folder: /srv/app and /run/app of docs/how-to/platforms/supervisors.md."""

    folder: Path

    @property
    def pids(self) -> list[int]:
        """The pids of all processes of the app so far, the present one last."""
        file = self.folder / STARTS
        return [int(line) for line in file.read_text().split()] if file.exists() else []

    @property
    def log(self) -> str:
        """The output of the supervisor."""
        return (self.folder / "log").read_text()

    @property
    def probes(self) -> list[str]:
        file = self.folder / PROBES
        return file.read_text().splitlines() if file.exists() else []

    def cause(self, name: str) -> None:
        """Make the app fail in the way of that name."""
        (self.folder / name).touch()

    def repair(self, name: str) -> None:
        (self.folder / name).unlink()

    def status(self, target: str, socket: str = LISTENER) -> int | None:
        """Return the status of the answer, None if there is none."""
        try:
            return ask(str(self.folder / socket), "GET", target).status
        except OSError:
            return None

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        try:
            wait_until(condition, what, TIMEOUT)
        except AssertionError as error:
            # Monit reports in each cycle which processes it is not allowed to read.
            lines = [line for line in self.log.splitlines() if "cannot read" not in line.lower()]
            raise AssertionError("\n".join([str(error), *lines[-40:]])) from None

    def wait_for_status(self, target: str, status: int) -> None:
        self.wait_until(lambda: self.status(target) == status, f"{target} is {status}")


def install_app(folder: Path) -> None:
    """Write an app and its environment into `folder`."""
    folder.mkdir()
    (folder / "app.py").write_text(APP.format(root=str(ROOT), package=__package__))
    commands = folder / ".venv" / "bin"
    commands.mkdir(parents=True)
    (commands / "uvicorn").symlink_to(SCRIPTS / "uvicorn")
    write_script(
        commands / "asgi-health",
        COMMAND.format(probes=folder / PROBES, command=SCRIPTS / "asgi-health"),
    )


@contextmanager
def supervised(folder: Path, command: list[str]) -> Iterator[Supervised]:
    """Run the app of `folder` under the supervisor that `command` starts. The app may outlive the block."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-I", reap.__file__, *command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Supervised(folder)
        assert process.poll() is None, f"the supervisor has ended with {process.returncode}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def write_script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
