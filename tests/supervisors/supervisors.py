"""The supervisors, each with what docs/how-to/platforms/supervisors.md prints for it.

They run in the folder of a test, with shorter times.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .documented import moved, printed
from .shop import LISTENER
from .work import Supervised, write_script


@dataclass(frozen=True)
class Question:
    """The socket and the path that the supervisor asks."""

    name: str
    socket: str = LISTENER
    target: str = "/livez"

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Supervisor:
    name: str
    package: str  # its name in Debian
    programs: tuple[str, ...]
    configure: Callable[[Path, Question], list[str]]
    """Write its configuration into the folder and return the command that starts it."""
    good_answers: Callable[[Supervised], int]
    """Return the number of good answers so far."""

    def __str__(self) -> str:
        return self.name

    @property
    def missing(self) -> list[str]:
        """The programs that are not installed."""
        return [name for name in self.programs if shutil.which(name) is None]


# The configuration of the supervisors themselves. Monit's cycles are two minutes long by default.
MONITRC = """
set daemon 1
set pidfile {folder}/monit.pid
set statefile {folder}/monit.state
set idfile {folder}/monit.id
include {folder}/monit.app
"""
SUPERVISORD_CONF = """
[unix_http_server]
file={folder}/supervisor.sock
[supervisord]
nodaemon=true
logfile=/dev/stdout
logfile_maxbytes=0
pidfile={folder}/supervisord.pid
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{folder}/supervisor.sock
[include]
files=app.conf
"""
# The times of the program that asks liveness.
LOOP = {"sleep 10": "sleep 0.2", "--timeout 30": "--timeout 10"}


def monit(folder: Path, question: Question) -> list[str]:
    lines = _adapted(
        printed("/etc/monit/conf.d/app"),
        folder,
        question,
        # Monit asks for the first time after its timeout for the start.
        {
            "with timeout 60 seconds\n    stop": "with timeout 10 seconds\n    stop",
            "with timeout 5 seconds": "with timeout 2 seconds",
            "TERM/30": "TERM/1",
        },
    )
    (folder / "monit.app").write_text(lines)
    control = folder / "monitrc"
    control.write_text(MONITRC.format(folder=folder))
    control.chmod(0o600)  # monit refuses any other mode
    return ["monit", "-I", "-v", "-c", str(control)]


def supervisord(folder: Path, question: Question) -> list[str]:
    lines = _adapted(
        printed("/etc/supervisor/conf.d/app.conf"), folder, question, {"stopwaitsecs=30": "stopwaitsecs=1"}
    )
    (folder / "app.conf").write_text(lines)
    (folder / "liveness.sh").write_text(_adapted(printed("/srv/app/liveness.sh"), folder, question, LOOP))
    # supervisorctl finds this file in its working directory.
    (folder / "supervisord.conf").write_text(SUPERVISORD_CONF.format(folder=folder))
    return ["supervisord", "-c", str(folder / "supervisord.conf")]


def runit(folder: Path, question: Question) -> list[str]:
    scripts = {"app/run": {}, "app-liveness/run": LOOP | {"sv -w 30": "sv -w 1"}}
    for name, times in scripts.items():
        path = folder / "service" / name
        path.parent.mkdir(parents=True)
        write_script(path, _adapted(printed(f"/etc/service/{name}"), folder, question, times))
    return ["env", f"SVDIR={folder}/service", "runsvdir", f"{folder}/service"]


def _adapted(text: str, folder: Path, question: Question, times: dict[str, str]) -> str:
    """Return the text with the folder of the test, its shorter times and its question."""
    for old, new in times.items():
        assert text.count(old) == 1, f"{old!r} does not occur exactly once\n{text}"
        text = text.replace(old, new)
    text = text.replace(f"/run/app/{LISTENER}", f"/run/app/{question.socket}").replace("/livez", question.target)
    return moved(text, folder)


def _by_its_log(app: Supervised) -> int:
    return app.log.count("succeeded testing protocol [HTTP]")


def _by_the_command(app: Supervised) -> int:
    return sum(probe.startswith("0 probe ") for probe in app.probes)


MONIT = Supervisor("monit", "monit", ("monit", "/sbin/start-stop-daemon"), monit, _by_its_log)
SUPERVISORD = Supervisor("supervisord", "supervisor", ("supervisord", "supervisorctl"), supervisord, _by_the_command)
RUNIT = Supervisor("runit", "runit", ("runsvdir", "sv"), runit, _by_the_command)
