"""The core alone: thousands of checks for half an hour, some for a day, and everything that goes wrong meanwhile."""

from random import Random
from statistics import mean

import pytest

from asgi_health import Probe, Status
from asgi_health.core.status import worst

from .moods import some_checks
from .size import deep_size
from .world import EPSILON, World

HOUR = 3600.0
PROBES: tuple[Probe | None, ...] = (*Probe, None)


def look_at_readiness(world: World) -> bool:
    """Compare readiness with what the witnesses know, and return whether it is green."""
    green = world.health.outlook(Probe.READINESS).at(world.now) is not Status.UNHEALTHY
    if green:
        assert world.started_up
        assert not any(witness.bad(world.now) for witness in world.deciding)
    else:
        assert not world.started_up or any(witness.bad(world.now) or witness.overran for witness in world.deciding)
    return green


def look_at_everything(world: World) -> None:
    """Compare what is counted along the way with what counting anew gives, and look for checks that were forgotten."""
    for probe in PROBES:
        outlook = world.health.outlook(probe)
        for moment in (world.now, world.now + 60.0, world.now + 1e5):
            assert outlook.at(moment) is world.health.report(probe, now=moment).status
    for witness in world.witnesses.values():
        check, run = witness.check, witness.run
        longest = 1.1 * check.interval
        if run is None:
            late = world.now - witness.ended
            assert witness.done or late <= longest + world.stalled_since(witness.ended) + EPSILON, "forgotten"
        elif run.expired:
            overdue = world.now - run.deadline - world.stalled_since(run.deadline)
            if overdue > check.failure_threshold * longest:
                (line,) = world.health.report_check(check.name, now=world.now).checks
                assert line.status is Status.UNHEALTHY, "a run that hangs goes unnoticed"


@pytest.mark.parametrize(
    ("count", "longest", "share", "hours"),
    [pytest.param(3000, 600.0, 0.004, 0.4, id="thousands"), pytest.param(40, 600.0, 0.4, 25.0, id="a day")],
)
def test_the_promises_hold_whatever_happens(seed: int, count: int, longest: float, share: float, hours: float) -> None:
    random = Random(seed)
    checks = some_checks(random, count, longest=longest, critical=share)
    world = World(random, checks, stalls_every=300.0, churn_every=600.0)
    seen = {True: 0, False: 0}
    for step, _ in enumerate(world.live(hours * HOUR)):
        seen[look_at_readiness(world)] += 1
        if step % (20 + count) == 0:
            look_at_everything(world)
    assert seen[True] > 100, "a simulation that is never green proves nothing"
    assert seen[False] > 0
    world.health.drain()
    for _ in world.live(600.0):
        assert world.health.outlook(Probe.READINESS).at(world.now) is Status.UNHEALTHY


def test_after_a_day_it_holds_no_more_memory_than_after_an_hour(seed: int) -> None:
    random = Random(seed)
    checks = some_checks(random, 20, longest=120.0, critical=0.5)
    world = World(random, checks, stalls_every=300.0, churn_every=120.0)
    sizes: dict[int, list[int]] = {1: [], 24: []}
    for step, _ in enumerate(world.live(25 * HOUR)):
        hour = int((world.now - world.begin) // HOUR)
        if hour in sizes and step % 10 == 0:
            sizes[hour].append(deep_size(world.health))
    assert world.runs > 10_000
    # On average: what is outdated in a heap is thrown out in one go, now and then.
    assert mean(sizes[24]) == pytest.approx(mean(sizes[1]), rel=0.15)


def test_without_trouble_everything_stays_green(seed: int) -> None:
    # The other direction of all of the above: no promise is kept by never being green.
    random = Random(seed)
    checks = some_checks(random, 200, longest=60.0, critical=1.0)
    world = World(random, checks, stalls_every=1e9, churn_every=1e9)
    for mood in world.moods.values():
        mood.stay("well")
    settled = world.now + max(check.timeout for check in checks)
    for _ in world.live(0.5 * HOUR):
        if world.now > settled:
            statuses = [world.health.outlook(probe).at(world.now) for probe in PROBES]
            assert worst(statuses) is Status.HEALTHY
