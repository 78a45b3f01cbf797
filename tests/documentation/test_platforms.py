"""The snippets of docs/how-to/platforms/index.md fit the schemas that need no network, and the app of the page."""

import json
import re
from typing import Any

import botocore.session
import kubernetes_validate
import pytest
import yaml
from botocore.exceptions import ParamValidationError
from botocore.validate import validate_parameters

from asgi_health import Paths

from .blocks import ROOT

PAGE = (ROOT / "docs" / "how-to/platforms/index.md").read_text()
SNIPPETS = dict(re.findall(r"^<!-- platform: ([\w -]+) -->\n```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
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


def test_the_container_of_cloud_run_is_one_of_kubernetes() -> None:
    containers = yaml.safe_load(SNIPPETS["cloud run"])["spec"]["template"]["spec"]["containers"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        # Cloud Run takes the port of the container where none is named; Kubernetes needs one.
        containers[0][probe]["httpGet"]["port"] = 8000
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shop"}, "spec": {"containers": containers}}
    kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)


def test_each_path_is_one_that_an_app_answers_by_default() -> None:
    paths = set(re.findall(r"/health/\w+", PAGE))
    assert paths == {"/health/live", "/health/ready", "/health/startup"}
    assert paths <= set(Paths().all)


def test_each_platform_that_limits_the_stop_gives_the_drain_the_longest_request_and_the_shutdown_their_time() -> None:
    (delay,) = re.findall(r"^app = HealthMiddleware.*Drain\(delay=([\d.]+)\)", PAGE, re.MULTILINE)
    limits = re.findall(r'(?:"stopTimeout":|kill_timeout *=) "?(\d+)', PAGE)
    assert len(limits) == 3
    assert {float(limit) for limit in limits} == {float(delay) + 30 + 5}
