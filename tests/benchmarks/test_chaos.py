"""What the chaos run counts as an answer that came too late."""

from collections.abc import Sequence

import pytest

from benchmarks.chaos.faults import LIVE, READY, Fault, Kind
from benchmarks.chaos.prober import Probe
from benchmarks.chaos.verdict import judge

BLOCKED = Kind("blocked", {READY: 2.0, LIVE: 3.0}, 1.0)
KILLED = Kind("killed", {}, 1.0)


def answer(status: int | None, at: float, path: str = READY, took: float = 0.1) -> Probe:
    return Probe(path, at, at + took, status)


def violations(faults: Sequence[Fault], *probes: Probe) -> list[str]:
    return [found for line in judge(faults, probes) for found in line.violations(0.5)]


@pytest.mark.parametrize(
    ("probes", "found"),
    [
        pytest.param([answer(200, 12.4), answer(503, 13.0)], 0, id="green within its bound"),
        pytest.param([answer(503, 11.0), answer(200, 12.6)], 1, id="green later, also after a red one"),
        pytest.param([answer(200, 13.4, LIVE)], 0, id="each probe has its own bound"),
        pytest.param([answer(200, 19.95)], 0, id="an answer that may have been made after the end"),
        pytest.param([answer(None, 15.0, took=2.0)], 0, id="no answer during the fault"),
        pytest.param([answer(503, 21.5), answer(200, 22.0)], 0, id="red within its bound after the end"),
        pytest.param([answer(200, 21.0), answer(503, 21.7)], 1, id="red later, also after a green one"),
        pytest.param([answer(None, 25.0, took=2.0)], 1, id="no answer after the end"),
        pytest.param([answer(503, 29.95)], 0, id="an answer that may be about the next fault"),
    ],
)
def test_each_answer_that_came_too_late_is_found(probes: list[Probe], found: int) -> None:
    faults = [Fault(BLOCKED, 1, 10.0, 20.0, 20.1), Fault(BLOCKED, 2, 30.0, 40.0, 40.1)]
    assert len(violations(faults, *probes)) == found


def test_a_fault_that_is_to_change_nothing_has_only_the_time_after_which_no_answer_is_red() -> None:
    killed = [Fault(KILLED, 1, 10.0, 10.0, 10.0)]
    assert not violations(killed, answer(200, 12.0), answer(503, 11.0))
    assert len(violations(killed, answer(503, 12.0))) == 1
    assert not violations(killed, Probe(READY, 12.0, 12.1, 503, starting=True)), "a worker that has just started"
