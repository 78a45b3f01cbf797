"""The registry: what may be added and removed, and what it says of what it holds."""

import gc
import weakref
from collections.abc import Callable
from math import inf
from typing import Any

import pytest

from asgi_health import Check, Health, Probe, Status, degraded, healthy, unhealthy
from asgi_health.core.check_slot import CheckOptions
from asgi_health.core.lifecycle import Phase
from asgi_health.core.schedule import Run

from ..support.core_cases import PROBES, check, finish, passing, refused, serving, standing, start, still

MAKE: Callable[..., Health] = Health


def names(health: Health) -> list[str]:
    return [each.name for each in health.checks]


def test_a_dict_becomes_checks_with_the_defaults() -> None:
    assert Health({"b": passing, "a": passing}).checks == (Check("b", passing), Check("a", passing))


@pytest.mark.parametrize("given", [(), {}, iter([])])
def test_nothing_to_look_after_is_fine(given: object) -> None:
    assert MAKE(given).checks == ()


def test_any_iterable_of_checks_is_taken() -> None:
    assert names(Health(check(name) for name in "ba")) == ["b", "a"]


@pytest.mark.parametrize("given", [None, 5, passing, check()])
def test_what_holds_no_checks_is_refused(given: object) -> None:
    with refused(TypeError, "health: checks ", "", "{name: function}"):
        MAKE(given)


@pytest.mark.parametrize("given", ["ab", [passing], [("a", passing)], [None]])
def test_what_holds_anything_but_checks_is_refused(given: object) -> None:
    with refused(TypeError, "health: ", "", "Check"):
        MAKE(given)


def test_a_dict_of_checks_is_refused_by_name() -> None:
    with refused(TypeError, "check 'a': run ", "Check(", "a function"):
        MAKE({"a": check("b")})


def test_a_name_that_is_taken_is_refused_and_the_first_check_stays() -> None:
    first = check("a", interval=1.0)
    health = serving(first)
    with refused(ValueError, "check 'a': ", "taken", "unique"):
        health.add(check("a", interval=2.0))
    assert health.checks == (first,)
    with refused(ValueError, "check 'a': ", "taken", "unique"):
        Health([first, check("a", interval=2.0)])


@pytest.mark.parametrize("act", ["remove", "report_check"])
def test_an_unknown_name_is_refused(act: str) -> None:
    with pytest.raises(KeyError, match="check 'typo': there is no check of that name"):
        getattr(serving(check()), act)("typo")


@pytest.mark.parametrize("probe", ["readiness", "ready", 1])
def test_a_probe_that_does_not_exist_is_not_healthy(probe: Any) -> None:
    # A report without checks passes; asked for by a name with a slip in it, it must not.
    with pytest.raises((TypeError, ValueError)):
        serving(check()).report(probe)


def test_the_decorator_adds_the_function_and_gives_it_back() -> None:
    health = Health()
    options: CheckOptions = {"probes": (Probe.LIVENESS,), "critical": False, "interval": 60.0, "timeout": 5.0}
    assert health.check("disk", **options)(passing) is passing
    assert health.checks == (Check("disk", passing, **options),)


def test_two_instances_share_nothing() -> None:
    one, other = serving(check()), serving(check())
    finish(one, healthy(), 0.0)
    one.drain()
    assert (standing(one), one.phase) == (Status.HEALTHY, Phase.DRAINING)
    assert (standing(other), other.phase) == (None, Phase.SERVING)


def test_an_added_check_is_due_at_once_and_unknown_until_it_has_answered() -> None:
    health = serving(check("a"))
    finish(health, healthy(), 0.0)
    assert health.report(Probe.READINESS, now=0.0).status is Status.HEALTHY
    health.add(check("b"))
    assert health.report(Probe.READINESS, now=0.0).status is Status.UNHEALTHY
    assert health.next_due() == -inf
    finish(health, healthy(), 1.0)
    assert health.report(Probe.READINESS, now=1.0).status is Status.HEALTHY


def test_a_removed_check_counts_no_longer() -> None:
    health = serving(check("a"), check("b"))
    a, b = health.due(0.0).start
    health.record(a, unhealthy("x"), 0.0)
    health.record(b, healthy(), 0.0)
    health.remove("a")
    assert names(health) == ["b"]
    assert health.report(Probe.READINESS, now=0.0).status is Status.HEALTHY
    assert health.outlook(Probe.READINESS).at(0.0) is Status.HEALTHY


def test_removing_the_last_startup_check_lets_startup_pass() -> None:
    health = serving(check("migrations", probes=(Probe.STARTUP,)))
    assert health.report(Probe.STARTUP, now=0.0).status is Status.UNHEALTHY
    health.remove("migrations")
    assert health.report(Probe.STARTUP, now=0.0).status is Status.HEALTHY
    assert health.report(Probe.READINESS, now=0.0).status is Status.HEALTHY


def test_the_run_of_a_removed_check_is_cancelled_once_and_counts_no_longer() -> None:
    health = serving(check("a"), check("b"))
    a, _ = health.due(0.0).start
    health.remove("a")
    assert health.next_wake() == -inf
    assert health.due(0.0).cancel == (a,)
    assert health.due(0.0).cancel == ()
    health.record(a, unhealthy("too late to matter"), 0.5)
    assert names(health) == ["b"]


def test_checks_that_are_removed_while_they_run_do_not_collect_runs() -> None:
    health = serving()
    begun: set[Run] = set()
    for cycle in range(50):
        health.add(check("a", lambda: None, timeout=2.0))  # each time another function
        begun |= {*health.due(cycle / 10).start}
        health.remove("a")
    assert len(begun) == 2


def test_a_check_that_waits_for_a_removed_one_fails_at_its_deadline_and_runs_as_soon_as_that_has_ended() -> None:
    health = serving()
    left = []
    for _ in range(2):
        health.add(check("a", timeout=2.0))
        left.append(start(health, 0.0))
        health.remove("a")
    health.add(check("a", timeout=2.0, failure_threshold=1))
    assert health.due(1.9).start == ()
    assert standing(health, now=1.9) is None
    assert health.due(2.1).start == ()
    assert standing(health, now=2.1) is Status.UNHEALTHY
    for run in left:
        health.record(run, healthy("of another check"), 3.0)
    assert standing(health, now=3.0) is Status.UNHEALTHY
    finish(health, healthy(), health.next_due())
    assert standing(health, now=5.0) is Status.HEALTHY


def test_a_check_that_waits_for_a_removed_one_runs_at_once_where_that_ends_in_time() -> None:
    health = serving()
    runs = []
    for _ in range(2):
        health.add(check("a", timeout=2.0))
        runs.append(start(health, 0.0))
        health.remove("a")
    health.add(check("a"))
    health.record(runs[-1], healthy("of another check"), 1.0)
    assert standing(health, now=1.0) is None
    finish(health, healthy(), 1.0)
    assert standing(health, now=1.0) is Status.HEALTHY


def test_a_late_result_of_a_removed_check_does_not_count_for_its_successor() -> None:
    health = serving(check("a"))
    old = start(health, 0.0)
    health.remove("a")
    health.add(check("a"))
    new = start(health, 0.1)
    health.record(old, healthy("from before"), 0.2)
    assert standing(health) is None
    assert health.report(Probe.READINESS, now=0.2).status is Status.UNHEALTHY
    health.record(new, degraded("from now"), 0.3)
    assert standing(health) is Status.DEGRADED


def test_a_result_counts_once() -> None:
    health = serving(check(failure_threshold=3))
    finish(health, healthy(), 0.0)
    run = start(health, 11.0)
    for _ in range(5):
        health.record(run, unhealthy("x"), 11.0)
    assert health.report_check("a", now=11.0).checks[0].state.failures == 1


def test_a_report_shows_each_check_of_its_probe_in_the_order_of_adding() -> None:
    health = serving(
        check("ready"), check("live", probes=(Probe.LIVENESS,)), check("both", probes=(Probe.LIVENESS, Probe.READINESS))
    )
    seen = {probe: [each.name for each in health.report(probe, now=0.0).checks] for probe in PROBES}
    assert seen == {
        Probe.LIVENESS: ["live", "both"],
        Probe.READINESS: ["ready", "both"],
        Probe.STARTUP: [],
        None: ["ready", "live", "both"],
    }
    assert [health.concerns(probe) for probe in PROBES] == [True, True, False, True]


def test_excluded_checks_are_left_out_of_one_report_and_told() -> None:
    health = serving(check("a"), check("b"))
    a, b = health.due(0.0).start
    health.record(a, unhealthy("x"), 0.0)
    health.record(b, healthy(), 0.0)
    report = health.report(Probe.READINESS, exclude=("a", "typo"), now=0.0)
    assert (report.status, report.excluded) == (Status.HEALTHY, ("a",))
    assert [each.name for each in report.checks] == ["b"]
    assert health.report(Probe.READINESS, now=0.0).status is Status.UNHEALTHY


def test_excluding_a_startup_check_does_not_open_readiness() -> None:
    health = serving(check("migrations", probes=(Probe.STARTUP,)))
    assert health.report(Probe.STARTUP, exclude=("migrations",), now=0.0).status is Status.HEALTHY
    assert health.report(Probe.READINESS, exclude=("migrations",), now=0.0).status is Status.UNHEALTHY


@pytest.mark.parametrize(
    ("results", "now", "status", "output"),
    [
        ((), 0.0, Status.UNHEALTHY, "no result yet"),
        ((healthy("fine"),), 0.0, Status.HEALTHY, ""),
        ((degraded("slow"),), 0.0, Status.DEGRADED, "slow"),
        ((unhealthy("down"),), 0.0, Status.UNHEALTHY, "down"),
        ((unhealthy("down"), healthy()), 1.0, Status.UNHEALTHY, "recovering: 1 of 2 passes in a row"),
        ((healthy(),), 32.0, Status.UNHEALTHY, "stale: no result for more than 32.0 s"),
        ((degraded("slow"),), 32.0, Status.UNHEALTHY, "stale: no result for more than 32.0 s"),
    ],
)
def test_a_check_that_is_not_healthy_says_why(
    results: tuple[Callable[..., object]], now: float, status: Status, output: str
) -> None:
    health = serving(check(success_threshold=2))
    for moment, result in enumerate(results):
        finish(health, result, float(moment))  # type: ignore[arg-type]
    (line,) = health.report(Probe.READINESS, now=now).checks
    assert (line.status, line.output) == (status, output)


def test_a_report_says_until_when_it_holds() -> None:
    health = serving(
        check("a", interval=1.0, max_age=5.0), check("b", interval=2.0), check("c", probes=(Probe.STARTUP,)), check("d")
    )
    assert health.report(now=0.0).until == inf  # nothing has answered that could grow old
    for run in health.due(0.0).start:
        if run.check.name != "d":
            health.record(run, healthy(), 1.0)
    assert health.report(now=1.0).until == 6.0
    assert health.report(now=5.999).until == 6.0
    assert health.report(now=6.0).until == 9.0  # `a` is stale already
    assert health.report(now=0.0, exclude=["a"]).until == 9.0
    assert health.report(Probe.STARTUP, now=1.0).until == inf
    assert health.report_check("b", now=1.0).until == 9.0
    assert health.report(now=9.0).until == inf


def test_one_check_alone_is_reported_whatever_the_phase() -> None:
    health = serving(check("a"))
    finish(health, healthy(), 0.0)
    health.drain()
    assert health.report_check("a", now=0.0).status is Status.HEALTHY
    assert health.report_check("a", now=32.0).status is Status.UNHEALTHY
    assert health.report(Probe.READINESS, now=0.0).status is Status.UNHEALTHY


def test_without_a_moment_the_clock_is_asked() -> None:
    clock = iter([0.0, 5.0, 32.0]).__next__
    health = Health([check()], clock=clock, random=lambda: 0.5)
    health.serve()
    finish(health, healthy(), 0.0)
    assert health.report(Probe.READINESS).status is Status.HEALTHY
    assert health.report(Probe.READINESS).status is Status.UNHEALTHY


def test_making_a_health_asks_no_clock() -> None:
    def broken() -> float:
        raise AssertionError("a clock may belong to a loop that does not run yet")

    health = Health({"a": passing}, clock=broken)
    assert health.report(now=0.0).now == 0.0


def test_the_version_grows_with_every_change_that_a_report_shows() -> None:
    health = Health(**still())
    versions = [health.version]

    def changed() -> bool:
        versions.append(health.version)
        return versions[-1] > versions[-2]

    health.add(check("a"))
    assert changed()
    health.serve()
    assert changed()
    run = start(health, 0.0)
    health.record(run, healthy(), 0.5)
    assert changed()
    finish(health, healthy("the same status, another time"), 11.0)
    assert changed()
    health.drain()
    assert changed()
    health.remove("a")
    assert changed()
    health.stop()
    assert changed()
    health.end()
    health.begin()
    assert changed()


def test_who_watches_and_is_gone_costs_nothing() -> None:
    """Many apps of a test suite come and go around one Health."""

    class Watcher:
        def __init__(self) -> None:
            self.told = 0

        def tell(self) -> None:
            self.told += 1

    health = serving()
    kept = Watcher()
    health.watch(kept.tell)
    gone = weakref.WeakSet[Watcher]()
    for _ in range(100):
        watcher = Watcher()
        gone.add(watcher)
        health.watch(watcher.tell)
        del watcher
    gc.collect()
    assert len(gone) == 0
    assert len(health._standing._watchers) <= 2
    health.changed()
    assert kept.told == 1


def test_a_function_that_watches_is_kept() -> None:
    health = serving()
    told: list[int] = []
    health.watch(lambda: told.append(1))
    gc.collect()
    health.changed()
    assert told == [1]
