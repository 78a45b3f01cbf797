"""docs/how-to/platforms/virtual-machine.md: its files fit each other, and each program accepts its own.

tests/servers runs the configuration of gunicorn that leaves the notifications to the workers, tests/rolling HAProxy.
"""

import re
import subprocess
from pathlib import Path

import pytest

from asgi_health import Board, Drain, HealthMiddleware
from asgi_health.integrations.systemd import Systemd

from ..apps import plain_app
from ..cli.manifest import printed, tool
from ..cli.test_manifest_platforms import haproxy
from .blocks import blocks
from .test_server_pages import LONGEST_REQUEST, gunicorn_config

PAGE = "how-to/platforms/virtual-machine.md"
(UNIT,) = blocks("ini", PAGE)
(BALANCER,) = blocks("text", PAGE)
PROGRAM, CONFIGURATION = blocks("python", PAGE)


def settings(unit: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+)=(.*)$", unit, re.MULTILINE))


def app(folder: Path) -> HealthMiddleware:
    """Return an app with the drain, the board and the integration of the page."""
    return HealthMiddleware(
        plain_app, drain=Drain(delay=10.0), board=Board(folder / "health.db"), integrations=[Systemd()]
    )


def test_the_unit_has_the_settings_that_the_command_prints(tmp_path: Path) -> None:
    shown = settings(UNIT)
    made = settings(printed("systemd", app(tmp_path), target="main:app", server="gunicorn"))
    # The place and the user depend on the host.
    for place in ("Description", "WorkingDirectory", "RuntimeDirectory", "User", "ExecStart", "ExecReload"):
        shown.pop(place, None)
        made.pop(place, None)
    assert shown == made


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    command = tmp_path / ".venv" / "bin" / "gunicorn"
    command.parent.mkdir(parents=True)
    command.touch(mode=0o755)
    unit = tmp_path / "shop.service"
    unit.write_text(UNIT.replace("/srv/shop", str(tmp_path)))
    analyze = tool("systemd-analyze", "apt-get install systemd")
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False, timeout=60
    )
    assert "shop.service" not in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr


def test_the_backend_is_what_the_command_prints_and_haproxy_accepts_it(tmp_path: Path) -> None:
    text = printed("haproxy", app(tmp_path), target="main:app", server="gunicorn", hosts=["10.0.0.4", "10.0.0.5"])
    assert BALANCER in re.sub(r"^ *#.*\n", "", text, flags=re.MULTILINE)
    haproxy(text, tmp_path)


def test_the_times_of_gunicorn_fit_the_drain_the_watchdog_and_the_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "gunicorn.conf.py"
    file.write_text(CONFIGURATION)
    monkeypatch.chdir(tmp_path)
    config = gunicorn_config(["--config", str(file), "main:app"])
    (delay,) = re.findall(r"Drain\(delay=([\d.]+)\)", PROGRAM)
    assert config.graceful_timeout == float(delay) + LONGEST_REQUEST
    assert config.graceful_timeout < int(settings(UNIT)["TimeoutStopSec"])
    assert config.timeout < int(settings(UNIT)["WatchdogSec"])
    assert f"/run/{settings(UNIT)['RuntimeDirectory']}/" in PROGRAM


def test_the_lines_that_keep_gunicorn_quiet_are_those_of_the_page_of_systemd() -> None:
    (lines,) = [block for block in blocks("python", "how-to/platforms/systemd.md") if "post_fork" in block]
    assert lines.partition("def on_starting")[2] == re.sub(r"  #.*", "", CONFIGURATION).partition("def on_starting")[2]
