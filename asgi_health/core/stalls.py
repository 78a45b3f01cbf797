"""Stalls of the event loop: those so far, the present one, and how long one may be."""

from dataclasses import dataclass

from .status import Probe


@dataclass(frozen=True, slots=True)
class PastStalls:
    """The stalls of the app's event loop so far: those longer than `slow_loop`.

    Attributes:
        count: Number of stalls.
        longest: Duration of the longest one (seconds).
        total: Sum of their durations (seconds).
    """

    count: int = 0
    longest: float = 0.0
    total: float = 0.0

    def plus(self, seconds: float) -> "PastStalls":
        """Return these stalls and one more of `seconds`."""
        return PastStalls(self.count + 1, max(self.longest, seconds), self.total + seconds)


NO_STALLS = PastStalls()


class StallRecord:
    """The stalls of the app's event loop so far: those of the present lifespan, and those of all lifespans."""

    __slots__ = ("of_all", "of_lifespan")

    def __init__(self) -> None:
        self.of_lifespan = self.of_all = NO_STALLS

    def record(self, seconds: float) -> None:
        """Record a stall of `seconds`."""
        self.of_lifespan = self.of_lifespan.plus(seconds)
        self.of_all = self.of_all.plus(seconds)

    def restart(self) -> None:
        """Begin a lifespan: it has had no stall."""
        self.of_lifespan = NO_STALLS


@dataclass(frozen=True, slots=True)
class Stall:
    """The stall of the app's event loop at this moment, as a probe sees it.

    Attributes:
        seconds: Time since the loop should have run (seconds).
        limit: Time after which the probe is unhealthy (seconds).
    """

    seconds: float
    limit: float

    @property
    def too_long(self) -> bool:
        """Whether the probe is unhealthy because of it."""
        return self.seconds >= self.limit


@dataclass(frozen=True, slots=True)
class StallTimes:
    """How long the app's event loop may be blocked before probes are unhealthy.

    Attributes:
        ready: Seconds for readiness, and for all checks together.
        live: Seconds for liveness.
    """

    ready: float = 5.0
    live: float = 30.0

    def stall(self, probe: Probe, seconds: float) -> Stall | None:
        """Return the stall of a loop that is late by `seconds`, as `probe` sees it; None for startup."""
        if probe is Probe.STARTUP:
            return None
        return Stall(seconds, self.live if probe is Probe.LIVENESS else self.ready)
