"""Workers that take turns at a board: what each answers follows from what all publish, in virtual time."""

import logging
from itertools import pairwise

import pytest

from asgi_health import Check, Probe, Status, unhealthy
from asgi_health.core.lifecycle import Phase

from ..support.host_simulation import ONCE, OWN, STALL_TIMES, Host, SimulatedWorker

READY, LIVE, STARTED = Probe.READINESS, Probe.LIVENESS, Probe.STARTUP
PASS, WARN, FAIL = Status.HEALTHY, Status.DEGRADED, Status.UNHEALTHY

SEEN = 0.55
"""Seconds until a change at one worker shows in the answers of all: two turns, and the step of the simulation."""


def running_host(number: int = 4, seconds: float = 6.0) -> tuple[Host, list[SimulatedWorker]]:
    host = Host()
    for _ in range(number):
        host.start()
    host.advance(seconds)  # longer than the grace at the beginning
    assert host.statuses(READY) == host.statuses(LIVE) == host.statuses(STARTED) == {PASS}
    return host, host.workers


def test_one_sick_worker_of_four_makes_each_answer_not_ready_and_then_ready_again() -> None:
    host, workers = running_host()
    workers[2].sick = True
    host.advance(0.6 + SEEN)
    assert host.statuses(READY) == {FAIL}
    assert host.statuses(LIVE) == {PASS}
    assert workers[0].engine.known(READY).reason == "worker"
    assert workers[2].engine.known(READY).reason == "check"
    workers[2].sick = False
    host.advance(0.6 + SEEN)
    assert host.statuses(READY) == {PASS}


def test_a_worker_publishes_its_own_status_so_that_two_do_not_keep_each_other_unready() -> None:
    host, workers = running_host(2)
    for worker in workers:
        worker.sick = True
    host.advance(2.0)
    for worker in workers:
        worker.sick = False
    host.advance(0.6 + SEEN)
    assert host.statuses(READY) == {PASS}


@pytest.mark.parametrize("how", ["block", "stop"])
def test_a_blocked_or_stopped_worker_is_seen_by_the_others_within_its_stall_times(how: str) -> None:
    host, workers = running_host()
    getattr(host, how)(workers[0])
    host.advance(STALL_TIMES.ready - 0.2)
    assert host.statuses(READY) == {PASS}
    host.advance(0.2 + SEEN + 0.3)
    assert host.statuses(READY) == {FAIL}
    assert host.statuses(LIVE) == {PASS}
    host.advance(STALL_TIMES.live - STALL_TIMES.ready)
    assert host.statuses(LIVE) == {FAIL}
    getattr(host, {"block": "unblock", "stop": "resume"}[how])(workers[0])
    host.advance(SEEN)
    assert host.statuses(READY) == host.statuses(LIVE) == {PASS}


def test_a_killed_worker_stops_counting_and_the_one_in_its_place_does_not_make_the_others_unready() -> None:
    host, workers = running_host()
    workers[1].sick = True
    host.advance(2.0)
    host.kill(workers[1])
    host.advance(SEEN)
    assert host.statuses(READY) == {PASS}
    new = host.start(serve=False)
    host.advance(3.0, lambda: _all_but(host, new, READY, PASS))
    assert new.status(READY) is FAIL
    new.serve()
    host.advance(0.3, lambda: _all_but(host, new, READY, PASS))
    assert host.statuses(READY) == host.statuses(STARTED) == {PASS}


def _all_but(host: Host, new: SimulatedWorker, probe: Probe, expected: Status) -> None:
    assert {each.status(probe) for each in host.workers if each is not new and each.moves} == {expected}


def test_all_stopped_together_as_in_a_suspended_host_are_not_seen_as_blocked_when_they_go_on() -> None:
    host, workers = running_host()
    for worker in workers:
        host.stop(worker)
    host.advance(60.0)
    for worker in workers:
        host.resume(worker)
    host.advance(3.0, lambda: _all_live(host))
    assert host.statuses(READY) == {PASS}


def _all_live(host: Host) -> None:
    assert host.statuses(LIVE) == {PASS}


def test_startup_passes_when_all_expected_workers_have_started() -> None:
    host = Host()
    first, second = host.start(workers=3), host.start(workers=3)
    host.advance(1.0)
    assert first.status(STARTED) is FAIL
    assert first.engine.report(STARTED, host.now).reason == "starting"
    host.start(workers=3)
    host.advance(SEEN)
    assert host.statuses(STARTED) == {PASS}
    host.kill(second)
    host.advance(1.0)
    assert host.statuses(STARTED) == {PASS}, "startup that has passed stays passed"


def test_startup_waits_for_each_worker_that_has_begun_where_no_number_is_given() -> None:
    host = Host()
    slow = host.start(serve=False)
    quick = host.start()
    host.advance(2.0)
    assert quick.status(STARTED) is FAIL
    assert quick.status(READY) is PASS, "a worker that takes no requests yet says nothing about the others"
    slow.serve()
    host.advance(SEEN)
    assert host.statuses(STARTED) == {PASS}


@pytest.mark.parametrize("quorum", [2, 0.5])
def test_with_a_quorum_the_others_serve_on_with_a_warning_and_a_sick_worker_says_so_itself(quorum: float) -> None:
    host = Host()
    workers = [host.start(quorum=quorum) for _ in range(4)]
    host.advance(6.0)
    workers[0].sick = workers[1].sick = True
    host.advance(0.6 + SEEN)
    assert [worker.status(READY) for worker in workers] == [FAIL, FAIL, WARN, WARN]
    workers[2].sick = True
    host.advance(0.6 + SEEN)
    assert host.statuses(READY) == {FAIL}


def test_a_drain_by_order_is_that_of_all_and_one_by_a_signal_is_not() -> None:
    host, workers = running_host()
    workers[0].engine.drain(host.now, ordered=False)
    host.advance(SEEN)
    assert [worker.status(READY) for worker in workers] == [FAIL, PASS, PASS, PASS]
    workers[1].engine.drain(host.now)
    host.advance(SEEN)
    assert {worker.engine.phase for worker in workers} == {Phase.DRAINING}
    later = host.start()
    host.advance(1.0)
    assert later.engine.phase is Phase.SERVING, "the order was given before it started"
    assert later.status(READY) is FAIL, "it answers for the others"
    for worker in workers.copy()[:4]:
        host.leave(worker)
    host.advance(SEEN)
    assert later.status(READY) is PASS


def test_a_worker_that_starts_right_after_an_order_to_drain_does_not_follow_those_that_follow_it() -> None:
    host, workers = running_host()
    workers[0].engine.drain(host.now)
    host.now += 0.01
    later = host.start()
    host.advance(2.0)
    assert {worker.engine.phase for worker in workers if worker is not later} == {Phase.DRAINING}
    assert later.engine.phase is Phase.SERVING


def test_a_maintenance_by_any_worker_is_that_of_all_and_outlives_it() -> None:
    host, workers = running_host()
    for worker in workers:
        worker.sick = True
    workers[0].engine.maintain("own", 30.0, "upgrade", host.now)
    host.advance(2.0)
    assert host.statuses(READY) == {WARN}
    host.kill(workers[0])
    new = host.start()
    new.sick = True
    host.advance(2.0)
    found = new.engine.maintenance_of("own")
    assert found is not None
    assert found.reason == "upgrade"
    assert host.statuses(READY) == {WARN}
    host.advance(30.0)
    assert host.statuses(READY) == {FAIL}, "it ends by itself"
    assert new.engine.maintenance_of("own") is None
    assert not host.store.kept


def test_a_maintenance_that_one_worker_ends_ends_for_all(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "asgi_health")
    host, workers = running_host(2)
    begun = workers[0].engine.maintain(None, 600.0, "", host.now)
    host.advance(SEEN)
    assert host.statuses(READY) == {FAIL}
    ours = workers[1].engine.maintenance_of(None)
    assert ours == begun
    assert ours is not None
    workers[1].engine.end_maintenance(ours, host.now)
    host.advance(SEEN)
    assert host.statuses(READY) == {PASS}
    assert "maintenance of the app begins: another worker began it" in caplog.text
    assert "maintenance of the app ends before its time: another worker ended it" in caplog.text


def test_a_maintenance_survives_a_file_that_is_lost() -> None:
    host, workers = running_host(2)
    workers[0].engine.maintain("own", 600.0, "", host.now)
    host.advance(SEEN)
    host.store.make_again()
    host.advance(SEEN)
    assert list(host.store.kept) == ["own"]
    assert all(worker.engine.maintenance_of("own") for worker in workers)


def test_a_maintenance_of_a_check_that_one_worker_does_not_have_stays_with_the_others() -> None:
    host = Host()
    host.start()
    host.start(checks=[ONCE])
    host.advance(6.0)
    host.workers[0].engine.maintain("own", 600.0, "", host.now)
    host.advance(3.0)
    assert host.workers[0].engine.maintenance_of("own") is not None
    assert list(host.store.kept) == ["own"]


# -- the checks of the host


def test_a_check_of_the_host_runs_once_per_interval_whatever_the_number_of_workers() -> None:
    host, workers = running_host()
    before = len(host.runs())
    host.advance(20.0)
    assert 18 <= len(host.runs()) - before <= 21
    assert sum(bool(worker.runs) for worker in workers) == 1
    states = {worker.engine.slots[0].state for worker in workers}
    assert len({state.status for state in states}) == 1
    assert max(host.now - (state.time or 0.0) for state in states) < 1.0 + SEEN


@pytest.mark.parametrize("end", ["kill", "leave", "stop", "block"])
def test_another_worker_takes_over_within_an_interval_when_the_one_that_runs_ends(end: str) -> None:
    host, workers = running_host()
    leader = next(worker for worker in workers if worker.runs)
    getattr(host, end)(leader)
    ended = host.now
    host.advance(10.0, lambda: _all_live(host) if end in ("kill", "leave") else None)
    later = [at for at in host.runs() if at > ended]
    # The lease lasts 1 s and ends at most so much after the end; a blocked loop gives it up after another second.
    assert min(later) - ended <= (1.0 + 1.0 + SEEN if end == "block" else 1.0 + SEEN)
    assert max(b - a for a, b in pairwise(later)) <= 1.1 + SEEN
    assert {worker.engine.slots[0].state.status for worker in host.workers if worker.moves} == {PASS}


@pytest.mark.parametrize("older", ["serves", "is blocked"])
def test_a_worker_that_has_just_started_leads_only_where_no_older_one_can(older: str) -> None:
    host, (leader, other) = running_host(2)
    if other.runs:
        leader, other = other, leader
    if older == "is blocked":
        host.block(other)
        host.advance(2.0)
    host.kill(leader)
    new = host.start()
    host.workers.reverse()  # it takes its turns first
    host.advance(3.0)
    assert host.store.present is not None
    assert host.store.present.holder == (other.key if older == "serves" else new.key)


def test_a_worker_that_leads_keeps_the_lease_when_an_older_one_has_started_after_it() -> None:
    host = Host()
    older = host.start(serve=False)
    host.advance(0.3)
    leader = host.start()
    host.advance(1.0)
    assert leader.runs
    older.serve()
    host.advance(10.0)
    assert not older.runs
    assert min(b - a for a, b in pairwise(host.runs())) >= 0.9


def test_a_worker_that_has_a_check_of_the_host_which_the_leader_does_not_have_runs_it_itself() -> None:
    host = Host()
    host.start(checks=[OWN])
    host.advance(1.0)
    other = host.start(checks=[OWN, ONCE])
    host.advance(6.0)
    assert other.engine.host is not None
    assert other.engine.host.leader != other.key
    assert other.runs
    assert other.status(READY) is PASS


def test_a_result_of_the_host_grows_stale_at_each_worker_where_no_worker_renews_it() -> None:
    quick = Check("once", lambda: None, interval=1.0, timeout=0.5, max_age=2.0, scope="host")
    host = Host()
    workers = [host.start(checks=[quick]) for _ in range(2)]
    host.advance(6.0)
    leader = next(worker for worker in workers if worker.runs)
    follower = next(worker for worker in workers if worker is not leader)
    assert follower.status(READY) is PASS
    host.store.broken = True
    host.stop(leader)
    host.block(follower)  # so that it does not run the check itself
    host.advance(3.0)
    assert follower.status(READY) is FAIL


# -- a board that cannot be used


def test_without_the_board_each_worker_answers_for_itself_and_runs_the_checks_of_the_host() -> None:
    host, workers = running_host()
    workers[0].sick = True
    host.advance(2.0)
    assert host.statuses(READY) == {FAIL}
    host.store.broken = True
    host.advance(4.0)
    assert [worker.status(READY) for worker in workers] == [FAIL, PASS, PASS, PASS]
    assert all(worker.engine.host is None for worker in workers)
    assert all(worker.runs for worker in workers)
    host.store.broken = False
    host.advance(1.0)
    assert host.statuses(READY) == {FAIL}
    assert host.statuses(LIVE) == {PASS}


def test_slots_that_are_old_because_the_board_was_broken_are_not_seen_as_blocked_workers() -> None:
    host, workers = running_host()
    host.store.broken = True
    host.advance(60.0)
    host.store.broken = False
    workers[3].next_turn = host.now + 2.0  # the last one tries again later
    host.advance(8.0, lambda: _all_live(host))
    assert host.statuses(READY) == {PASS}


def test_a_board_that_cannot_be_used_from_the_beginning_delays_the_checks_of_the_host_by_a_second() -> None:
    host = Host()
    host.store.broken = True
    worker = host.start()
    host.advance(0.9)
    assert not worker.runs
    host.advance(0.3)
    assert worker.runs
    assert worker.status(READY) is PASS


# -- what a turn must not change


def test_a_forced_result_of_a_check_of_the_host_stays_at_a_worker_that_does_not_run_it() -> None:
    host, workers = running_host(2)
    follower = next(worker for worker in workers if not worker.runs)
    end = follower.engine.force("once", unhealthy("broken by a test"), host.now)
    host.advance(3.0)
    assert follower.own_status(READY) is FAIL
    assert host.statuses(READY) == {FAIL}
    end(host.now)
    host.advance(1.0 + SEEN)
    assert host.statuses(READY) == {PASS}


def test_without_a_check_that_fails_a_worker_with_a_stale_one_is_still_not_ready() -> None:
    slow = Check("own", lambda: None, interval=1000.0, timeout=0.3, max_age=1200.0)
    failing = Check("failing", lambda: None, interval=0.5, timeout=0.3, failure_threshold=1)
    host = Host()
    first, second = (host.start(checks=[slow, failing]) for _ in range(2))
    host.advance(6.0)
    second.engine.force("failing", unhealthy("down"), host.now)
    host.advance(SEEN)
    assert first.engine.report(READY, host.now, exclude=["failing"]).status is PASS
    host.now += 1300.0  # without a run
    second.turns.take(second.engine, host.store, host.clock, 0.0)
    published = host.store.workers[second.key]
    assert set(published.probes[READY].checks) == {"own", "failing"}
    assert published.without(frozenset({"failing"}), READY).probes[READY].status is FAIL


def test_a_run_that_never_ends_counts_as_failed_where_its_worker_loses_and_regains_the_checks_of_the_host() -> None:
    host, workers = running_host(2)
    leader = next(worker for worker in workers if worker.runs)
    other = next(worker for worker in workers if worker is not leader)
    host.block(leader)
    host.advance(0.95)
    assert "once" in [run.check.name for run in leader.engine.due(host.now).start], "nothing ever ends it"
    host.advance(1.0 + 1.0 + SEEN)
    host.unblock(leader)
    host.advance(2.0)
    assert other.runs
    assert leader.engine.slots[0].state.status is PASS, "by the other one's results"
    host.kill(other)
    host.advance(8.0)
    assert leader.engine.slots[0].state.status is FAIL
