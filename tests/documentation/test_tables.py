"""The tables of the documentation have the options and the defaults of the code."""

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

from asgi_health import Check, HealthMiddleware, Paths, Probe

from .blocks import ROOT

NAMES = {"Paths": Paths, "Probe": Probe}


@pytest.mark.parametrize(
    ("page", "described"),
    [("how-to/write-a-check.md", Check), ("how-to/install.md", HealthMiddleware)],
    ids=["Check", "middleware"],
)
def test_a_table_of_options_has_each_parameter_and_its_default(page: str, described: Callable[..., Any]) -> None:
    text = (ROOT / "docs" / page).read_text()
    rows = re.findall(r"^\| `(\w+)` \| (?:`(.*?)`)? ?\|", text, re.MULTILINE)
    parameters = inspect.signature(described).parameters.values()
    assert [name for name, _ in rows] == [parameter.name for parameter in parameters]
    for (_, shown), parameter in zip(rows, parameters, strict=True):
        default = eval(shown, NAMES.copy()) if shown else inspect.Parameter.empty
        assert default == parameter.default


@pytest.mark.parametrize("page", ["README.md", "docs/reference/endpoints.md"])
def test_the_table_of_endpoints_has_the_default_paths(page: str) -> None:
    rows = re.findall(r"^\| `(/\S+)` \| `(/\S+)` \|", (ROOT / page).read_text(), re.MULTILINE)
    paths = Paths()
    assert sorted(rows) == sorted([paths.live, paths.ready, paths.startup, paths.health])  # type: ignore[type-var]
