"""Make a Health in a known state, without an event loop or a thread, on a clock that tests set."""

from asgi_health import Check, Health, Probe, Result, healthy
from asgi_health.core.schedule import Run
from asgi_health.health import engine_of


class Clock:
    """A clock that shows `now`, which tests set."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def never_run() -> None:
    raise AssertionError("only the test itself records results of this check")


def make_check(
    name: str,
    *,
    probes: tuple[Probe, ...] = (Probe.READINESS,),
    critical: bool = True,
    group: str | None = None,
) -> Check:
    return Check(name, never_run, probes=probes, critical=critical, interval=10.0, timeout=2.0, group=group)


def health_with(clock: Clock, *checks: tuple[Check, Result]) -> Health:
    """Return the Health of an app that has started, whose checks have each just had the result next to them."""
    health = Health([check for check, _ in checks], clock=clock, random=lambda: 0.5)
    engine_of(health).serve(clock.now)
    record(health, clock, {check.name: result for check, result in checks})
    return health


def record(health: Health, clock: Clock, results: dict[str, Result]) -> None:
    """Record a result of each check that is due: the one in `results`, or a pass."""
    for run in start_due(health, clock):
        finish(health, clock, run, results.get(run.check.name, healthy()))


def start_due(health: Health, clock: Clock) -> tuple[Run, ...]:
    """Return the runs that are due, as started: unless they are finished, their checks hang."""
    return tuple(engine_of(health).due(clock.now).start)


def finish(health: Health, clock: Clock, run: Run, result: Result) -> None:
    """Record the result of one run."""
    engine_of(health).record(run, result, clock.now)
