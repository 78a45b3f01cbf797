"""What holds for all tests."""

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

# The gate judges a change, not the luck of a draw: there the same examples are drawn each time. Elsewhere new ones are.
settings.register_profile("gate", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("gate")

# A job that a script starts with `&` ignores SIGINT, and so would each process that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

STARTS_SERVERS = {"rolling", "servers", "supervisors"}


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all tests that share something in one process, so that it is made once."""
    for item in items:
        if "get_server" in item.fixturenames or item.path.parent.name in STARTS_SERVERS:  # type: ignore[attr-defined]
            item.add_marker(pytest.mark.servers)
        if item.get_closest_marker("xdist_group") is None:
            for group in groups_of(item):
                item.add_marker(pytest.mark.xdist_group(group))


def groups_of(item: pytest.Item) -> Iterator[str]:
    """The parameters of fixtures that outlive a test, such as a server, and the server of a row of tests/checks."""
    callspec = getattr(item, "callspec", None)
    if callspec is None:
        return
    for name, value in callspec.params.items():
        if callspec._arg2scope[name].value != "function":  # by this pytest itself puts the tests in order
            yield f"{name} {value}"
    if "row" in callspec.params and "get_server" in item.fixturenames:  # type: ignore[attr-defined]
        yield f"{item.path.parent.name} {callspec.params['row'].server}"
