"""What holds for all tests."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# The gate judges a change, not the luck of a draw: there the same examples are drawn each time. Elsewhere new ones are.
settings.register_profile("gate", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("gate")

STARTS_SERVERS = {"rolling", "servers", "supervisors"}


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all tests of one real server in one process, so that the server is started once."""
    for item in items:
        if "get_server" in item.fixturenames or item.path.parent.name in STARTS_SERVERS:  # type: ignore[attr-defined]
            item.add_marker(pytest.mark.servers)
        if item.get_closest_marker("xdist_group") is None:
            for group in groups_of(item):
                item.add_marker(pytest.mark.xdist_group(group))


def groups_of(item: pytest.Item) -> Iterator[str]:
    """The server among the parameters of a test, or the one that a row of tests/checks names."""
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    folder = item.path.parent.name
    for name in ("server", "drainer"):
        if isinstance(parameters.get(name), str):
            yield f"{folder} {parameters[name]}"
    if "get_server" in item.fixturenames:  # type: ignore[attr-defined]
        if "row" in parameters:
            yield f"{folder} {parameters['row'].server}"
        elif "driver" in parameters:
            yield f"{folder} {parameters['driver']}"
