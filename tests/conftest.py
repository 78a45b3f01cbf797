"""What holds for all tests."""

import os
import signal

import pytest
from hypothesis import settings

# The gate judges a change, not the luck of a draw: there the same examples are drawn each time. Elsewhere new ones are.
settings.register_profile("gate", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("gate")

# A job that a script starts with `&` ignores SIGINT, and so would each process that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

STARTS_PROCESSES = {"benchmarks", "cli", "rolling", "servers", "supervisors"}


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all tests that share something in one process, so that it is made once."""
    for item in items:
        if "get_server" in item.fixturenames or item.path.parent.name in STARTS_PROCESSES:  # type: ignore[attr-defined]
            item.add_marker(pytest.mark.processes)
        group = group_of(item)
        if group and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(group))


def group_of(item: pytest.Item) -> str:
    """The server of a row or driver of tests/checks; elsewhere the parameters of fixtures that outlive a test."""
    callspec = getattr(item, "callspec", None)
    if callspec is None:
        return ""
    if "get_server" in item.fixturenames:  # type: ignore[attr-defined]
        if "row" in callspec.params:
            return f"checks {callspec.params['row'].group}"
        for name in ("driver", "server"):
            if name in callspec.params:
                return f"checks {callspec.params[name]}"
    # By these scopes pytest itself puts the tests in order.
    shared = [name for name in callspec.params if callspec._arg2scope[name].value != "function"]
    return " ".join(f"{name} {callspec.params[name]}" for name in shared)
