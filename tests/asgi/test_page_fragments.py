"""The fragments of the page in the events: the same text while nothing changes, whatever the clocks do."""

import time

import pytest

from asgi_health import Probe, healthy
from asgi_health.asgi.events.page_fragments import MAX_DRIFT, PageFragments
from asgi_health.core.engine import Engine

from ..support.core_cases import check


class Clocks:
    """The wall clock and that of the checks, a little apart from each other."""

    def __init__(self) -> None:
        self.now = 100.0
        self.wall = 1_795_873_320.0


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    clocks = Clocks()
    monkeypatch.setattr(time, "time", lambda: clocks.wall)
    return clocks


def test_a_fragment_changes_with_the_check_and_not_with_the_drift_of_the_clocks(clocks: Clocks) -> None:
    engine = Engine(lambda: clocks.now, lambda: 0.5)
    engine.add(check("a"), 100.0)
    engine.serve(100.0)
    (run,) = engine.due(100.0).start
    engine.record(run, healthy(), 100.0)
    fragments = PageFragments(engine)

    def render() -> tuple[str, str]:
        report = engine.report(Probe.HEALTH, 100.0, history=True)
        return fragments.head(report), fragments.check(report.checks[0], 100.0)

    first = render()
    for drift in (0.0004, -0.01, MAX_DRIFT * 0.9):
        clocks.wall = 1_795_873_320.0 + drift
        assert render() == first
    clocks.wall += 3600.0  # the clock has been set
    assert render() != first
