"""The units of docs/how-to/platforms/systemd.md: verified as printed, and run with shorter times."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ..documentation.blocks import blocks
from .guard import guarded
from .namespace import SYSTEMD, NotPossible, Systemd, running_systemd
from .shop import BLOCKS, GONE, OWN
from .work import Supervised, install_app

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("systemd")]

WATCHDOG, STOP, DELAY = 3, 2, 3.5  # seconds; the drain is longer than TimeoutStopSec=
DRAINING = "draining"  # the file that drains the app

APP = """
from asgi_health import Drain
from asgi_health.integrations.systemd import Systemd

folder = Path(__file__).parent
drain = Drain(delay={delay}, file=folder / "{draining}")
app = shop(folder, listener=None, drain=drain, integrations=[Systemd()])
"""

WITH_BOARD = """
import os
import signal

from asgi_health import Board
from asgi_health.integrations.systemd import Systemd
from tests.supervisors.shop import BLOCKS

folder = Path(__file__).parent
# As one call into C that keeps the interpreter's lock.
BLOCKS["stops"] = lambda: os.kill(os.getpid(), signal.SIGSTOP)
board = Board(folder / "board.db", workers=2)
app = shop(folder, listener=None, board=board, integrations=[Systemd()])
"""

# Its exit takes longer than WatchdogSec=, after a shutdown in which it still beats.
SLOW_EXIT = """
import asyncio
import atexit
import time

from asgi_health import HealthMiddleware
from asgi_health.integrations.systemd import Systemd

async def stops_slowly(scope, receive, send):
    await receive()
    await send({{"type": "lifespan.startup.complete"}})
    await receive()
    await asyncio.sleep(1.5)
    await send({{"type": "lifespan.shutdown.complete"}})

atexit.register(time.sleep, 5.0)
app = HealthMiddleware(stops_slowly, integrations=[Systemd()])
"""


def printed(path: str) -> str:
    """Return the block that says in a comment which file it is."""
    (block,) = [block for block in blocks("ini", "how-to/platforms/systemd.md") if f"# {path}\n" in block]
    return block


UNIT = printed("/etc/systemd/system/app.service")
WORKERS = printed("/etc/systemd/system/app.service.d/workers.conf")


def require(tool: str) -> None:
    """Fail under CI where the tool is missing, and skip the test elsewhere."""
    if shutil.which(tool) is None:
        reason = f"{tool} not found; on Debian: apt-get install systemd"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.mark.parametrize("dropin", ["", WORKERS], ids=["one process", "workers"])
def test_systemd_accepts_the_unit(dropin: str, tmp_path: Path) -> None:
    require("systemd-analyze")
    command = tmp_path / ".venv" / "bin" / "uvicorn"
    command.parent.mkdir(parents=True)
    command.touch(mode=0o755)
    unit = tmp_path / "app.service"
    unit.write_text(UNIT.replace("/srv/app", str(tmp_path)))
    if dropin:
        (tmp_path / "app.service.d").mkdir()
        (tmp_path / "app.service.d" / "workers.conf").write_text(dropin.replace("/srv/app", str(tmp_path)))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False, timeout=60
    )
    # Units of other packages may be at fault too.
    assert "app.service" not in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True)
class Service(Supervised):
    """The app as a unit of systemd."""

    systemd: Systemd

    @property
    def unit(self) -> str:
        return f"{self.folder.name}.service"

    def __getitem__(self, name: str) -> str:
        return self.systemd.shown(self.unit, name)

    def wait_for(self, name: str, value: str) -> None:
        self.systemd.wait_for(self.unit, name, value)

    def systemctl(self, verb: str, *words: str) -> None:
        self.systemd.systemctl(verb, *words, self.unit)


@pytest.fixture(scope="module")
def systemd() -> Iterator[Systemd]:
    require("systemd-analyze")
    with guarded() as place:
        try:
            assert Path(SYSTEMD).exists()
            with running_systemd(place) as systemd:
                yield systemd
        except NotPossible as reason:
            pytest.skip(str(reason))


def start(systemd: Systemd, name: str, dropin: str = "", *, app: str = APP, unit: str = UNIT) -> Service:
    """Start the printed unit in a folder of its own, with shorter times."""
    folder = systemd.units.parent / name
    install_app(folder)
    with (folder / "app.py").open("a") as file:
        file.write(app.format(delay=DELAY, draining=DRAINING))
    (systemd.units / f"{name}.service").write_text(adapted(unit, folder))
    if dropin:
        (systemd.units / f"{name}.service.d").mkdir()
        (systemd.units / f"{name}.service.d" / "workers.conf").write_text(adapted(dropin, folder))
    systemd.systemctl("daemon-reload")
    service = Service(folder, systemd)
    service.systemctl("start")  # returns when it is ready
    return service


def adapted(text: str, folder: Path) -> str:
    for old, new in {
        "WatchdogSec=30": f"WatchdogSec={WATCHDOG}",
        "TimeoutStopSec=45": f"TimeoutStopSec={STOP}",
        "User=app\n": f"RestartSec=0\nStandardOutput=append:{folder}/log\nStandardError=inherit\n",
        "[Unit]\n": "[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n",
        "--workers 4": "--workers 2",
        "/run/app/app.sock": f"{folder}/{OWN}",
        "/srv/app": str(folder),
    }.items():
        text = text.replace(old, new)
    return text


def test_it_is_active_when_it_is_ready_and_its_status_says_why_it_no_longer_is(systemd: Systemd) -> None:
    service = start(systemd, "status")
    assert service["ActiveState"] == "active"
    assert service["StatusText"] == "ready"
    service.cause(GONE)
    service.wait_for("StatusText", "not ready: database")
    service.repair(GONE)
    service.wait_for("StatusText", "ready")
    time.sleep(1.5 * WATCHDOG)
    assert service["NRestarts"] == "0"


@pytest.mark.parametrize("fault", BLOCKS)
def test_a_blocked_app_that_is_not_probed_is_killed_and_started_again(systemd: Systemd, fault: str) -> None:
    service = start(systemd, fault)
    service.cause(fault)
    service.wait_for("NRestarts", "1")
    service.wait_for("ActiveState", "active")
    assert f"in _{fault.removesuffix('s').removesuffix('e')}" in service.log  # the stack at SIGABRT


def test_one_blocked_worker_of_two_has_the_service_started_again(systemd: Systemd) -> None:
    service = start(systemd, "workers", WORKERS)
    service.wait_until(lambda: len(service.pids) == 2, "both workers have started")
    time.sleep(1.5 * WATCHDOG)
    assert service["NRestarts"] == "0"
    service.cause("sleeps")
    service.wait_for("NRestarts", "1")
    service.wait_until(lambda: len(service.pids) == 4, "two new workers have started")
    service.wait_for("ActiveState", "active")


def test_with_a_board_a_worker_that_cannot_act_at_all_has_the_service_started_again(systemd: Systemd) -> None:
    # uvicorn itself replaces a worker that does not answer it for five seconds.
    patient = WORKERS.replace("--workers 4", "--workers 4 --timeout-worker-healthcheck 600")
    service = start(systemd, "board", patient, app=WITH_BOARD)  # it is ready when both workers are
    assert len(service.pids) == 2
    assert service["StatusText"] == "ready"
    service.cause("stops")
    service.wait_for("NRestarts", "1")
    service.wait_for("ActiveState", "active")


@pytest.mark.parametrize("dropin", ["", WORKERS], ids=["one process", "workers"])
def test_a_drain_that_is_longer_than_the_time_to_stop_is_not_cut_off(systemd: Systemd, dropin: str) -> None:
    service = start(systemd, "stops" if dropin else "stops-workers", dropin)
    began = time.monotonic()
    service.systemctl("stop")
    assert time.monotonic() - began > DELAY
    assert service["Result"] == "success"


def test_a_signal_from_elsewhere_makes_it_deactivating_until_the_drain_is_over(systemd: Systemd) -> None:
    service = start(systemd, "signal")
    service.systemctl("kill", "--signal=TERM")
    service.wait_for("SubState", "stop-sigterm")
    assert service["StatusText"] == "not ready: draining, then it stops"
    service.wait_for("ActiveState", "inactive")
    assert service["Result"] == "success"


def test_a_drain_without_a_signal_may_last_longer_than_the_time_to_stop_and_end_again(systemd: Systemd) -> None:
    service = start(systemd, "file")
    service.cause(DRAINING)
    service.wait_for("StatusText", "not ready: draining")
    time.sleep(1.5 * STOP)
    assert service["SubState"] == "running"
    service.repair(DRAINING)
    service.wait_for("StatusText", "ready")


def test_a_process_that_exits_slowly_is_not_taken_for_blocked(systemd: Systemd) -> None:
    # uvicorn ends by the signal itself, without the functions of atexit.
    command = f"{sys.executable} -m hypercorn --workers 0 --bind unix:/run/app/app.sock app:app"
    unit = re.sub(r"(?<=ExecStart=).*", command, UNIT).replace("TimeoutStopSec=45", "TimeoutStopSec=30")
    service = start(systemd, "slow-exit", app=SLOW_EXIT, unit=unit)
    began = time.monotonic()
    service.systemctl("stop")
    assert time.monotonic() - began > 6.0
    assert "Aborted" not in service.log
