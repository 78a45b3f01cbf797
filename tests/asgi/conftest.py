"""The check that nobody gets rid of, and how the tests do."""

from collections.abc import Iterator

import pytest

from ..support import virtual_time as virtual
from ..support.recording_checks import Clings


@pytest.fixture
def clings(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clings]:
    monkeypatch.setattr(virtual, "DEADLOCK", 1.0)  # of a loop that has nothing else to do: however slow the machine
    check = Clings()
    yield check
    check.released = True  # a coroutine that swallows GeneratorExit as well would hold up pytest for ever
