"""One demo for everything that leaves it as it was; a test that ends it starts its own."""

import signal
from collections.abc import Iterator

import pytest

from .demo import Demo, opened


@pytest.fixture(scope="session")
def demo() -> Iterator[Demo]:
    """A demo that is open and well."""
    with opened() as process:
        process.wait_for_word("/readyz", "pass")
        yield process
        process.end(signal.SIGTERM)
        assert (process.process.returncode, process.noise) == (0, [])
