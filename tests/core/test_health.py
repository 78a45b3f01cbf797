"""Health, the public face: the forms in which it takes checks, its errors, and the defaults of its methods."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from asgi_health import Check, Health, Probe, Status, healthy
from asgi_health.core.normalize_checks import CheckOptions
from asgi_health.health import engine_of

from ..support.core_cases import check, check_status, passing, refused, run_check

MAKE: Callable[..., Health] = Health  # untyped: the tests pass what a type checker would not allow


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def serving_health(checks: Iterable[Check], clock: Callable[[], float]) -> Health:
    health = Health(checks, clock=clock, random=lambda: 0.5)
    engine_of(health).serve(clock())
    return health


def names(health: Health) -> list[str]:
    return [each.name for each in health.checks]


# -- checks


def test_a_dict_becomes_checks_with_the_defaults() -> None:
    assert Health({"b": passing, "a": passing}).checks == (Check("b", passing), Check("a", passing))


@pytest.mark.parametrize("given", [(), {}, iter([])])
def test_a_health_may_have_no_checks(given: object) -> None:
    assert MAKE(given).checks == ()


def test_any_iterable_of_checks_is_accepted() -> None:
    assert names(Health(check(name) for name in "ba")) == ["b", "a"]


@pytest.mark.parametrize("given", [None, 5, passing, check()])
def test_an_argument_that_holds_no_checks_is_refused(given: object) -> None:
    with refused(TypeError, "health: checks ", "", "{name: function}"):
        MAKE(given)


@pytest.mark.parametrize("given", ["ab", [passing], [("a", passing)], [None]])
def test_an_iterable_of_other_things_than_checks_is_refused(given: object) -> None:
    with refused(TypeError, "health: ", "", "Check"):
        MAKE(given)


def test_a_dict_of_checks_is_refused_by_name() -> None:
    with refused(TypeError, "check 'a': run ", "Check(", "a function"):
        MAKE({"a": check("b")})


def test_two_checks_of_one_name_are_refused() -> None:
    with refused(ValueError, "check 'a': ", "taken", "unique"):
        Health([check("a", interval=1.0), check("a", interval=2.0)])


@pytest.mark.parametrize("value", [passing, "a", None, ("a", passing)])
def test_adding_anything_but_a_check_is_refused(value: Any) -> None:
    health = Health()
    with refused(TypeError, "health: the check to add ", "Check", repr(value)[:80]):
        health.add(value)
    assert health.checks == ()


def test_removing_an_unknown_name_is_refused() -> None:
    with pytest.raises(KeyError, match="check 'typo': there is no check of that name"):
        Health([check()]).remove("typo")


def test_a_removed_check_is_gone() -> None:
    health = Health([check("a"), check("b")])
    health.remove("a")
    assert names(health) == ["b"]


def test_two_instances_share_nothing() -> None:
    clock = Clock()
    one, other = serving_health([check()], clock), serving_health([check()], clock)
    run_check(engine_of(one), healthy(), 0.0)
    one.drain()
    assert check_status(engine_of(one)) is Status.HEALTHY
    assert one.report(Probe.READINESS).status is Status.UNHEALTHY
    assert check_status(engine_of(other)) is None
    run_check(engine_of(other), healthy(), 0.0)
    assert other.report(Probe.READINESS).status is Status.HEALTHY


# -- the decorator


def test_the_decorator_adds_the_function_and_returns_it() -> None:
    health = Health()
    options: CheckOptions = {"probes": (Probe.LIVENESS,), "critical": False, "interval": 60.0, "timeout": 5.0}
    assert health.check("disk", **options)(passing) is passing
    assert health.checks == (Check("disk", passing, **options),)


def test_the_decorator_refuses_a_function_in_the_place_of_the_name() -> None:
    decorator: Callable[..., Any] = Health().check
    with refused(TypeError, "health: the name in @health.check", "passing", "str"):
        decorator(passing)


def test_the_decorator_adds_no_check_that_could_not_work() -> None:
    health = Health()
    with refused(ValueError, "check 'a': timeout ", "0"):
        health.check("a", timeout=0)(passing)
    assert health.checks == ()


# -- reports


def test_a_report_is_of_all_checks_at_the_present_moment_by_default() -> None:
    clock = Clock()
    health = serving_health([check("a"), check("b", probes=(Probe.LIVENESS,), critical=False)], clock)
    clock.now = 7.0
    report = health.report()
    assert (report.probe, report.now) == (Probe.HEALTH, 7.0)
    assert [each.name for each in report.checks] == ["a", "b"]


def test_a_report_reads_the_clock_unless_it_is_given_a_moment() -> None:
    clock = Clock()
    health = serving_health([check()], clock)
    run_check(engine_of(health), healthy(), 0.0)
    clock.now = 32.0
    assert health.report(Probe.READINESS).status is Status.UNHEALTHY
    assert health.report(Probe.READINESS, now=31.9).status is Status.HEALTHY


def test_making_a_health_reads_no_clock() -> None:
    def broken() -> float:
        raise AssertionError("the clock may belong to a loop that does not run yet")

    health = Health({"a": passing}, clock=broken)
    assert health.report(now=0.0).now == 0.0


@pytest.mark.parametrize("probe", ["readiness", "ready", 1, None])
def test_a_probe_that_does_not_exist_is_refused(probe: Any) -> None:
    # A report without checks passes. A misspelt probe must not give such a report.
    with refused(TypeError, "health: probe ", repr(probe), "Probe"):
        Health([check()]).report(probe)


def test_one_string_of_names_to_exclude_is_refused() -> None:
    with refused(TypeError, "health: exclude ", "'ab'", "an iterable of names"):
        Health([check("a"), check("b")]).report(exclude="ab")


def test_an_excluded_check_does_not_count() -> None:
    clock = Clock()
    health = serving_health([check("a"), check("b")], clock)
    a, _ = engine_of(health).due(0.0).start
    engine_of(health).record(a, healthy(), 0.0)
    assert health.report(Probe.READINESS, exclude=["b"]).status is Status.HEALTHY
    assert health.report(Probe.READINESS).status is Status.UNHEALTHY


# -- drain and subscribers


def test_a_drain_begins_at_the_present_moment() -> None:
    clock = Clock()
    health = serving_health([], clock)
    clock.now = 5.0
    health.drain()
    report = health.report(Probe.READINESS)
    assert (report.status, report.since) == (Status.UNHEALTHY, 5.0)


@pytest.mark.parametrize("callback", [None, "log", 5])
def test_a_subscriber_that_cannot_be_called_is_refused(callback: Any) -> None:
    with refused(TypeError, "health: subscribe ", repr(callback), "a function"):
        Health().subscribe(callback)


@pytest.mark.parametrize(("option", "value"), [("queue", 0), ("queue", 1.5), ("timeout", 0.0), ("timeout", "10")])
def test_an_option_of_a_subscription_that_could_not_work_is_refused(option: str, value: Any) -> None:
    with refused((TypeError, ValueError)[value in (0, 0.0)], f"health: subscribe: {option} ", repr(value)):
        Health().subscribe(print, **{option: value})
