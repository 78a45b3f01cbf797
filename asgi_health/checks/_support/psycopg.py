"""The state of a pool of psycopg, sync or async."""

import sys
from dataclasses import dataclass
from typing import Any, Protocol

from ...core.result import Result, degraded, healthy, unhealthy
from .pool import Usage

CONNECT_TIME = 0.1
"""Seconds in which a pool connects to a server that answers. Until then the connection counts as in use."""


class Pool(Protocol):
    """What is used of both kinds of pools."""

    @property
    def closed(self) -> bool: ...
    def get_stats(self) -> dict[str, int]: ...


@dataclass(frozen=True, slots=True)
class PoolState:
    """A pool at one moment.

    Attributes:
        available: Connections that the pool could give at once.
        usage: Connections in use. Those that wait to be opened again are not in use. Where `lost` is unknown they are
            counted as in use.
        lost: Connections that wait to be opened again. None: unknown.
        full: The pool has, or is about to have, all connections that it may have.
    """

    available: int
    usage: Usage
    lost: int | None
    full: bool

    @property
    def stuck(self) -> bool:
        """Whether all connections are lost, and the pool waits before it connects again."""
        return bool(self.lost) and self._gives_none and not self.usage.in_use

    @property
    def exhausted(self) -> bool:
        """Whether all connections are in use, and the pool opens no more."""
        return self.lost is not None and self._gives_none and self.usage.in_use > 0

    @property
    def _gives_none(self) -> bool:
        return self.full and not self.available

    def answered_outside_pool(self) -> Result:
        """Return the result of a run whose server has answered on a connection outside the pool."""
        if self.stuck:
            return unhealthy("the pool has not made its lost connections again, though the server accepts one")
        if self.lost is None and self._gives_none:
            return unhealthy("the pool has no connection to give, and the reason cannot be seen")
        if self.exhausted:
            again = f", {self.lost} to be made again" if self.lost else ""
            message = f"pool exhausted: {self.usage.in_use} of {self.usage.size} in use{again}"
            return degraded(message, data=self.usage.data)
        return healthy(data=self.usage.data)


def state_of(pool: Pool) -> PoolState:
    """Return the state of `pool`. Its own size includes the connections that wait to be opened again."""
    stats = pool.get_stats()
    largest, available = stats["pool_max"], stats["pool_available"]
    size = 0 if pool.closed else stats["pool_size"]  # before it is opened, the pool counts those that it will open
    lost = connecting_again(pool)
    return PoolState(available, Usage(size - available - (lost or 0), largest), lost, 0 < largest <= size)


def connecting_again(pool: Pool) -> int | None:
    """Return how many connections of `pool` wait to be opened again, or None where that cannot be seen.

    The pool connects in the background, with growing pauses. It exposes the number in private attributes only.
    """
    if pool.closed:
        return 0
    queue = getattr(getattr(pool, "_sched", None), "_queue", None)
    modules = [sys.modules.get(kind.__module__) for kind in type(pool).__mro__]
    kind: Any = next(filter(None, (getattr(module, "AddConnection", None) for module in modules)), None)
    if queue is None or kind is None:
        return None
    waiting: list[Any] = list(queue)
    return sum(isinstance(getattr(task.action, "__self__", None), kind) for task in waiting)
