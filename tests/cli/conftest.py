"""One demo for all tests that leave it as it was; a test that ends the demo starts its own."""

import signal
from collections.abc import Iterator

import pytest

from .demo import Demo, running_demo


@pytest.fixture(scope="session")
def demo() -> Iterator[Demo]:
    """A demo that runs and is healthy."""
    with running_demo() as process:
        process.wait_for_status_word("/readyz", "pass")
        yield process
        process.end(signal.SIGTERM)
        assert (process.process.returncode, process.unexpected_errors) == (0, [])
