"""Where a listener listens, and what it must not do whatever comes."""

import logging
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

KNOWN = ("the event loop ", "the listener has closed ")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder whose name is short enough for a unix socket."""
    with tempfile.TemporaryDirectory(prefix="asgi-health-") as name:
        yield Path(name)


@pytest.fixture
def path(folder: Path) -> str:
    return str(folder / "path")


@pytest.fixture(autouse=True)
def reports_of_others_left_out(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A listener says a while later how many connections it has closed: in the middle of another test, perhaps."""
    others = {thread.ident for thread in threading.enumerate()}

    def is_of_this_test(record: logging.LogRecord) -> bool:
        return record.thread not in others or not record.getMessage().startswith("the listener has closed ")

    caplog.handler.addFilter(is_of_this_test)
    yield
    caplog.handler.removeFilter(is_of_this_test)


@pytest.fixture
def silent(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing worth a warning may come of it: whoever can write to the log could fill it.

    That the loop had no turn for a second is the fault of a busy machine, and true. That there were too many
    connections is said once in a minute.
    """
    caplog.set_level(logging.INFO)
    yield
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [each for each in told if not each.startswith(KNOWN)] == []
