"""A background task: whether it has said lately that it is alive."""

import time
from collections.abc import Callable

from ..core.require import require_seconds
from ..core.result import Result, healthy, unhealthy
from ._support.catalogue import catalogued


@catalogued(
    technology="background task",
    extra="",
    asked="when the task last called `beat()`",
    costs="nothing",
    privileges="none",
)
class Heartbeat:
    """A sign of life that a task or a thread gives, and its check.

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

    Before the first beat the check fails, and again once the last one is older than `max_age` seconds. So all that the
    task does between two beats needs a bound below that: a task that waits for its queue without one looks, while the
    queue is empty, like one that hangs. A task that has ended is silent, so it needs no word of its own. `beat()` costs
    a reading of the clock and may be called from any thread. Raises TypeError or ValueError unless `max_age` is a
    positive number of seconds.
    """

    def __init__(self, max_age: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        require_seconds("Heartbeat: max_age", max_age)
        self._max_age = max_age
        self._clock = clock
        self._last: float | None = None

    def __call__(self) -> Result:
        """Note that the task is alive."""
        self._last = self._clock()
        # A Check that was handed the heartbeat itself would beat, and so be healthy for ever.
        return unhealthy("this beats, it does not look: a Check runs the heartbeat's `check`, as in beat.check")

    async def check(self) -> Result:
        """Tell whether the last beat is young enough."""
        last = self._last
        if last is None:
            return unhealthy("it has not beaten yet")
        age = self._clock() - last
        data = {"age": (round(age, 3), "s")}
        if age > self._max_age:
            return unhealthy(f"the last beat was {age:.1f} s ago, expected at most {self._max_age} s", data=data)
        return healthy(data=data)
