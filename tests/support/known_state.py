"""A Health brought into a known state by hand: no loop, no thread, and a clock that moves when a test says so."""

from asgi_health import Check, Health, Probe, Result, healthy


class Clock:
    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def never_run() -> None:
    raise AssertionError("nothing runs these checks but the test itself")


def known(clock: Clock, *checks: tuple[Check, Result]) -> Health:
    """Return a Health whose app has started and whose checks have just answered what stands next to them."""
    health = Health([check for check, _ in checks], clock=clock, random=lambda: 0.5)
    health.serve()
    record(health, {check.name: result for check, result in checks})
    return health


def record(health: Health, results: dict[str, Result]) -> None:
    """Run what is due: the checks named in `results` answer that, all others pass."""
    now = health.clock()
    for run in health.due(now).start:
        health.record(run, results.get(run.check.name, healthy()), now)


def a_check(name: str, *, probes: tuple[Probe, ...] = (Probe.READINESS,), critical: bool = True) -> Check:
    return Check(name, never_run, probes=probes, critical=critical, interval=10.0, timeout=2.0)
