"""What the pools of psycopg tell of themselves, sync and async alike."""

import sys
from dataclasses import dataclass
from typing import Any, Protocol

from ...core.result import Result, degraded, healthy, unhealthy
from .pool import Usage

CONNECTS = 0.1
"""Seconds in which a pool connects to a server that answers. What it is connecting counts as at work until then."""


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
    """Connections that it waits to make again are not in use; where it does not tell of them, they may be."""
    lost: int | None
    """Connections that it waits to make again; None where it does not tell."""
    full: bool
    """Whether it has, or is about to have, all that it may."""

    @property
    def stuck(self) -> bool:
        """Whether all that it could give is lost, and it waits before it connects again."""
        return bool(self.lost) and self._gives_none and not self.usage.in_use

    @property
    def spent(self) -> bool:
        """Whether all that it has is at work, and it makes no more at once."""
        return self.lost is not None and self._gives_none and self.usage.in_use > 0

    @property
    def _gives_none(self) -> bool:
        return self.full and not self.available

    def answered_beside(self) -> Result:
        """Return what is to be said when the server has answered on a connection that is not of the pool."""
        if self.stuck:
            return unhealthy("the pool has not made its lost connections again, though the server accepts one")
        if self.lost is None and self._gives_none:
            return unhealthy("the pool has no connection to give, and does not tell why")
        if self.spent:
            again = f", {self.lost} to be made again" if self.lost else ""
            told = f"pool exhausted: {self.usage.in_use} of {self.usage.size} in use{again}"
            return degraded(told, data=self.usage.data)
        return healthy(data=self.usage.data)


def state_of(pool: Pool) -> PoolState:
    """Return how `pool` is. It counts the connections that it waits to make again among those that it has."""
    measures = pool.get_stats()
    most, available = measures["pool_max"], measures["pool_available"]
    size = 0 if pool.closed else measures["pool_size"]  # before it is opened it counts those that it will make
    lost = connecting_again(pool)
    return PoolState(available, Usage(size - available - (lost or 0), most), lost, 0 < most <= size)


def connecting_again(pool: Pool) -> int | None:
    """Return how many connections of `pool` wait to be made again, or None where that cannot be seen.

    It connects in the background, and waits longer and longer. Private: it tells nobody.
    """
    if pool.closed:
        return 0
    queue = getattr(getattr(pool, "_sched", None), "_queue", None)
    homes = [sys.modules.get(kind.__module__) for kind in type(pool).__mro__]
    kind: Any = next(filter(None, (getattr(home, "AddConnection", None) for home in homes)), None)
    if queue is None or kind is None:
        return None
    waiting: list[Any] = list(queue)
    return sum(isinstance(getattr(task.action, "__self__", None), kind) for task in waiting)
