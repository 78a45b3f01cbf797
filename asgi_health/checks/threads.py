"""The threads in which an application runs its blocking functions: how many are left."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..core.result import Result, degraded, healthy
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientOrFactory, client_getter

if TYPE_CHECKING:
    from anyio import CapacityLimiter


@catalogued(
    technology="threads",
    extra="",
    asked="the tokens in use of a limiter of anyio, and the tasks that wait for one",
    costs="nothing",
    privileges="none",
)
def thread_limiter(limiter: "ClientOrFactory[CapacityLimiter] | None" = None) -> AsyncCheck:
    """Return a check that a limiter of anyio has tokens left; without one, the limiter that anyio uses by default.

    That is where Starlette, FastAPI and Litestar run plain functions: 40 at a time. All in use is degraded, as for any
    pool: what waits is not dead. Raises TypeError for another kind of limiter.
    """
    import anyio.to_thread

    given: ClientOrFactory[CapacityLimiter] = (
        anyio.to_thread.current_default_thread_limiter if limiter is None else limiter
    )
    get: Callable[[], CapacityLimiter] = client_getter(given, anyio.CapacityLimiter, by="thread_limiter", on_trio=True)

    async def look() -> Result:
        state = get().statistics()
        in_use, size, waiting = state.borrowed_tokens, state.total_tokens, state.tasks_waiting
        data = {"threads_in_use": in_use, "threads": size, "tasks_waiting": waiting}
        if in_use >= size:
            return degraded(f"threads exhausted: {in_use} of {size} in use, {waiting} tasks wait for one", data=data)
        return healthy(data=data)

    return look
