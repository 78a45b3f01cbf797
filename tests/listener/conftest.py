"""Where a listener listens, and what it must not do whatever comes."""

import logging
import tempfile
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
