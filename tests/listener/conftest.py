"""Addresses for listeners, and a check of the log that each test of hostile clients uses."""

import logging
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

EXPECTED = ("the event loop ", "the listener has closed ")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for a unix socket."""
    with tempfile.TemporaryDirectory(prefix="asgi-health-") as name:
        yield Path(name)


@pytest.fixture
def path(folder: Path) -> str:
    return str(folder / "path")


@pytest.fixture(autouse=True)
def records_of_other_tests_are_left_out(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A listener logs later how many connections it has closed: perhaps during another test."""
    others = {thread.ident for thread in threading.enumerate()}

    def is_of_this_test(record: logging.LogRecord) -> bool:
        return record.thread not in others or not record.getMessage().startswith("the listener has closed ")

    caplog.handler.addFilter(is_of_this_test)
    yield
    caplog.handler.removeFilter(is_of_this_test)


@pytest.fixture
def silent(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Require that the test logs no warning: a client that can cause records could fill the log.

    Two warnings are allowed: a busy machine blocks the loop, and too many connections are logged once in a minute.
    """
    caplog.set_level(logging.INFO)
    yield
    messages = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [each for each in messages if not each.startswith(EXPECTED)] == []
