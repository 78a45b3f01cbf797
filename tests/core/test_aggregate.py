"""How checks add up: the aggregate equals a count of all checks, at every later moment."""

from dataclasses import dataclass, field
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_health import Check, Probe, Status
from asgi_health.core.aggregate import Aggregate, ProbeStatus, stale_at
from asgi_health.core.report import build_report
from asgi_health.core.state import UNKNOWN, CheckState, advance
from asgi_health.core.status import CHECK_PROBES, worst

from ..support.core_cases import RESULTS, check, checks, no_deadline, results, statuses

quarters = st.integers(0, 240).map(lambda n: n / 4)


@dataclass
class Counted:
    check: Check
    state: CheckState = field(default=UNKNOWN)


def count_anew(probe: Probe, entries: list[Counted], now: float) -> Status:
    """Return the worst status of all checks of a probe, counted one by one as a report does."""
    counted = [
        (entry.check, entry.state, None) for entry in entries if probe is Probe.HEALTH or probe in entry.check.probes
    ]
    return build_report(
        probe, counted, phase=None, app_started=True, startup_passed=True, exclude=frozenset(), now=now
    ).status


NAMES = "abcd"

steps = st.lists(st.tuples(st.sampled_from(NAMES), results | st.none(), st.integers(0, 40)), max_size=40)


@no_deadline
@given(st.tuples(*map(checks, NAMES)), steps, st.lists(quarters, min_size=1, max_size=5))
def test_an_aggregate_equals_a_count_of_all_checks(
    given_checks: tuple[Check, ...], history: list[tuple[str, object, int]], later: list[float]
) -> None:
    known = dict(zip(NAMES, given_checks, strict=True))
    entries: dict[str, Counted] = {}
    aggregates = {probe: Aggregate(probe) for probe in Probe}
    now = 0.0
    for name, result, wait in history:
        now += wait / 4
        entry = entries.setdefault(name, Counted(known[name]))
        probes = (*entry.check.probes, Probe.HEALTH)
        if result is None:
            del entries[name]
            for aggregate in aggregates.values():
                aggregate.discard(name)
        else:
            entry.state = advance(entry.check, entry.state, result, now, 0.0)  # type: ignore[arg-type]
            for probe in probes:
                aggregates[probe].update(entry.check, entry.state, stale_at(entry.check, entry.state))
        for probe in Probe:
            status = aggregates[probe].status()
            counted = sum(probe is Probe.HEALTH or probe in entry.check.probes for entry in entries.values())
            assert len(aggregates[probe]) == counted
            assert status.valid_until == inf or status.at(status.valid_until) > status.status
            for moment in (now, *(now + wait for wait in later), status.degraded_at, status.unhealthy_at):
                if moment < inf:
                    assert status.at(moment) is count_anew(probe, list(entries.values()), moment)


@pytest.mark.parametrize("probe", Probe)
def test_a_probe_without_checks_stays_healthy(probe: Probe) -> None:
    assert Aggregate(probe).status() == ProbeStatus(Status.HEALTHY)
    assert worst(()) is Status.HEALTHY


# Rows: a critical check, one that is not. Columns: unknown, healthy, degraded, unhealthy, stale.
H, D, U = Status.HEALTHY, Status.DEGRADED, Status.UNHEALTHY
CONTRIBUTIONS = [
    (Probe.LIVENESS, True, (D, H, D, U, D)),
    (Probe.LIVENESS, False, (D, H, D, D, D)),
    (Probe.READINESS, True, (U, H, D, U, U)),
    (Probe.READINESS, False, (D, H, D, D, D)),
    (Probe.STARTUP, True, (U, H, H, U, H)),
    (Probe.STARTUP, False, (D, H, H, D, H)),
    (Probe.HEALTH, True, (U, H, D, U, U)),
    (Probe.HEALTH, False, (D, H, D, D, D)),
]


@pytest.mark.parametrize(("probe", "critical", "contributions"), CONTRIBUTIONS)
def test_one_check_contributes_to_a_probe_as_the_table_says(
    probe: Probe, critical: bool, contributions: tuple[Status, ...]
) -> None:
    subject = check(probes=CHECK_PROBES, critical=critical, interval=1.0, timeout=1.0, max_age=5.0)
    known = [advance(subject, UNKNOWN, RESULTS[status], 10.0, 0.0) for status in (H, D, U)]
    seen = [count_anew(probe, [Counted(subject, state)], 14.9) for state in (UNKNOWN, *known)]
    stale = count_anew(probe, [Counted(subject, known[0])], 15.0)
    assert (*seen, stale) == contributions


def test_staleness_begins_exactly_at_max_age() -> None:
    subject = check(interval=1.0, timeout=1.0, max_age=5.0)
    state = advance(subject, UNKNOWN, RESULTS[H], 10.0, 0.0)
    aggregate = Aggregate(Probe.READINESS)
    aggregate.update(subject, state, stale_at(subject, state))
    status = aggregate.status()
    assert status.valid_until == status.unhealthy_at == 15.0
    assert (status.at(14.999), status.at(15.0)) == (H, U)


def test_a_failure_below_its_threshold_does_not_make_a_stale_pass_fresh_again() -> None:
    subject = check(interval=1.0, timeout=1.0, max_age=5.0, failure_threshold=2)
    fresh = advance(subject, UNKNOWN, RESULTS[H], 10.0, 0.0)
    for now, expected in ((14.999, H), (15.0, U)):
        state = advance(subject, fresh, RESULTS[U], now, 0.0)
        assert state.status is H
        assert count_anew(Probe.READINESS, [Counted(subject, state)], now) is expected
    state = advance(subject, advance(subject, fresh, RESULTS[U], 15.0, 0.0), RESULTS[H], 16.0, 0.0)
    assert count_anew(Probe.READINESS, [Counted(subject, state)], 20.999) is H


def test_a_startup_check_that_has_passed_never_grows_stale() -> None:
    subject = check(probes=(Probe.STARTUP,))
    state = advance(subject, UNKNOWN, RESULTS[H], 0.0, 0.0)
    assert count_anew(Probe.HEALTH, [Counted(subject, state)], 1e9) is H
    assert count_anew(Probe.STARTUP, [Counted(subject, state)], 1e9) is H


@no_deadline
@given(statuses, st.floats(0, 100), st.floats(0, 100), st.floats(0, 100), st.floats(0, 100))
def test_a_probe_status_only_gets_worse_without_new_results(
    status: Status, degraded_at: float, unhealthy_at: float, one: float, other: float
) -> None:
    probe_status = ProbeStatus(status, degraded_at, unhealthy_at)
    early, late = sorted((one, other))
    assert status <= probe_status.at(early) <= probe_status.at(late)
    if late < probe_status.valid_until:
        assert probe_status.at(late) is status
