"""The phases of a process, and what they make of the checks: the table of the design, row by row."""

from collections.abc import Mapping
from types import MappingProxyType

import pytest

from asgi_health import Check, Health, Probe, Result, Status, degraded, healthy, unhealthy
from asgi_health.core.lifecycle import Phase

from ..support.core_cases import PROBES, check, finish, serving, standing, start, still

H, D, U = Status.HEALTHY, Status.DEGRADED, Status.UNHEALTHY

STARTUP = check("migrations", probes=(Probe.STARTUP,))
CRITICAL = check("database", failure_threshold=1)
OPTIONAL = check("cache", critical=False, failure_threshold=1)
ALIVE = check("worker", probes=(Probe.LIVENESS,), failure_threshold=1)


def stands(health: Health, now: float = 0.0) -> tuple[Status, Status, Status, Status]:
    """Return the status of liveness, readiness, startup and everything, asked in both ways."""
    seen = [health.report(probe, now=now).status for probe in PROBES]
    assert [health.outlook(probe).at(now) for probe in PROBES] == seen
    live, ready, startup, everything = seen
    return live, ready, startup, everything


def run_all(health: Health, now: float = 0.0, given: Mapping[str, Result] = MappingProxyType({})) -> None:
    """Run what is due: what is not told otherwise passes."""
    for run in health.due(now).start:
        health.record(run, given.get(run.check.name, healthy()), now)


def begin_again(health: Health) -> None:
    """End the life of the app, and begin another in the same process."""
    health.stop()
    health.end()
    health.begin()


@pytest.mark.parametrize(
    ("told", "phase"),
    [
        ("", Phase.STARTING),
        ("begin", Phase.STARTING),
        ("serve", Phase.SERVING),
        ("begin serve", Phase.SERVING),
        ("begin serve drain", Phase.DRAINING),
        ("begin serve drain stop", Phase.STOPPED),
        ("begin serve stop drain", Phase.STOPPED),
        ("begin stop serve", Phase.STOPPED),
        ("begin drain serve", Phase.DRAINING),
        ("drain begin serve", Phase.DRAINING),
        ("begin serve begin", Phase.SERVING),  # another middleware tells of the same life
        ("begin serve stop begin", Phase.STOPPED),
        ("begin serve stop end begin", Phase.STARTING),
        ("begin serve stop end begin serve", Phase.SERVING),
        ("begin serve drain stop end begin serve", Phase.SERVING),  # the drain was that of the first life
        (
            "begin serve drain end begin serve",
            Phase.DRAINING,
        ),  # a lifespan that crashed, of a process that still drains
        ("begin serve end", Phase.SERVING),
    ],
)
def test_phases_go_forward_only_until_a_new_life_begins(told: str, phase: Phase) -> None:
    health = Health(**still())
    for act in told.split():
        getattr(health, act)()
    assert health.phase is phase
    assert (stands(health)[1] is H) == (phase is Phase.SERVING)


def test_of_several_who_tell_of_one_life_the_first_is_heard() -> None:
    health = Health([CRITICAL], **still())
    one, other = object(), object()
    assert health.begin(one)
    health.serve()
    run_all(health)
    assert not health.begin(one)
    assert stands(health) == (H, H, H, H)
    assert not health.end(other)
    assert not health.begin(one)
    assert health.begin(other)
    assert stands(health) == (H, U, U, U)


def test_the_end_of_a_life_that_is_over_does_not_end_the_present_one() -> None:
    health = Health(**still())
    one, other = object(), object()
    health.begin(one)
    health.begin(other)
    health.serve()
    assert not health.end(one)
    assert not health.begin(other)
    assert health.end(other)
    assert health.begin(other)


def test_while_the_app_starts_only_liveness_is_well() -> None:
    health = Health([STARTUP, CRITICAL], **still())
    run_all(health)
    assert stands(health) == (H, U, U, U)


def test_without_any_checks_the_app_is_ready_as_soon_as_it_has_started() -> None:
    health = Health(**still())
    assert stands(health) == (H, U, U, U)
    health.serve()
    assert stands(health, 1e9) == (H, H, H, H)


def test_a_startup_check_that_has_not_passed_holds_everything_but_liveness() -> None:
    health = serving(STARTUP, CRITICAL)
    assert stands(health) == (H, U, U, U)
    run_all(health, given={"migrations": unhealthy("locked")})
    assert stands(health) == (H, U, U, U)
    run_all(health, now=1.0)
    assert stands(health, 1.0) == (H, H, H, H)


def test_a_degraded_startup_check_lets_the_app_start() -> None:
    health = serving(STARTUP)
    run_all(health, given={"migrations": degraded("slow")})
    assert stands(health) == (H, H, H, D)


def test_a_startup_check_that_is_not_critical_does_not_hold_the_start() -> None:
    health = serving(check("warm", probes=(Probe.STARTUP,), critical=False))
    assert stands(health) == (H, H, H, D)


def test_startup_needs_its_threshold_once_the_check_has_failed() -> None:
    health = serving(check("a", probes=(Probe.STARTUP,), success_threshold=2))
    seen = []
    for moment, result in enumerate((unhealthy("x"), healthy(), healthy())):
        finish(health, result, float(moment))
        seen.append(health.report(Probe.STARTUP, now=float(moment)).status)
    assert seen == [U, U, H]


def test_startup_once_passed_stays_passed() -> None:
    both = check("a", probes=(Probe.STARTUP, Probe.READINESS), failure_threshold=1)
    health = serving(both)
    run_all(health)
    run_all(health, now=11.0, given={"a": unhealthy("x")})
    assert stands(health, 11.0) == (H, U, H, U)
    health.add(STARTUP)
    assert stands(health, 11.0) == (H, U, H, U)
    health.drain()
    assert health.report(Probe.STARTUP, now=1e9).status is H


def test_startup_asks_that_each_check_was_well_once_not_all_at_the_same_time() -> None:
    health = serving(*(check(name, probes=(Probe.STARTUP,), failure_threshold=1) for name in "ab"))
    run_all(health, 0.0, {"a": degraded("passed, and goes on"), "b": unhealthy("x")})
    assert health.report(Probe.STARTUP, now=0.0).status is U
    run_all(health, 20.0, {"a": unhealthy("x")})
    assert standing(health, "a", 20.0) is U
    assert health.report(Probe.STARTUP, now=20.0).status is H


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (H, H, H, H)),
        ({"cache": unhealthy("x")}, (H, D, H, D)),
        ({"cache": degraded("x")}, (H, D, H, D)),
        ({"database": degraded("x")}, (H, D, H, D)),
        ({"database": unhealthy("x")}, (H, U, H, U)),
        ({"worker": degraded("x")}, (D, H, H, D)),
        ({"worker": unhealthy("x")}, (U, H, H, U)),
    ],
)
def test_the_results_of_the_checks_decide_while_the_app_serves(
    given: dict[str, Result], expected: tuple[Status, ...]
) -> None:
    health = serving(STARTUP, CRITICAL, OPTIONAL, ALIVE)
    run_all(health, given=given)
    assert stands(health) == expected


@pytest.mark.parametrize(
    ("subject", "expected"), [(CRITICAL, (H, U, H, U)), (OPTIONAL, (H, D, H, D)), (ALIVE, (D, H, H, U))]
)
def test_unknown_and_stale_count_alike_and_never_restart_the_process(
    subject: Check, expected: tuple[Status, ...]
) -> None:
    health = serving(subject)
    assert stands(health) == expected
    run_all(health)
    assert stands(health) == (H, H, H, H)
    assert stands(health, 31.999) == (H, H, H, H)
    assert stands(health, 32.0) == expected


def test_draining_closes_readiness_and_nothing_else() -> None:
    health = serving(STARTUP, CRITICAL, ALIVE)
    run_all(health)
    health.drain()
    assert stands(health) == (H, U, H, U)
    run_all(health, now=11.0)
    assert stands(health, 11.0) == (H, U, H, U)


@pytest.mark.parametrize("act", ["serve", "begin", "drain"])
def test_nothing_but_a_second_life_ends_a_drain(act: str) -> None:
    health = serving()
    health.drain()
    getattr(health, act)()
    health.serve()
    assert health.phase is Phase.DRAINING
    assert stands(health)[1] is U


def test_a_drain_before_the_app_has_started_holds() -> None:
    health = Health(**still())
    health.drain()
    health.serve()
    assert (health.phase, stands(health)) == (Phase.DRAINING, (H, U, H, U))


def test_a_stopped_app_is_not_ready_whatever_comes_after() -> None:
    health = serving(CRITICAL)
    run_all(health)
    health.stop()
    assert stands(health) == (H, U, H, U)
    health.drain()
    assert health.phase is Phase.STOPPED


def test_a_second_life_starts_from_nothing() -> None:
    health = serving(STARTUP, CRITICAL)
    run_all(health)
    health.drain()
    begin_again(health)
    assert (health.phase, stands(health)) == (Phase.STARTING, (H, U, U, U))
    health.serve()
    assert stands(health) == (H, U, U, U)
    assert {run.check.name for run in health.due(5.0).start} == {"migrations", "database"}


def test_a_second_life_counts_its_own_failures_only() -> None:
    health = serving(check("a", failure_threshold=3))
    finish(health, healthy(), 0.0)
    finish(health, unhealthy("x"), 10.0)
    finish(health, unhealthy("x"), 11.0)
    begin_again(health)
    health.serve()
    finish(health, healthy(), 12.0)
    finish(health, unhealthy("x"), 22.0)
    assert standing(health, now=22.0) is H


def test_a_run_of_the_former_life_does_not_vouch_for_the_second() -> None:
    # Its function used what the app has closed since.
    health = serving(check("a", timeout=10.0))
    run = start(health, 0.0)
    begin_again(health)
    health.serve()
    assert health.due(0.9).start == ()
    assert standing(health, now=0.9) is None  # it is in time
    health.record(run, healthy("of the former life"), 1.0)
    assert stands(health, 1.0)[1] is U
    finish(health, healthy(), 1.0)
    assert stands(health, 1.0)[1] is H


def test_a_run_of_the_former_life_that_does_not_end_is_not_started_twice() -> None:
    health = serving(check("a", timeout=2.0))
    start(health, 0.0)
    begin_again(health)
    health.serve()
    now = 0.0
    for _ in range(20):
        now = max(now, health.next_wake())
        assert health.due(now).start == ()
    assert now > 10.0
    assert stands(health, now)[1] is U


def test_a_process_may_live_many_lives() -> None:
    health = Health([CRITICAL], **still())
    for life in range(5):
        now = life * 100.0
        begin_again(health)
        assert stands(health, now) == (H, U, U, U)
        health.serve()
        run_all(health, now)
        assert stands(health, now) == (H, H, H, H)
        health.stop()
        assert stands(health, now) == (H, U, H, U)


def test_a_probe_is_undecided_for_want_of_first_results_alone() -> None:
    health = Health([STARTUP, CRITICAL, OPTIONAL, ALIVE], **still())
    health.serve()
    assert [health.undecided(probe) for probe in PROBES] == [False, True, True, True]
    runs = {run.check.name: run for run in health.due(0.0).start}
    health.record(runs["migrations"], healthy(), 0.0)
    assert [health.undecided(probe) for probe in PROBES] == [False, True, False, True]
    health.record(runs["database"], unhealthy("x"), 0.0)
    assert [health.undecided(probe) for probe in PROBES] == [False, False, False, False]
