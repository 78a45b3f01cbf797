"""What holds for all tests."""

import os

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
        group = group_of(item)
        if group and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(group))


def group_of(item: pytest.Item) -> str:
    """The server among the parameters of a test, or the one that a row or a driver of tests/checks is of."""
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    folder = item.path.parent.name
    for name in ("server", "drainer"):
        if name in parameters and not isinstance(parameters[name], type):  # one that the test starts itself
            return f"{folder} {parameters[name]}"
    if "get_server" in item.fixturenames:  # type: ignore[attr-defined]
        if "row" in parameters:
            return f"{folder} {parameters['row'].group}"
        if "driver" in parameters:
            return f"{folder} {parameters['driver']}"
    return ""
