"""The event loop: how late it is."""

from ..core.require import require_seconds
from ..core.result import Result, healthy, unhealthy
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck

NAP = 0.01
"""Seconds to sleep again and again."""

WATCH = 0.2
"""Seconds in which one run looks."""


@catalogued(
    technology="event loop",
    extra="",
    asked="how late it wakes the check from naps of 10 ms, for 0.2 s",
    costs="20 timers",
    privileges="none",
)
def loop_lag(*, max_lag: float = 0.1) -> AsyncCheck:
    """Return a check that the loop wakes it at most `max_lag` seconds late, which is what every request waits too.

    A run sees what happens while it looks, 0.2 s of each interval: a loop that is overloaded, not every single stall.
    A stall that outlasts the deadline is a timeout. Raises TypeError or ValueError unless `max_lag` is a positive
    number of seconds.
    """
    require_seconds("loop_lag: max_lag", max_lag)
    import anyio  # what brings it is in use already; importing this room costs nothing

    async def look() -> Result:
        worst = 0.0
        now = begin = anyio.current_time()
        while now < begin + WATCH and worst <= max_lag:
            due = now + NAP
            await anyio.sleep(NAP)
            now = anyio.current_time()
            worst = max(worst, now - due)
        data = {"lag": (round(worst, 4), "s")}
        if worst > max_lag:
            return unhealthy(f"the event loop is {worst:.3f} s late, expected at most {max_lag} s", data=data)
        return healthy(data=data)

    return look
