"""How full a pool is, and what a check says of it."""

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
