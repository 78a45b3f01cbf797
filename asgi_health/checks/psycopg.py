"""What the pools of psycopg tell of themselves, sync and async alike."""

from dataclasses import dataclass
from typing import Any, Protocol

from ..core.result import Result, unhealthy
from .pool import Usage


class Pool(Protocol):
    """What is used of both kinds of pools."""

    @property
    def closed(self) -> bool: ...
    def get_stats(self) -> dict[str, int]: ...


@dataclass(frozen=True, slots=True)
class PoolState:
    """A pool at one moment."""

    available: int
    """Connections that it could give at once."""
    usage: Usage
    stuck: bool
    """Whether all that it could give is lost, and it waits before it connects again."""

    def answered_beside(self) -> Result:
        """Return what is to be said when the server has answered on a connection that is not of the pool."""
        if self.stuck:
            return unhealthy("the pool has not made its lost connections again, though the server accepts one")
        return self.usage.answered()


def state_of(pool: Pool) -> PoolState:
    """Return how `pool` is. It counts the connections that it waits to make again among those that it has."""
    measures = pool.get_stats()
    most, available = measures["pool_max"], measures["pool_available"]
    size = 0 if pool.closed else measures["pool_size"]  # before it is opened it counts those that it will make
    lost = connecting_again(pool)
    return PoolState(available, Usage(size - available - lost, most), bool(lost) and not available and size >= most)


def connecting_again(pool: Pool) -> int:
    """Return how many connections of `pool` wait to be made again.

    It connects in the background, and waits longer and longer. Private: it tells nobody.
    """
    queue: list[Any] = list(getattr(getattr(pool, "_sched", None), "_queue", ()))
    return sum(type(getattr(task.action, "__self__", None)).__name__ == "AddConnection" for task in queue)
