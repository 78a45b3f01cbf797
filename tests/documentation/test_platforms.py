"""The snippets of docs/how-to/platforms fit the schemas that need no network, and the times that the pages say."""

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import botocore.session
import kubernetes_validate
import pytest
import yaml
from botocore.exceptions import ParamValidationError
from botocore.validate import validate_parameters

from asgi_health import Listener, Paths, Probe
from asgi_health.cli.doctor.prober import BY_DEFAULT

from .blocks import BLOCKS, DOCS, Block

PAGES = {page.stem: page.read_text() for page in sorted((DOCS / "how-to/platforms").glob("*.md"))}
SNIPPETS = dict(
    re.findall(r"^<!-- platform: ([\w -]+) -->\n```\w+\n(.*?)^```$", "".join(PAGES.values()), re.MULTILINE | re.DOTALL)
)
OPERATIONS = {
    "ecs register-task-definition": ("ecs", "RegisterTaskDefinition"),
    "elbv2 create-target-group": ("elbv2", "CreateTargetGroup"),
}


def accept_by_aws(snippet: str, parameters: dict[str, Any]) -> None:
    service, operation = OPERATIONS[snippet]
    model = botocore.session.Session().get_service_model(service).operation_model(operation)
    validate_parameters(parameters, model.input_shape)


@pytest.mark.parametrize("snippet", OPERATIONS)
def test_the_api_of_aws_takes_the_parameters_and_refuses_unknown_ones(snippet: str) -> None:
    parameters = json.loads(SNIPPETS[snippet])
    accept_by_aws(snippet, parameters)
    with pytest.raises(ParamValidationError):
        accept_by_aws(snippet, parameters | {"unknown": 1})


PARTS = [
    block
    for block in BLOCKS
    if block.language == "yaml" and re.search(r"^\s*(?:kind|lifecycle|annotations|\w+Probe):", block.text, re.MULTILINE)
]
"""Manifests of Kubernetes, and parts of a container or a pod."""


def as_manifest(part: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest: the part itself, or a pod around it."""
    if part.get("kind") == "Service":  # of Cloud Run
        part = part["spec"]["template"]["spec"]["containers"][0]
        for key in part:
            if key.endswith("Probe"):
                # Cloud Run takes the port of the container where none is named; Kubernetes needs one.
                part[key]["httpGet"]["port"] = 8000
    if "kind" in part:
        return part
    metadata = part.pop("metadata", {})
    container = {"name": "app", "image": "app"} | part
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "app"} | metadata,
        "spec": {"containers": [container]},
    }


@pytest.mark.parametrize("block", PARTS, ids=str)
def test_kubernetes_accepts_each_part_of_a_pod(block: Block) -> None:
    manifest = as_manifest(yaml.safe_load(block.text))
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def probes_in(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each probe of Kubernetes that `value` has anywhere, with its name."""
    if isinstance(value, dict):
        for key, below in value.items():
            if key.endswith("Probe"):
                yield key, below
            yield from probes_in(below)
    elif isinstance(value, list):
        for each in value:
            yield from probes_in(each)


@pytest.mark.parametrize("block", PARTS, ids=str)
def test_each_page_gives_a_probe_the_failures_of_the_printed_manifest(block: Block) -> None:
    expected = {f"{probe.value}Probe": BY_DEFAULT[probe].failure_threshold for probe in BY_DEFAULT}
    del expected["startupProbe"]  # depends on the start of the app
    # An excerpt may end before it.
    found = {name: probe.get("failureThreshold") for name, probe in probes_in(yaml.safe_load(block.text))}
    assert {name for name, number in found.items() if number not in (None, expected.get(name, number))} == set()


def test_the_doctor_assumes_the_probes_of_the_page_of_kubernetes() -> None:
    (block,) = [block for block in PARTS if block.page.endswith("kubernetes.md") and "readinessProbe" in block.text]
    shown = yaml.safe_load(block.text)
    for probe in (Probe.LIVENESS, Probe.READINESS):
        numbers, assumed = shown[f"{probe.value}Probe"], BY_DEFAULT[probe]
        assert (numbers["periodSeconds"], numbers["failureThreshold"]) == (assumed.period, assumed.failure_threshold)
    assert shown["readinessProbe"]["timeoutSeconds"] == BY_DEFAULT[Probe.READINESS].timeout


def test_the_page_of_kubernetes_says_after_how_many_seconds_a_blocked_loop_is_noticed() -> None:
    shown = yaml.safe_load(
        re.findall(r"^startupProbe:\n.*?(?=^```$)", PAGES["kubernetes"], re.MULTILINE | re.DOTALL)[0]
    )
    ready, live = shown["readinessProbe"], shown["livenessProbe"]
    (row,) = re.findall(r"^\| the event loop is blocked \| (.*) \|$", PAGES["kubernetes"], re.MULTILINE)
    # No answer at the port of the app; at the listener 503, once the loop has been blocked for stall_live.
    for probe, added in ((ready, ready["timeoutSeconds"]), (live, Listener("0.0.0.0:9000").stall_live)):
        latest = probe["failureThreshold"] * probe["periodSeconds"]
        assert f"after {latest - probe['periodSeconds'] + added:g} to {latest + added:g} s" in row


CHECK = ("path", "interval", "timeout")
DOCUMENTED = {
    "fly": {
        *("app", "kill_signal", "kill_timeout", "http_service.internal_port"),
        *(f"http_service.checks.{key}" for key in (*CHECK, "method", "grace_period")),
        *(f"checks.*.{key}" for key in (*CHECK, "type", "port", "grace_period")),
    },
    "traefik": {
        *("http.routers.*.rule", "http.routers.*.service"),
        *("http.services.*.loadbalancer.servers.url", "http.services.*.loadbalancer.server.port"),
        *(f"http.services.*.loadbalancer.healthcheck.{key}" for key in (*CHECK, "status")),
    },
}
"""The keys of two files that no tool on this machine validates, from the documentation that their pages link to."""


def keys_of(value: Any, above: str = "") -> Iterator[str]:
    """Yield the path of each value, where `*` is a name that the user chooses."""
    if isinstance(value, dict):
        for key, below in value.items():
            chosen = above in ("checks", "http.routers", "http.services")
            yield from keys_of(below, f"{above}.{'*' if chosen else key.lower()}".lstrip("."))
    elif isinstance(value, list):
        for each in value:
            yield from keys_of(each, above)
    else:
        yield above


def test_each_key_of_fly_and_traefik_is_documented() -> None:
    assert {*keys_of(tomllib.loads(SNIPPETS["fly"]))} <= DOCUMENTED["fly"]
    assert {*keys_of(yaml.safe_load(SNIPPETS["traefik"]))} <= DOCUMENTED["traefik"]
    labels = yaml.safe_load(SNIPPETS["traefik labels"])["services"]["shop"]["labels"]
    paths = {re.sub(r"^traefik\.(http\.\w+)\.\w+", r"\1.*", label.partition("=")[0]) for label in labels}
    assert len(paths) == len(labels)
    assert paths <= DOCUMENTED["traefik"]


def test_each_path_is_one_that_an_app_answers_by_default() -> None:
    paths = set(re.findall(r"/health/\w+", "".join(SNIPPETS.values())))
    assert paths == {"/health/live", "/health/ready", "/health/startup"}
    assert paths <= set(Paths().all)


NUMBERS = {
    "haproxy": (r"inter (\d+)000ms fall (\d+)", 10),
    "envoy": (r" interval: (\d+)s()", 10),  # a 503 counts at once
    "caddy": (r"health_interval (\d+)s()", 10),
    "traefik": (r" interval: (\d+)s()", 10),
    "consul": (r'"interval": "(\d+)s".*?"failures_before_critical": (\d+)', 10),
    "nomad": (r'interval += "(\d+)s".*?failures_before_critical = (\d+)', 10),
    "fly": (r'interval = "(\d+)s"()', 10),
    "kubernetes": (r"readinessProbe:.*?periodSeconds: (\d+).*?failureThreshold: (\d+)", 10 - 2),  # 2 s for endpoints
    "cloud-run": (r"readinessProbe:.*?periodSeconds: (\d+).*?failureThreshold: (\d+)", 4),
    "compose": (r"interval: (\d+)s.*?retries: (\d+)", None),  # takes nothing out
}
"""Period and failures in the snippet of a page that asks readiness, and the seconds that the drain leaves for them."""


@pytest.mark.parametrize("page", NUMBERS)
def test_a_page_says_after_how_many_seconds_a_503_is_noticed_and_the_drain_is_longer(page: str) -> None:
    pattern, delay = NUMBERS[page]
    match = re.search(pattern, PAGES[page], re.DOTALL)
    assert match is not None
    period, failures = int(match[1]), int(match[2] or 1)
    (row,) = re.findall(r"^\| a check of the app fails, readiness turns 503 \| (.*) \|$", PAGES[page], re.MULTILINE)
    assert f"after {(failures - 1) * period} to {failures * period} s" in row
    # A probe may have been answered right before the drain began.
    assert delay is None or (failures + 1) * period <= delay


def test_each_platform_that_limits_the_stop_gives_the_drain_the_longest_request_and_the_shutdown_their_time() -> None:
    limits = re.findall(
        r'(?:"stopTimeout":|kill_timeout *=|stop_grace_period:) "?(\d+)',
        "".join([*SNIPPETS.values(), PAGES["compose"]]),
    )
    assert len(limits) >= 4
    assert {int(limit) for limit in limits} == {10 + 30 + 5}


@pytest.mark.parametrize("page", sorted({*PAGES} - {"index"}))
def test_a_page_ends_with_what_the_platform_does_not_do(page: str) -> None:
    headings = re.findall(r"^## (.+)$", PAGES[page], re.MULTILINE)
    assert re.match(r"What .+ do(?:es)? not do$", headings[-1])
