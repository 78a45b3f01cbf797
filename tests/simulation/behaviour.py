"""How simulated dependencies behave: each in one way for a while, then in another."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from random import Random
from typing import Literal

from asgi_health import Check, Probe, Result, degraded, healthy, unhealthy

HEALTHY_AT_FIRST = 300.0
"""Seconds from the beginning in which every dependency is healthy."""

PASS, WARN, FAIL = healthy(), degraded("slow"), unhealthy("down")

Kind = Literal["healthy", "flaky", "down", "slow", "hanging", "uncancellable", "degraded"]

WEIGHTS: dict[Kind, int] = {
    "healthy": 40, "flaky": 2, "down": 2, "slow": 1, "hanging": 1, "uncancellable": 1, "degraded": 2,
}  # fmt: skip
"""How often each kind of behaviour follows another."""


@dataclass(frozen=True)
class Outcome:
    """How one run goes.

    Attributes:
        seconds: Duration of the run (seconds); infinity for a run that hangs.
        result: The result at its end.
        after_cancel: How long it goes on after it was cancelled (seconds); 0 for a run that ends at once.
    """

    seconds: float
    result: Result
    after_cancel: float


class Behaviour:
    """The changing behaviour of one dependency."""

    def __init__(self, random: Random, check: Check, now: float) -> None:
        self._random = random
        self._check = check
        self._kind: Kind = "healthy"
        self._until = now + HEALTHY_AT_FIRST

    def keep(self, kind: Kind) -> None:
        """Behave in one way from now on."""
        self._kind, self._until = kind, inf

    def next_outcome(self, now: float) -> Outcome:
        """Return how a run that starts at `now` will go."""
        random, timeout = self._random, self._check.timeout
        if now >= self._until:
            (self._kind,) = random.choices(tuple(WEIGHTS), tuple(WEIGHTS.values()))
            self._until = now + random.expovariate(1 / (3600 if self._kind == "healthy" else 120))
        quick = random.uniform(0.0, 0.5 * timeout)
        match self._kind:
            case "healthy":
                return Outcome(quick, PASS, 0.0)
            case "flaky":
                return Outcome(quick, random.choice((PASS, WARN, FAIL, FAIL)), 0.0)
            case "down":
                return Outcome(quick, FAIL, 0.0)
            case "slow":
                seconds = random.uniform(0.5, 1.5) * timeout
                return Outcome(seconds, random.choice((PASS, WARN)), random.uniform(0.0, 1.0))
            case "hanging":
                return Outcome(inf, PASS, random.uniform(0.0, 0.1))
            case "uncancellable":
                return Outcome(inf, PASS, random.expovariate(1 / 60))
            case "degraded":
                return Outcome(quick, WARN, 0.0)


def random_checks(random: Random, count: int, *, longest: float, critical: float) -> list[Check]:
    """Return checks of every kind, with intervals up to `longest`; `critical` is the share of critical ones."""
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
    raise AssertionError("the simulation decides how the run goes")


def seconds_stalled_since(stalls: Iterable[tuple[float, float]], moment: float) -> float:
    """Return how many of the seconds since `moment` lie in one of the `stalls`, each a pair of begin and end."""
    return sum(end - max(begin, moment) for begin, end in stalls if end > moment)
