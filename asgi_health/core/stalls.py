"""An event loop that is late."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stalls:
    """The stalls of the app's event loop so far, those longer than what counts as slow."""

    count: int = 0
    longest: float = 0.0
    """Seconds."""

    def and_one(self, seconds: float) -> "Stalls":
        """Return these and one more that took `seconds`."""
        return Stalls(self.count + 1, max(self.longest, seconds))


NO_STALLS = Stalls()


@dataclass(frozen=True, slots=True)
class Stall:
    """An event loop that has not had a turn for `seconds`, and the probe gives it up after `limit`."""

    seconds: float
    limit: float

    @property
    def over(self) -> bool:
        """Whether that is too long."""
        return self.seconds >= self.limit
