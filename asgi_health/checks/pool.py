"""How full a pool is, and what a check says of it."""

from collections.abc import Callable
from dataclasses import dataclass

from ..core.result import Result, degraded, healthy


@dataclass(frozen=True, slots=True)
class Usage:
    """Connections of a pool at one moment."""

    in_use: int
    size: int
    """How many there can be at most."""

    @property
    def exhausted(self) -> bool:
        return self.in_use >= self.size

    @property
    def data(self) -> dict[str, int]:
        return {"pool_in_use": self.in_use, "pool_size": self.size}

    def answered(self) -> Result:
        """Return what is to be said when the server has answered."""
        if self.exhausted:
            return degraded(f"pool exhausted: {self.in_use} of {self.size} in use", data=self.data)
        return healthy(data=self.data)


def usage_of(count: Callable[[], Usage | None]) -> Usage | None:
    """Return what `count` finds in the private parts of a driver, or None in a version that has others.

    So an upgrade costs a figure, and the server is asked all the same.
    """
    try:
        return count()
    except AttributeError:
        return None


def exhausted(usage: Usage | None) -> bool:
    return usage is not None and usage.exhausted


def answered(usage: Usage | None) -> Result:
    """Return what is to be said when the server has answered, whether the pool is known or not."""
    return healthy() if usage is None else usage.answered()
