"""How checks add up: counted along the way, and counted anew, must be the same at every later moment."""

from dataclasses import dataclass, field
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_health import Check, Probe, Status
from asgi_health.core.aggregate import Outlook, Tally
from asgi_health.core.report import report_checks
from asgi_health.core.state import UNKNOWN, CheckState, advance
from asgi_health.core.status import worst

from ..support.core_cases import PROBES, RESULTS, check, checks, patient, results, statuses

quarters = st.integers(0, 240).map(lambda n: n / 4)


@dataclass
class Entry:
    check: Check
    state: CheckState = field(default=UNKNOWN)


def brute_force(probe: Probe | None, entries: list[Entry], now: float) -> Status:
    """Return the worst of all checks of a probe, as a report counts them: one by one."""
    counted = [(entry.check, entry.state) for entry in entries if probe is None or probe in entry.check.probes]
    return report_checks(probe, counted, phase=None, started=True, passed=True, exclude=frozenset(), now=now).status


NAMES = "abcd"

steps = st.lists(st.tuples(st.sampled_from(NAMES), results | st.none(), st.integers(0, 40)), max_size=40)


@patient
@given(st.tuples(*map(checks, NAMES)), steps, st.lists(quarters, min_size=1, max_size=5))
def test_the_outlook_of_a_tally_is_what_counting_anew_gives(
    given_checks: tuple[Check, ...], history: list[tuple[str, object, int]], later: list[float]
) -> None:
    known = dict(zip(NAMES, given_checks, strict=True))
    entries: dict[str, Entry] = {}
    tallies = {probe: Tally(probe) for probe in PROBES}
    now = 0.0
    for name, result, wait in history:
        now += wait / 4
        entry = entries.setdefault(name, Entry(known[name]))
        probes = (*entry.check.probes, None)
        if result is None:
            del entries[name]
            for tally in tallies.values():
                tally.drop(name)
        else:
            entry.state = advance(entry.check, entry.state, result, now, 0.0)  # type: ignore[arg-type]
            for probe in probes:
                tallies[probe].put(entry.check, entry.state)
        for probe in PROBES:
            outlook = tallies[probe].outlook()
            counted = sum(probe is None or probe in entry.check.probes for entry in entries.values())
            assert len(tallies[probe]) == counted
            assert outlook.until == inf or outlook.at(outlook.until) > outlook.status
            for moment in (now, *(now + wait for wait in later), outlook.warn_at, outlook.fail_at):
                if moment < inf:
                    assert outlook.at(moment) is brute_force(probe, list(entries.values()), moment)


@pytest.mark.parametrize("probe", PROBES)
def test_a_probe_without_checks_is_healthy_for_ever(probe: Probe | None) -> None:
    assert Tally(probe).outlook() == Outlook(Status.HEALTHY)
    assert worst(()) is Status.HEALTHY


# Rows: a critical check, one that is not. Columns: unknown, healthy, degraded, unhealthy, stale.
H, D, U = Status.HEALTHY, Status.DEGRADED, Status.UNHEALTHY
WEIGHTS = [
    (Probe.LIVENESS, True, (D, H, D, U, D)),
    (Probe.LIVENESS, False, (D, H, D, D, D)),
    (Probe.READINESS, True, (U, H, D, U, U)),
    (Probe.READINESS, False, (D, H, D, D, D)),
    (Probe.STARTUP, True, (U, H, H, U, H)),
    (Probe.STARTUP, False, (D, H, H, D, H)),
    (None, True, (U, H, D, U, U)),
    (None, False, (D, H, D, D, D)),
]


@pytest.mark.parametrize(("probe", "critical", "weights"), WEIGHTS)
def test_what_one_check_does_to_a_probe(probe: Probe | None, critical: bool, weights: tuple[Status, ...]) -> None:
    subject = check(probes=tuple(Probe), critical=critical, interval=1.0, timeout=1.0, max_age=5.0)
    known = [advance(subject, UNKNOWN, RESULTS[status], 10.0, 0.0) for status in (H, D, U)]
    seen = [brute_force(probe, [Entry(subject, state)], 14.9) for state in (UNKNOWN, *known)]
    stale = brute_force(probe, [Entry(subject, known[0])], 15.0)
    assert (*seen, stale) == weights


def test_staleness_begins_exactly_at_max_age() -> None:
    subject = check(interval=1.0, timeout=1.0, max_age=5.0)
    state = advance(subject, UNKNOWN, RESULTS[H], 10.0, 0.0)
    tally = Tally(Probe.READINESS)
    tally.put(subject, state)
    outlook = tally.outlook()
    assert outlook.until == outlook.fail_at == 15.0
    assert (outlook.at(14.999), outlook.at(15.0)) == (H, U)


def test_a_failure_below_its_threshold_does_not_make_a_stale_pass_fresh_again() -> None:
    subject = check(interval=1.0, timeout=1.0, max_age=5.0, failure_threshold=2)
    fresh = advance(subject, UNKNOWN, RESULTS[H], 10.0, 0.0)
    for now, expected in ((14.999, H), (15.0, U)):
        state = advance(subject, fresh, RESULTS[U], now, 0.0)
        assert state.status is H
        assert brute_force(Probe.READINESS, [Entry(subject, state)], now) is expected
    state = advance(subject, advance(subject, fresh, RESULTS[U], 15.0, 0.0), RESULTS[H], 16.0, 0.0)
    assert brute_force(Probe.READINESS, [Entry(subject, state)], 20.999) is H


def test_a_startup_check_that_has_passed_grows_never_old() -> None:
    subject = check(probes=(Probe.STARTUP,))
    state = advance(subject, UNKNOWN, RESULTS[H], 0.0, 0.0)
    assert brute_force(None, [Entry(subject, state)], 1e9) is H
    assert brute_force(Probe.STARTUP, [Entry(subject, state)], 1e9) is H


@patient
@given(statuses, st.floats(0, 100), st.floats(0, 100), st.floats(0, 100), st.floats(0, 100))
def test_an_outlook_only_gets_worse_by_itself(
    status: Status, warn_at: float, fail_at: float, one: float, other: float
) -> None:
    outlook = Outlook(status, warn_at, fail_at)
    early, late = sorted((one, other))
    assert status <= outlook.at(early) <= outlook.at(late)
    if late < outlook.until:
        assert outlook.at(late) is status
