"""Fixtures of the tests of subscribers."""

from collections.abc import Iterator

import pytest

from ...support.app_thread import LOOPS, our_threads
from ...support.waiting import wait_until


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(params=["plain", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = our_threads()
    yield
    wait_until(lambda: our_threads() <= before, "the threads of the subscribers have ended")
