"""The doctor reads the user's own manifest against the app: it finds the one fault of each, and no other."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from asgi_health import Check, HealthMiddleware, Listener, Paths, Probe, client_in
from asgi_health.cli.check.check_error import CheckError
from asgi_health.cli.doctor.gather import containers_of_app, layers_of
from asgi_health.cli.doctor.manifest import Container, read_manifest
from asgi_health.cli.doctor.rules import APP_RULES
from asgi_health.cli.doctor.settings import Given, settings_of

from ..apps import plain_app
from .doctor.apps import around, ping
from .doctor.examine import findings
from .doctor.manifests import CASES, HEALTHY, Case, changed
from .manifest import printed
from .test_manifest_kubernetes import APPS


def read(folder: Path, *documents: Any) -> list[Container]:
    """Return the containers of a file with these documents."""
    file = folder / "deployment.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    return read_manifest(str(file))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_finds_the_one_fault_and_no_other(case: Case, tmp_path: Path) -> None:
    app = case.app()
    containers = read(tmp_path, {"kind": "Service"}, None, changed(case.change))
    (container,) = containers_of_app(containers, layers_of(app, "shop:app"), None)
    rows = findings(app, Given(), {}, container=container)
    assert [row.rule for row in rows] == ([case.rule] if case.rule else [])
    assert all(case.says in row.what and row.why and row.cure for row in rows)


def test_each_rule_of_a_manifest_has_a_fault() -> None:
    assert {each.id for each in APP_RULES if each.id.startswith("kubernetes-")} <= {case.rule for case in CASES}


POD = HEALTHY["spec"]["template"]["spec"]


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "Pod", "metadata": {"name": "shop"}, "spec": POD},
        {"kind": "List", "items": [HEALTHY | {"kind": "StatefulSet"}]},
        HEALTHY | {"kind": "DaemonSet"},
    ],
    ids=["Pod", "List", "DaemonSet"],
)
def test_each_kind_with_a_pod_is_read(document: Any, tmp_path: Path) -> None:
    (container,) = read(tmp_path, document)
    assert container.short_name == "app"
    assert container.grace == 60.0
    assert [each.path for each in container.probes] == ["/health/live", "/readyz/", "/startupz"]


def test_of_several_containers_it_is_the_one_that_is_named_or_asks_a_path_of_the_app(tmp_path: Path) -> None:
    other = {"name": "worker", "livenessProbe": {"httpGet": {"path": "/ping", "port": 1}}}
    containers = read(tmp_path, changed(lambda pod, container: pod["containers"].insert(0, other)))
    layers = layers_of(around(), "shop:app")
    assert [each.short_name for each in containers_of_app(containers, layers, None)] == ["app"]
    assert [each.short_name for each in containers_of_app(containers, layers, "worker")] == ["worker"]
    assert containers_of_app(containers, layers, "none") == []


@pytest.mark.parametrize(
    ("change", "finds"),
    [
        ({}, True),
        ({"command": ["uvicorn", "shop:app", "--no-proxy-headers"]}, False),
        ({"command": ["uvicorn", "shop:app", "--forwarded-allow-ips=10.0.0.1"]}, False),
        ({"command": ["uvicorn", "shop:app", "--forwarded-allow-ips", "*"]}, True),
        ({"env": [{"name": "FORWARDED_ALLOW_IPS", "value": "10.0.0.1"}]}, False),
        ({"command": ["granian", "shop:app"]}, False),
        ({"command": ["gunicorn", "shop:app", "-k", "uvicorn_worker.UvicornWorker"]}, True),
    ],
)
def test_the_command_of_the_container_says_whether_a_client_chooses_its_address(
    change: dict[str, Any], finds: bool, tmp_path: Path
) -> None:
    app = around(details=client_in("10.0.0.0/8"))
    (container,) = read(tmp_path, changed(lambda pod, container: container.update(change)))
    # What this process has in its environment does not reach the container.
    rows = findings(app, Given(), {"FORWARDED_ALLOW_IPS": "" if finds else "*"}, container=container)
    assert "forwarded-address" in {row.rule for row in rows} if finds else not rows


@pytest.mark.parametrize(
    ("change", "finds"),
    [
        ({}, True),
        ({"command": ["uvicorn", "shop:app", "--port", "8123"]}, False),
        ({"command": ["gunicorn", "shop:app", "--bind=0.0.0.0:8123"]}, False),
        ({"env": [{"name": "PORT", "value": "8123"}]}, False),
        ({"command": ["uvicorn", "shop:app", "--port", "18123"]}, True),
    ],
)
def test_a_port_that_the_command_names_need_not_be_declared(
    change: dict[str, Any], finds: bool, tmp_path: Path
) -> None:
    def ask(pod: Any, container: Any) -> None:
        container["readinessProbe"]["httpGet"]["port"] = 8123
        container.update(change)

    (container,) = read(tmp_path, changed(ask))
    assert [row.rule for row in findings(around(), Given(), {}, container=container)] == ["kubernetes-port"] * finds


def test_a_finding_about_many_checks_names_the_first_ones(tmp_path: Path) -> None:
    (row,) = findings(around(*(Check(f"c{number}", ping, timeout=5.0) for number in range(100))), Given(), {})
    assert "'c7' (5 s) and 92 more is longer" in row.what


STARTUP = Check("models", ping, timeout=30.0, probes=(Probe.STARTUP,))
PRINTED: dict[str, dict[str, Any]] = APPS | {
    "checks": {"checks": [Check("orders", ping, timeout=4.5), STARTUP]},
    "checks and a listener": {"checks": [Check("orders", ping), STARTUP], "listener": Listener("0.0.0.0:9000")},
    "odd paths": {"paths": Paths(live="/li ve%20", ready="/re ady{'", startup='/"$up')},
}
OWN_FAULTS = {"short drain": {"drain-too-short"}, "drain by path": {"open-drain"}}
"""What the app itself has to change."""


@pytest.mark.parametrize("server", ["uvicorn", "hypercorn", "daphne"])
@pytest.mark.parametrize("name", PRINTED)
def test_the_manifest_that_is_printed_for_an_app_is_healthy(name: str, server: str, tmp_path: Path) -> None:
    app = HealthMiddleware(plain_app, **PRINTED[name])
    documents = yaml.safe_load_all(printed("kubernetes", app, server=server))
    (container,) = containers_of_app(read(tmp_path, *documents), layers_of(app, "shop:app"), None)
    found = {row.rule for row in findings(app, Given(), {}, container=container)}
    assert found == OWN_FAULTS.get(name, set())


def test_a_printed_manifest_says_that_a_check_takes_longer_than_a_prober_should_wait(tmp_path: Path) -> None:
    app = around(Check("orders", ping, timeout=30.0))
    text = printed("kubernetes", app)
    assert "check 'orders' and its timeout of 30 s" in " ".join(line.strip(" #") for line in text.splitlines())
    (container,) = read(tmp_path, *yaml.safe_load_all(text))
    (row,) = findings(app, Given(), {}, container=container)
    assert row.what.startswith("the timeout of 'orders' (30 s) is longer than that of the prober, 5 s")


def test_an_argument_precedes_the_manifest(tmp_path: Path) -> None:
    (container,) = read(tmp_path, HEALTHY)
    assert settings_of(Given(), {"WEB_CONCURRENCY": "9"}, container).workers == 1  # that of another machine
    given = Given(prober_timeout=9.0, period=8.0, failure_threshold=7, grace=6.0, workers=5, instances=4)
    settings = settings_of(given, {}, container)
    assert {each.timeout for each in settings.probers.values()} == {9.0}
    assert {each.notices_within for each in settings.probers.values()} >= {56.0}
    assert (settings.grace, settings.workers, settings.instances) == (6.0, 5, 4)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind: [", "is not YAML: line 1, "),
        ("kind: {{ .Values.kind }}", "is not YAML: line 1, "),
        ("kind: Service", "has no pod; expected one of DaemonSet, Deployment, Pod, "),
        ("", "has no pod"),
        ("- kind: Pod", "expected a mapping, found [{'kind': 'Pod'}]"),
        ("{kind: Pod, spec: {containers: {name: a}}}", "Pod/?: containers: expected a list, found {'name': 'a'}"),
        ("{kind: Pod, spec: {containers: [{}], terminationGracePeriodSeconds: 30s}}", "expected a number, found '30s'"),
        ("{kind: Deployment, spec: {replicas: .inf}}", "expected a number, found inf"),
        ("{kind: Deployment, spec: {replicas: .nan}}", "expected a number, found nan"),
        (f"{{kind: Deployment, spec: {{replicas: 1{'0' * 400}}}}}", "expected a number, found 1000"),
        ("kind: \x00", "is not YAML"),
    ],
)
def test_a_file_that_is_no_manifest_is_one_line(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "deployment.yaml"
    file.write_text(text)
    with pytest.raises(CheckError) as raised:
        read_manifest(str(file))
    assert str(raised.value).startswith(str(file))
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(CheckError, match=r"none\.yaml cannot be read: no such file or directory"):
        read_manifest(str(tmp_path / "none.yaml"))
