"""What the workers of a host add up to, on bare values."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_health import Probe, Status
from asgi_health.core.lifecycle import Phase
from asgi_health.core.stalls import StallTimes
from asgi_health.core.transition import Reason
from asgi_health.core.workers import NO_OTHERS, OtherWorkers, Worker, WorkerProbe, combine

from ..support.core_cases import serving_engine

NOW = 1000.0
READY, LIVE, STARTED = Probe.READINESS, Probe.LIVENESS, Probe.STARTUP
PASS, WARN, FAIL = Status.HEALTHY, Status.DEGRADED, Status.UNHEALTHY
BAD = OtherWorkers(FAIL, "worker", (2,))


def worker(
    pid: int,
    status: Status = PASS,
    reason: Reason | None = None,
    *,
    checks: tuple[str, ...] = (),
    phase: Phase = Phase.SERVING,
    beat: float | None = NOW,
    started: bool = True,
    ordered_at: float | None = None,
) -> Worker:
    """Return a worker with this status of all probes."""
    probe = WorkerProbe(status, reason or (None if status is PASS else "check"), checks, NOW)
    probes = dict.fromkeys(Probe, probe)
    return Worker(f"key-{pid}", pid, NOW - 60, NOW, beat, phase, started, ordered_at, StallTimes(5.0, 30.0), probes)


OWN = worker(1)


def others(*found: Worker, probe: Probe = READY, **options: int | float | None) -> OtherWorkers:
    """Return what `found` make of `probe`, as OWN sees them."""
    return combine(OWN, found, NOW, **options).probes[probe]  # type: ignore[arg-type]


def test_a_worker_alone_has_no_others() -> None:
    assert combine(OWN, (), NOW).probes == dict.fromkeys(Probe, NO_OTHERS)


@given(st.lists(st.sampled_from(Status), max_size=5))
def test_the_others_are_as_bad_as_the_worst_of_them(statuses: list[Status]) -> None:
    found = [worker(pid, status) for pid, status in enumerate(statuses, 2)]
    worst = max(statuses, default=PASS)
    for probe in (READY, LIVE, Probe.HEALTH):
        result = others(*found, probe=probe)
        assert result.status is worst
        assert result.pids == (
            () if worst is PASS else tuple(each.pid for each in found if each.probes[probe].status is worst)
        )


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (worker(2, FAIL, phase=Phase.STARTING), NO_OTHERS),
        (worker(2, FAIL, "starting"), NO_OTHERS),
        (worker(2, FAIL, "starting", beat=NOW - 5.0), BAD),
        (worker(2, FAIL, "draining", phase=Phase.DRAINING), NO_OTHERS),
        (worker(2, FAIL, "draining", phase=Phase.DRAINING, ordered_at=NOW - 1.0), BAD),
        (worker(2, FAIL, "stopped", phase=Phase.STOPPED), NO_OTHERS),
        (worker(2, beat=NOW - 4.9), NO_OTHERS),
        (worker(2, beat=NOW - 5.0), BAD),
        (worker(2, beat=None), NO_OTHERS),
    ],
    ids=[
        "before-its-startup",
        "without-results",
        "without-results-and-blocked",
        "drained-by-a-signal",
        "drained-by-order",
        "stopped",
        "a-little-late",
        "blocked",
        "unmeasured",
    ],
)
def test_readiness_counts_the_workers_that_take_requests(other: Worker, expected: OtherWorkers) -> None:
    assert others(other) == expected


def test_liveness_counts_a_blocked_worker_after_the_longer_time_and_not_while_it_starts() -> None:
    assert others(worker(2, beat=NOW - 29.0), probe=LIVE) == NO_OTHERS
    assert others(worker(2, beat=NOW - 30.0), probe=LIVE) == BAD
    assert others(worker(2, beat=NOW - 30.0, phase=Phase.STARTING), probe=LIVE) == NO_OTHERS
    assert others(worker(2, WARN, "starting", phase=Phase.STARTING), probe=LIVE) == NO_OTHERS


@pytest.mark.parametrize(
    ("expected", "status", "pids"),
    [(None, FAIL, (3,)), (2, PASS, ()), (3, FAIL, (3,))],
)
def test_startup_passes_when_the_expected_workers_have_started(
    expected: int | None, status: Status, pids: tuple[int, ...]
) -> None:
    result = others(worker(2), worker(3, FAIL, started=False), probe=STARTED, expected=expected)
    assert result == (NO_OTHERS if status is PASS else OtherWorkers(FAIL, "starting", pids))


@pytest.mark.parametrize(
    ("quorum", "bad", "status"),
    [
        (1, 3, WARN),
        (2, 2, WARN),
        (2, 3, FAIL),
        (5, 0, FAIL),
        (0.5, 2, WARN),
        (0.5, 3, FAIL),
        (1.0, 1, FAIL),
        (1, 0, PASS),
    ],
)
def test_a_quorum_says_how_many_workers_must_be_ready(quorum: float, bad: int, status: Status) -> None:
    found = [worker(pid, FAIL if pid <= 1 + bad else PASS) for pid in (2, 3, 4)]
    result = others(*found, quorum=quorum)
    assert result.status is status
    assert 1 not in result.pids
    assert others(*found, quorum=quorum, probe=LIVE).status is (FAIL if bad else PASS), "liveness has no quorum"


def test_a_quorum_tells_workers_of_two_containers_apart_that_have_one_number() -> None:
    assert others(worker(OWN.pid, FAIL), worker(3), quorum=2) == OtherWorkers(WARN, "worker", (OWN.pid,))


def test_a_report_without_a_check_leaves_the_same_check_of_the_others_out() -> None:
    redis = worker(2, FAIL, checks=("redis",))
    host = combine(OWN, [redis], NOW)
    assert host.without(frozenset({"redis"}), READY).probes[READY] == NO_OTHERS
    assert host.without(frozenset({"disk"}), READY).probes[READY] == BAD
    assert host.without(frozenset(), READY).probes[READY] == BAD
    blocked = combine(OWN, [worker(2, beat=NOW - 6.0)], NOW)
    assert blocked.without(frozenset({"redis"}), READY).probes[READY] == BAD
    many = combine(OWN, [worker(2, FAIL, checks=tuple("abcdefghij"))], NOW)
    assert many.without(frozenset("abcdefghij"), READY).probes[READY] == BAD, "more names may have been left out"


def test_what_reports_show_does_not_change_with_the_moments_of_the_turns() -> None:
    host = combine(OWN, [worker(2)], NOW)
    later = combine(replace(OWN, updated=NOW + 1, beat=NOW + 1), [replace(worker(2), updated=NOW + 1)], NOW + 1)
    assert host.shown == later.shown
    assert host != later


def test_a_worker_speaks_for_its_host_while_it_leads_and_alone_without_a_board() -> None:
    engine = serving_engine()
    assert engine.leads(0.0)
    engine.await_host(0.0, 1.0)
    assert not engine.leads(0.5), "which worker leads is not known before the first turn"
    engine.set_host(combine(OWN, (), NOW, leader=OWN.key), NOW, leads_until=NOW + 1.0)
    assert engine.leads(NOW)
    assert not engine.leads(NOW + 1.0), "another worker may lead from then on"
    engine.set_host(combine(OWN, (worker(2),), NOW, leader="key-2"), NOW, leads_until=NOW + 1.0)
    assert not engine.leads(NOW)
    engine.set_host(None, NOW)
    assert engine.leads(NOW)
