"""The event loop: how late it is."""

from ..core.result import Result, healthy, unhealthy
from ._support.arguments import require_seconds
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck

SLEEP = 0.01
"""Seconds of one sleep. Its delay is the lag."""

RUN_DURATION = 0.2
"""Seconds that one run sleeps in total."""


@catalogued(
    technology="event loop",
    extra="",
    asked="how late it wakes the check from sleeps of 10 ms, for 0.2 s",
    costs="20 timers",
    privileges="none",
)
def loop_lag(*, max_lag: float = 0.1) -> AsyncCheck:
    """Return a check that the event loop wakes it on time. Every request waits as long as the loop is late.

    A run measures 0.2 s of each interval. So it detects an overloaded loop; short stalls between runs are missed. A
    stall that outlasts the deadline is a timeout.

    Args:
        max_lag: The most seconds that the loop may be late.

    Raises:
        TypeError: `max_lag` is not a number.
        ValueError: `max_lag` is not a positive, finite number of seconds.
    """
    require_seconds("loop_lag: max_lag", max_lag)
    import anyio  # here, so that importing this module costs nothing

    async def check() -> Result:
        worst = 0.0
        now = begin = anyio.current_time()
        while now < begin + RUN_DURATION and worst <= max_lag:
            due = now + SLEEP
            await anyio.sleep(SLEEP)
            now = anyio.current_time()
            worst = max(worst, now - due)
        data = {"lag": (round(worst, 4), "s")}
        if worst > max_lag:
            return unhealthy(f"the event loop is {worst:.3f} s late, expected at most {max_lag} s", data=data)
        return healthy(data=data)

    return check
