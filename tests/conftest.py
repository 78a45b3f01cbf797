"""Settings and hooks for all tests."""

import gc
import os
import signal
from collections.abc import Generator

import pytest
from hypothesis import settings

from .support.app_thread import forget_threads

# In the gate Hypothesis draws the same examples each time, so that a failure is due to the change.
settings.register_profile("gate", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("gate")

# A job that a script starts with `&` ignores SIGINT, and its children inherit that: a test could not interrupt them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

STARTS_PROCESSES = {"benchmarks", "cli", "page", "rolling", "servers", "site", "supervisors"}


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without the garbage collector, which would visit a million lasting objects again and again.

    They are frozen, so that a `gc.collect()` of a test does not visit them either.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that start processes, and group those that share a server, so that it starts once."""
    for item in items:
        if "get_server" in item.fixturenames or item.path.parent.name in STARTS_PROCESSES:  # type: ignore[attr-defined]
            item.add_marker(pytest.mark.processes)
        group = group_of(item)
        if group and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(group))


@pytest.hookimpl(tryfirst=True)  # before the fixtures of the test
def pytest_runtest_setup() -> None:
    forget_threads()


def group_of(item: pytest.Item) -> str:
    """Return the server of a row or driver of tests/checks; elsewhere the parameters of fixtures with a wider scope."""
    callspec = getattr(item, "callspec", None)
    if callspec is None:
        return ""
    if "get_server" in item.fixturenames:  # type: ignore[attr-defined]
        if "row" in callspec.params:
            return f"checks {callspec.params['row'].group}"
        for name in ("driver", "server"):
            if name in callspec.params:
                return f"checks {callspec.params[name]}"
    # Private: pytest orders tests by these scopes, and shows them in no other way.
    shared = [name for name in callspec.params if callspec._arg2scope[name].value != "function"]
    return " ".join(f"{name} {callspec.params[name]}" for name in shared)
