"""Async check functions that behave like real dependencies, with what a probe may say about them."""

import asyncio
from collections.abc import Callable
from math import inf
from random import Random

import anyio

from asgi_health import Check, Status, healthy

from ..support.expected_check import ExpectedCheck
from .behaviour import PASS, WARN, Behaviour, Outcome

SLACK = 0.01
"""Seconds within which the runner, woken by a timer, records a deadline."""


class Dependency:
    """One dependency with its check."""

    def __init__(
        self,
        template: Check,
        random: Random,
        clock: Callable[[], float],
        seconds_stalled_since: Callable[[float], float],
    ) -> None:
        self.check = Check(
            template.name,
            self.run,
            probes=template.probes,
            critical=template.critical,
            interval=template.interval,
            retry_interval=template.retry_interval,
            timeout=template.timeout,
            failure_threshold=template.failure_threshold,
            success_threshold=template.success_threshold,
            max_age=template.max_age,
        )
        self.expected = ExpectedCheck(self.check)
        self.runs = 0
        self.ran_twice_at_a_time = False
        """Whether a run began during another. To raise would only make the check fail."""
        self.outlived_its_app = False
        """Whether a run went on after its app had ended."""
        self.app_has_ended = False
        self.lateness = 0.0
        """The longest time from the due moment to a run, or from a deadline to its cancellation, without stalls."""
        self.running_since = inf
        self.ignores_cancel = False
        self._deadline_recorded = False
        self._ended_at = -inf
        self._random = random
        self._clock = clock
        self._seconds_stalled_since = seconds_stalled_since
        self.start_lifespan()

    @property
    def is_running(self) -> bool:
        """Whether its check runs."""
        return self.running_since < inf

    def start_lifespan(self) -> None:
        """Begin anew. A run of the lifespan before was abandoned, and must not go on."""
        self.expected = ExpectedCheck(self.check)
        self.behaviour = Behaviour(self._random, self.check, self._clock())
        self.running_since, self.ignores_cancel, self.app_has_ended, self._ended_at = inf, False, False, -inf

    async def run(self) -> object:
        """Pass or fail, in one of the ways in which check functions do."""
        if self._ended_at > -inf:
            self._measure_lateness(self._ended_at, 1.1 * self.check.interval)
        self.ran_twice_at_a_time |= self.is_running
        self.runs += 1
        self.running_since, self._deadline_recorded = self._clock(), False
        lifespan = self.expected
        outcome = self.behaviour.next_outcome(self.running_since)
        status = Status.UNHEALTHY
        try:
            await self._wait(outcome)
            status = outcome.result.status
            return self._return_or_raise(status)
        finally:
            if self.app_has_ended or self.expected is not lifespan:
                self.outlived_its_app = True
            else:
                self._end_run(status)

    def _end_run(self, status: Status) -> None:
        now = self._clock()
        self.update()
        if not self._deadline_recorded:
            self.expected.record(status if now < self.running_since + self.check.timeout else Status.UNHEALTHY, now)
        self.running_since, self.ignores_cancel, self._ended_at = inf, False, now

    def _measure_lateness(self, since: float, seconds: float) -> None:
        waited = self._clock() - since - self._seconds_stalled_since(since)
        self.lateness = max(self.lateness, waited - seconds)

    async def _wait(self, outcome: Outcome) -> None:
        try:
            await (anyio.sleep_forever() if outcome.seconds == inf else anyio.sleep(outcome.seconds))
        except BaseException:
            self._measure_lateness(self.running_since, self.check.timeout)
            if outcome.after_cancel == 0.0:
                raise
            self.ignores_cancel = True
            await anyio.sleep(outcome.after_cancel)

    def _return_or_raise(self, status: Status) -> object:
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

    def update(self) -> None:
        """Record a deadline that has passed, and the failures that may be recorded after it."""
        if not self.is_running or self._clock() < self.running_since + self.check.timeout + SLACK:
            return
        if not self._deadline_recorded:
            self._deadline_recorded = True
            self.expected.record(Status.UNHEALTHY, self.running_since + self.check.timeout)
        self.expected.record_unseen_failures(self._clock())

    def must_not_pass(self) -> bool:
        """Return whether no probe may be healthy for which this check is critical."""
        self.update()
        return self.expected.must_not_pass(self._clock() - SLACK)

    def may_fail(self) -> bool:
        """Return whether a probe may be unhealthy because of this check."""
        late = self.is_running and self._clock() >= self.running_since + self.check.timeout - SLACK
        return late or self.expected.has_unseen_failures or self.expected.must_not_pass(self._clock() + SLACK)
