"""The threads in which an application runs its blocking functions: how many are free."""

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
    """Return a check that a limiter of anyio has free tokens.

    Starlette, FastAPI and Litestar run plain functions under anyio's default limiter: 40 at a time. A limiter with all
    tokens in use is degraded, as any pool is: tasks that wait for a token still run afterwards.

    Args:
        limiter: The limiter, or a function that returns it. None: the default limiter of anyio.

    Raises:
        TypeError: `limiter` is another kind of limiter.
    """
    import anyio.to_thread

    default = anyio.to_thread.current_default_thread_limiter
    given: ClientOrFactory[CapacityLimiter] = default if limiter is None else limiter
    get: Callable[[], CapacityLimiter] = client_getter(given, anyio.CapacityLimiter, by="thread_limiter", on_trio=True)

    async def check() -> Result:
        state = get().statistics()
        in_use, size, waiting = state.borrowed_tokens, state.total_tokens, state.tasks_waiting
        data = {"threads_in_use": in_use, "threads": size, "tasks_waiting": waiting}
        if in_use >= size:
            return degraded(f"threads exhausted: {in_use} of {size} in use, {waiting} tasks wait for one", data=data)
        return healthy(data=data)

    return check
