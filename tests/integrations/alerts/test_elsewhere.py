"""An incident of the host is one incident, whichever worker sees it."""

from asgi_health import Probe, Status
from asgi_health.core.engine import Engine
from asgi_health.core.lifecycle import Phase
from asgi_health.core.workers import Host, Worker, WorkerProbe
from asgi_health.integrations.alerts.elsewhere import KEEP, Elsewhere
from asgi_health.integrations.alerts.incidents import Problem
from asgi_health.integrations.alerts.problems import EVENT_LOOP, Problems

from ...support.core_cases import serving_engine
from ...support.hosts import FAILS, host_of, worker

OWN = Problem(Status.UNHEALTHY, "check", "refused", 90.0)
DISK = WorkerProbe(Status.DEGRADED, "check", ("disk",), 70.0)
BLOCKED = WorkerProbe(Status.UNHEALTHY, "stalled", (), 95.0)


class Look:
    """What one worker finds wrong at 100 s, next to others."""

    def __init__(self, minimum: Status = Status.UNHEALTHY) -> None:
        self._engine: Engine = serving_engine()
        self._elsewhere = Elsewhere(minimum)

    def at(self, *others: Worker, own: Problem | None = None) -> dict[str, Problem | None]:
        return self._add(host_of(self._engine, 100.0, *others), 100.0, own)

    def without_board(self, after: float) -> dict[str, Problem | None]:
        return self._add(None, 100.0 + after, None)

    def _add(self, host: Host | None, now: float, own: Problem | None) -> dict[str, Problem | None]:
        found: dict[str, Problem | None] = {EVENT_LOOP: None, "database": own}
        names = frozenset({"database"})
        return dict(self._elsewhere.add_to(Problems(found, names, frozenset(), False, 0.0), host, now).found)


def test_a_check_that_another_worker_sees_failing_is_a_problem_here() -> None:
    found = Look().at(worker(1, readiness=FAILS), worker(2))
    assert found["database"] == Problem(Status.UNHEALTHY, "check", "fails in worker 4242", 60.0)
    three = Look().at(*(worker(number, readiness=FAILS) for number in (1, 2, 3)), worker(4))
    assert three["database"] == Problem(Status.UNHEALTHY, "check", "fails in 3 of 5 workers, first 4242", 60.0)


def test_a_check_that_fails_here_too_says_in_how_many_workers() -> None:
    in_two = Look().at(worker(1, readiness=FAILS), worker(2), own=OWN)["database"]
    assert in_two == Problem(Status.UNHEALTHY, "check", "refused (in 2 of 3 workers)", 60.0)
    in_all = Look().at(worker(1, readiness=FAILS), own=OWN)["database"]
    assert in_all == Problem(Status.UNHEALTHY, "check", "refused", 60.0)


def test_the_blocked_loop_of_another_worker_is_named() -> None:
    found = Look().at(worker(1, beat=80.0), worker(2))
    message = "the event loop of worker 4242 is blocked"
    assert found == {EVENT_LOOP: Problem(Status.UNHEALTHY, "stalled", message, 80.0), "database": None}


def test_the_minimum_decides_about_warnings_of_others() -> None:
    assert "disk" not in Look().at(worker(1, health=DISK))
    found = Look(Status.DEGRADED).at(worker(1, health=DISK))["disk"]
    assert found == Problem(Status.DEGRADED, "check", "fails in worker 4242", 70.0, critical=False)


def test_what_a_worker_can_no_longer_say_is_not_over() -> None:
    look = Look()
    look.at(worker(1, readiness=FAILS))
    assert "database" not in look.at(worker(1, health=BLOCKED))  # its checks do not run
    assert look.at(worker(1, readiness=FAILS))["database"] is not None
    assert look.at(worker(1))["database"] is None
    assert look.at(worker(1, health=BLOCKED))["database"] is None


def test_a_worker_that_names_its_worst_checks_alone_may_hide_warnings() -> None:
    look = Look(Status.DEGRADED)
    look.at(worker(1, health=DISK))
    assert "disk" not in look.at(worker(1, health=FAILS))
    many = WorkerProbe(Status.DEGRADED, "check", tuple(f"c{number}" for number in range(10)), 70.0)
    assert "disk" not in look.at(worker(1, health=many))  # ten of them, and disk may be the eleventh
    one = WorkerProbe(Status.DEGRADED, "check", ("cache",), 70.0)
    assert look.at(worker(1, health=one)).keys() == {EVENT_LOOP, "database", "cache"}


def test_what_a_worker_saw_is_over_when_it_leaves() -> None:
    look = Look()
    look.at(worker(1, readiness=FAILS), worker(2))
    leaves = worker(1, readiness=WorkerProbe(Status.UNHEALTHY, "draining", (), 99.0), phase=Phase.DRAINING)
    assert look.at(leaves, worker(2))["database"] is None
    look.at(worker(1, readiness=FAILS), worker(2))
    assert look.at(worker(2))["database"] is None


def test_while_the_board_cannot_be_used_nothing_is_over_for_a_minute() -> None:
    look = Look()
    look.at(worker(1, readiness=FAILS))
    assert "database" not in look.without_board(KEEP)
    assert look.without_board(KEEP + 1)["database"] is None


def test_a_worker_whose_failure_counts_for_liveness_alone_is_seen_too() -> None:
    deadlock = WorkerProbe(Status.UNHEALTHY, "check", ("deadlock",), 60.0)
    assert Look().at(worker(1, liveness=deadlock, health=deadlock))["deadlock"] is not None
    assert worker(1, liveness=deadlock).probes[Probe.READINESS].status is Status.HEALTHY


def test_changes_of_a_check_that_others_see_failing_are_none_of_the_incident() -> None:
    elsewhere = Elsewhere(Status.UNHEALTHY)
    nothing = Problems({}, frozenset(), frozenset(), False, 0.0)
    seen: list[frozenset[str]] = []
    for others in ([worker(1, readiness=FAILS)], [worker(1)], [worker(1)]):
        elsewhere.add_to(nothing, host_of(serving_engine(), 100.0, *others), 100.0)
        seen.append(elsewhere.subjects)
    assert seen == [{"database"}, {"database"}, set()]
