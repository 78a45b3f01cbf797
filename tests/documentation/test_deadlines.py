"""The times in docs/explanation are those of the engine, of a Listener and of a prober."""

import re
from collections.abc import Iterator

import pytest

from asgi_health import Check, Listener, Probe, Status, healthy, unhealthy
from asgi_health.core.engine import Engine

from ..support.core_cases import new_engine, passing
from .blocks import DOCS

DEADLINES = (DOCS / "explanation/deadlines-and-thresholds.md").read_text()
LIMITS = (DOCS / "explanation/limits.md").read_text()
LATEST = 1 - 1e-9
"""The random number that makes each pause as long as its jitter allows."""


def runs(engine: Engine, *, takes: float) -> Iterator[float]:
    """Run the check of `engine` when it is due, without a result but that of its deadline; yield when each run ends.

    Args:
        engine: The engine; its check has passed at the moment 0.
        takes: Seconds of a run.
    """
    now = 0.0
    while True:
        now = engine.next_start()
        (run,) = engine.due(now).start
        now += takes
        engine.due(now)
        engine.record(run, unhealthy("down"), now)
        yield now


def longest(check: Check, *, takes: float) -> float:
    """Return the seconds from the failure of a dependency, right after a pass, until readiness is unhealthy."""
    engine = new_engine(check, random=lambda: LATEST)
    engine.serve(0.0)
    (run,) = engine.due(0.0).start
    engine.record(run, healthy(), 0.0)
    return next(now for now in runs(engine, takes=takes) if engine.probe_status(Probe.READINESS).at(now) is UNHEALTHY)


UNHEALTHY = Status.UNHEALTHY


@pytest.mark.parametrize(
    ("sentence", "interval"),
    [(r"up to (\d+) seconds when the\s+dependency refuses, (\d+) when it hangs", 10.0), (r"that (\d+) and (\d+)", 2.0)],
    ids=["defaults", "interval=2.0"],
)
def test_a_check_notices_a_failure_within_the_printed_seconds(sentence: str, interval: float) -> None:
    (refuses, hangs) = re.findall(sentence, DEADLINES)[0]
    check = Check("a", passing, interval=interval)
    assert round(longest(check, takes=0.0)) == int(refuses)
    assert round(longest(check, takes=check.timeout)) == int(hangs)


def test_the_table_of_a_blocked_loop_is_what_a_prober_sees() -> None:
    (period, timeout) = map(int, re.findall(r"`periodSeconds: (\d+)` and `timeoutSeconds: (\d+)`", DEADLINES)[0])
    rows = re.findall(r"^\| (\d+) \| (\d+) to (\d+) s \| (\d+) to (\d+) s \|$", DEADLINES, re.MULTILINE)
    assert [int(row[0]) for row in rows] == [1, 2, 3]
    stall = Listener("127.0.0.1:9000").stall_ready
    phases = [period * share / 100 for share in range(101)]  # of the first probe after the block, in seconds
    for failures, *printed in (map(int, row) for row in rows):
        at_app = [phase + (failures - 1) * period + timeout for phase in phases]
        at_listener = [stall + phase + (failures - 1) * period for phase in phases]
        assert printed == [min(at_app), max(at_app), min(at_listener), max(at_listener)]


def test_the_number_of_probes_until_a_failing_worker_is_noticed_follows_from_chance() -> None:
    (workers, failures, probes, minutes, period) = map(
        int,
        re.findall(
            r"one worker of (\d+).*`failureThreshold: (\d+)`.* (\d+) probes on average: (\d+) minutes at\s+"
            r"`periodSeconds: (\d+)`",
            LIMITS,
            re.DOTALL,
        )[0],
    )
    bad = 1 / workers
    # The mean number of trials until `failures` bad ones in a row.
    assert probes == round((1 - bad**failures) / ((1 - bad) * bad**failures))
    assert minutes == round(probes * period / 60)
