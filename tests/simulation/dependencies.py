"""Async check functions that behave like real dependencies, and know what may be said of them."""

import asyncio
from collections.abc import Callable
from math import inf
from random import Random

import anyio

from asgi_health import Check, Status, healthy

from .moods import PASS, WARN, Act, Mood
from .world import Witness

SLACK = 0.01
"""Seconds in which the runner, woken by a timer, may take note of a deadline."""


class Dependency:
    """One dependency with its check."""

    def __init__(
        self,
        template: Check,
        random: Random,
        clock: Callable[[], float],
        stalled_since: Callable[[float], float],
    ) -> None:
        self.check = Check(
            template.name,
            self.ask,
            probes=template.probes,
            critical=template.critical,
            interval=template.interval,
            retry_interval=template.retry_interval,
            timeout=template.timeout,
            failure_threshold=template.failure_threshold,
            success_threshold=template.success_threshold,
            max_age=template.max_age,
        )
        self.witness = Witness(self.check)
        self.asked = 0
        self.asked_twice = False
        """Whether it was ever asked while it was busy. To raise would only make it fail."""
        self.haunted = False
        """Whether a run went on after its app had ended."""
        self.over = False
        self.lateness = 0.0
        """The longest that a run came after it was due, or a cancellation after its deadline, stalls left aside."""
        self.busy_since = inf
        self.deaf = False
        self._overdue = False
        self._ended_at = -inf
        self._random = random
        self._clock = clock
        self._stalled_since = stalled_since
        self.begin()

    @property
    def busy(self) -> bool:
        """Whether it is being asked."""
        return self.busy_since < inf

    def begin(self) -> None:
        """Begin a life. What was still busy in the one before was let go of, and must never go on."""
        self.witness = Witness(self.check)
        self.mood = Mood(self._random, self.check, self._clock())
        self.busy_since, self.deaf, self.over, self._ended_at = inf, False, False, -inf

    async def ask(self) -> object:
        """Answer, in one of the ways in which checks do."""
        if self._ended_at > -inf:
            self._look_at_the_time(self._ended_at, 1.1 * self.check.interval)
        self.asked_twice |= self.busy
        self.asked += 1
        self.busy_since, self._overdue = self._clock(), False
        life = self.witness
        act = self.mood.act(self.busy_since)
        status = Status.UNHEALTHY
        try:
            await self._take(act)
            status = act.result.status
            return self._say(status)
        finally:
            if self.over or self.witness is not life:
                self.haunted = True
            else:
                self._ended(status)

    def _ended(self, status: Status) -> None:
        now = self._clock()
        self.look()
        if not self._overdue:
            self.witness.took(status if now < self.busy_since + self.check.timeout else Status.UNHEALTHY, now)
        self.busy_since, self.deaf, self._ended_at = inf, False, now

    def _look_at_the_time(self, since: float, seconds: float) -> None:
        waited = self._clock() - since - self._stalled_since(since)
        self.lateness = max(self.lateness, waited - seconds)

    async def _take(self, act: Act) -> None:
        try:
            await (anyio.sleep_forever() if act.seconds == inf else anyio.sleep(act.seconds))
        except BaseException:
            self._look_at_the_time(self.busy_since, self.check.timeout)
            if act.deaf == 0.0:
                raise
            self.deaf = True
            await anyio.sleep(act.deaf)

    def _say(self, status: Status) -> object:
        random = self._random
        if status is Status.HEALTHY:
            return random.choice((None, True, PASS, healthy("fine", data={"n": 1})))
        if status is Status.DEGRADED:
            return WARN
        raised: tuple[BaseException | type[BaseException], ...] = (
            ValueError("down"), TimeoutError, asyncio.CancelledError, SystemExit(1), GeneratorExit, StopIteration,
            BaseExceptionGroup("g", [SystemExit(1), ValueError("x")]),
        )  # fmt: skip
        if random.random() < 0.5:
            raise random.choice(raised)
        return random.choice((False, 0, "", [], object))

    def look(self) -> None:
        """Take note of a deadline that has passed."""
        if self.busy and not self._overdue and self._clock() >= self.busy_since + self.check.timeout + SLACK:
            self._overdue = True
            self.witness.took(Status.UNHEALTHY, self.busy_since + self.check.timeout)
            self.witness.overran = True

    def bad(self) -> bool:
        """Tell whether nothing may be green that rests on it."""
        self.look()
        return self.witness.bad(self._clock() - SLACK)

    def suspect(self) -> bool:
        """Tell whether something may be red because of it."""
        late = self.busy and self._clock() >= self.busy_since + self.check.timeout - SLACK
        return late or self.witness.overran or self.witness.bad(self._clock() + SLACK)
