"""A background task: whether it has reported lately that it is alive."""

import time
from collections.abc import Callable

from ..core.result import Result, healthy, unhealthy
from ._support.arguments import require_seconds
from ._support.catalogue import catalogued


@catalogued(
    technology="background task",
    extra="",
    asked="when the task last called `beat()`",
    costs="nothing",
    privileges="none",
)
class Heartbeat:
    """A heartbeat that a task or a thread sends, and the check of it.

        beat = Heartbeat(max_age=30.0)

        async def consume():
            while True:
                beat()
                try:
                    async with asyncio.timeout(10.0):
                        item = await queue.get()
                except TimeoutError:
                    continue  # nothing to do, and alive
                await handle(item)

        Check("consumer", beat.check)

    The check fails before the first beat, and while the last beat is older than `max_age`. So everything that the task
    does between two beats needs a timeout below `max_age`: a task that waits for its queue without one looks like a
    task that hangs, while the queue is empty. A task that has ended sends no beats, so it needs no report of its own.
    `beat()` reads the clock, and may be called from any thread.

    Args:
        max_age: Seconds after which the last beat is too old.
        clock: Returns monotonic seconds. For tests.

    Raises:
        TypeError: `max_age` is not a number.
        ValueError: `max_age` is not a positive, finite number of seconds.
    """

    def __init__(self, max_age: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        require_seconds("Heartbeat: max_age", max_age)
        self._max_age = max_age
        self._clock = clock
        self._last: float | None = None

    def __call__(self) -> Result:
        """Record a beat."""
        self._last = self._clock()
        # A Check that was given the heartbeat itself would beat in each run, and be healthy without end.
        return unhealthy("this call records a beat: a Check runs the heartbeat's `check`, as in beat.check")

    async def check(self) -> Result:
        """Return whether the last beat is recent enough."""
        last = self._last
        if last is None:
            return unhealthy("it has not beaten yet")
        age = self._clock() - last
        data = {"age": (round(age, 3), "s")}
        if age > self._max_age:
            return unhealthy(f"the last beat was {age:.1f} s ago, expected at most {self._max_age} s", data=data)
        return healthy(data=data)
