"""Kubernetes takes each block of the pages that has probes of a container; it refuses unknown keys."""

from typing import Any

import kubernetes_validate
import pytest
import yaml

from .blocks import BLOCKS, Block

PROBES = {"startupProbe", "livenessProbe", "readinessProbe"}


def container_of(block: Block) -> Any:
    found = yaml.safe_load(block.text) if block.language == "yaml" else None
    return found if isinstance(found, dict) and PROBES & {*found} else None


@pytest.mark.parametrize("block", [block for block in BLOCKS if container_of(block)], ids=str)
def test_kubernetes_takes_the_probes_of_a_page(block: Block) -> None:
    container = {"name": "shop", "image": "shop:1", **container_of(block)}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shop"}, "spec": {"containers": [container]}}
    kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)
