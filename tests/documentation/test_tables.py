"""The tables of the documentation have the options and the defaults of the code."""

import ast
import inspect
import re
import tomllib
from collections.abc import Callable
from typing import Any

import pytest

from asgi_health import Board, Check, Drain, HealthMiddleware, Listener, Paths, Probe

from .blocks import DOCS, ROOT

SETTINGS = (DOCS / "reference/settings.md").read_text()
NAMES = {"Paths": Paths, "Probe": Probe}
TIMES = ("slow_loop", "interval", "retry_interval", "timeout", "max_age", "delay", "stall_ready", "stall_live")
VARIABLE = re.compile(r"^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$")
"""A string that may be the name of an environment variable."""


def section(heading: str) -> str:
    """Return the text of a section of the page of settings, with those below it."""
    level = heading.partition(" ")[0]
    return re.split(rf"^#{{1,{len(level)}}} ", SETTINGS.partition(f"\n{heading}\n")[2], flags=re.MULTILINE)[0]


@pytest.mark.parametrize("described", [HealthMiddleware, Check, Paths, Drain, Listener, Board])
def test_a_table_of_options_has_each_parameter_its_default_and_its_unit(described: Callable[..., Any]) -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (?:`(.*?)`)? ?\| (\w*) ?\| \S.* \|$", section(f"## {described.__name__}"), re.MULTILINE
    )
    parameters = inspect.signature(described).parameters.values()
    assert [name for name, _, _ in rows] == [parameter.name for parameter in parameters]
    for (name, shown, unit), parameter in zip(rows, parameters, strict=True):
        default = eval(shown, NAMES.copy()) if shown else inspect.Parameter.empty
        assert default == parameter.default
        assert (unit == "seconds") == (name in TIMES)


def test_the_table_of_extras_has_each_extra_and_what_it_installs() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    rows = re.findall(r"^\| `([\w-]+)` \| (.*?) \| \S.* \|$", section("## Extras"), re.MULTILINE)
    assert [name for name, _ in rows] == [name for name in extras if name not in ("bench", "docs", "test")]
    for name, installed in rows:
        packages = [each for each in extras[name] if not each.startswith("asgi-health[")]
        assert re.findall(r"`([^`]+)`", installed) == packages


def test_the_tables_of_environment_variables_have_each_variable_that_the_package_reads() -> None:
    modules = [each.read_text() for each in (ROOT / "asgi_health").rglob("*.py")]
    read = {
        node.value
        for module in modules
        if "environ" in module
        for node in ast.walk(ast.parse(module))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and VARIABLE.fullmatch(node.value)
    }
    listed = set(re.findall(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`", section("## Environment variables")))
    proxies = {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}  # urllib reads them
    assert listed == read | proxies | {"ASGI_HEALTH"}


@pytest.mark.parametrize("page", ["README.md", "docs/reference/endpoints.md"])
def test_the_table_of_endpoints_has_the_default_paths(page: str) -> None:
    rows = re.findall(r"^\| `(/\S+)` \| `(/\S+)` \|", (ROOT / page).read_text(), re.MULTILINE)
    paths = Paths()
    assert sorted(rows) == sorted([paths.live, paths.ready, paths.startup, paths.health])  # type: ignore[type-var]
