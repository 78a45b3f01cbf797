"""Fixtures: programs with a client use a real server, and none leaves its configuration of the log to other tests."""

import logging
from collections.abc import Iterator

import pytest

from tests.checks.conftest import get_server

__all__ = ["get_server"]


def loggers() -> dict[str, logging.Logger]:
    """Return every logger that has been asked for, by its name."""
    known = logging.root.manager.loggerDict.items()
    return {name: logger for name, logger in known if isinstance(logger, logging.Logger)}


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """Take out what a program of a page has configured: as a rule it configures its own process."""
    root = logging.getLogger()
    level = root.level
    before = {name: ([*each.handlers], each.level, each.propagate, each.disabled) for name, each in loggers().items()}
    yield
    for name, each in loggers().items():
        each.handlers[:], each.level, each.propagate, each.disabled = before.get(
            name, ([], logging.NOTSET, True, False)
        )
    # Those of pytest are of the present part of the test.
    root.handlers[:] = [each for each in root.handlers if type(each).__module__.startswith("_pytest.")]
    root.setLevel(level)
