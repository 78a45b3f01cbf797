"""How dependencies behave: each in its own mood for a while, then in another."""

from dataclasses import dataclass
from math import inf
from random import Random

from asgi_health import Check, Probe, Result, degraded, healthy, unhealthy

FAIR = 300.0
"""Seconds at the beginning in which all is well."""

PASS, WARN, FAIL = healthy(), degraded("slow"), unhealthy("down")


@dataclass(frozen=True)
class Act:
    """What one run does: how long it takes, what it says then, and for how long it ignores that it was cancelled."""

    seconds: float
    result: Result
    deaf: float


class Mood:
    """One dependency in its ups and downs."""

    def __init__(self, random: Random, check: Check, now: float) -> None:
        self._random = random
        self._check = check
        self._kind = "well"
        self._until = now + FAIR

    def stay(self, kind: str) -> None:
        """Be in one mood for ever."""
        self._kind, self._until = kind, inf

    def act(self, now: float) -> Act:
        """Return what a run that starts at `now` will do."""
        random, timeout = self._random, self._check.timeout
        if now >= self._until:
            kinds = ("well", "flaky", "down", "slow", "hung", "deaf", "warn")
            (self._kind,) = random.choices(kinds, (40, 2, 2, 1, 1, 1, 2))
            self._until = now + random.expovariate(1 / (3600 if self._kind == "well" else 120))
        quick = random.uniform(0.0, 0.5 * timeout)
        match self._kind:
            case "well":
                return Act(quick, PASS, 0.0)
            case "flaky":
                return Act(quick, random.choice((PASS, WARN, FAIL, FAIL)), 0.0)
            case "down":
                return Act(quick, FAIL, 0.0)
            case "slow":
                return Act(random.uniform(0.5, 1.5) * timeout, random.choice((PASS, WARN)), random.uniform(0.0, 1.0))
            case "hung":
                return Act(inf, PASS, random.uniform(0.0, 0.1))
            case "deaf":
                return Act(inf, PASS, random.expovariate(1 / 60))
            case _:
                return Act(quick, WARN, 0.0)


def some_checks(random: Random, count: int, *, longest: float, critical: float) -> list[Check]:
    """Return checks of every kind, with intervals up to `longest`; `critical` is the share of those."""
    checks = []
    for number in range(count):
        interval = round(longest * random.uniform(0.1, 1.0), 2)
        timeout = round(random.uniform(0.5, 5.0), 2)
        checks.append(
            Check(
                f"c{number}",
                _not_called,
                probes=random.choice(
                    [(Probe.READINESS,)] * 6 + [(Probe.LIVENESS,), (Probe.STARTUP,), (Probe.STARTUP, Probe.READINESS)]
                ),
                critical=random.random() < critical,
                interval=interval,
                retry_interval=round(interval * random.choice((0.1, 0.5, 1.0, 2.0)), 2),
                timeout=timeout,
                failure_threshold=random.randint(1, 4),
                success_threshold=random.randint(1, 3),
                max_age=random.choice((None, 1.2 * interval + timeout)),
            )
        )
    return checks


def _not_called() -> None:
    raise AssertionError("the simulation acts in its place")
