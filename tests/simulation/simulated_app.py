"""An Engine with a runner in virtual time, compared after each step with what the results of its checks make of it."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from math import inf
from random import Random

from asgi_health import Check, Probe, Status
from asgi_health.core.schedule import Run

from ..support.core_cases import new_engine
from ..support.expected_check import ExpectedCheck
from .behaviour import FAIL, Behaviour, Outcome, seconds_stalled_since

EPSILON = 1e-6


@dataclass
class Observed:
    """One check: what its results make of it, and its runs."""

    expected: ExpectedCheck
    behaviour: Behaviour
    run: Run | None = None
    ended: float = -inf
    """When the last run ended."""
    is_settled: bool = False
    """Whether the last run was a pass, and the check is not unhealthy."""

    @property
    def check(self) -> Check:
        return self.expected.check

    def record(self, status: Status, now: float) -> None:
        self.expected.record(status, now)
        self.is_settled = Status.UNHEALTHY not in (status, self.expected.status)


class SimulatedApp:
    """The checks of an app, its loop that stalls at random, and a clock that moves from event to event."""

    def __init__(self, random: Random, checks: list[Check], *, stall_every: float, replace_every: float) -> None:
        self.random = random
        self.now = random.choice((0.0, 1e6))
        self.begin = self.now
        self.engine = new_engine(*checks, random=random.random)
        self.observed = {check.name: self._observe(check) for check in checks}
        self.outcomes: dict[Run, Outcome] = {}
        self.removed: set[Run] = set()
        self.runs = 0
        self.critical_for_readiness: list[Observed] = []
        self._critical_for_startup: list[Observed] = []
        self.startup_passed = False
        self._events: list[tuple[float, int, Run]] = []
        self._order = count()
        self._stall_every, self._replace_every = stall_every, replace_every
        self._next_stall = self.now + random.expovariate(1 / stall_every)
        self._next_replacement = self.now + random.expovariate(1 / replace_every)
        self.stalls = deque[tuple[float, float]](maxlen=50)
        self.engine.serve(self.now)
        self._select_critical()
        self._update_startup()

    def advance(self, seconds: float) -> Iterator[None]:
        """Let the time pass; yield after each step."""
        end = self.now + seconds
        while self.now < end:
            self._step()
            yield

    def seconds_stalled_since(self, moment: float) -> float:
        """Return for how many seconds since `moment` the loop was blocked."""
        return seconds_stalled_since(self.stalls, moment)

    def _observe(self, check: Check) -> Observed:
        return Observed(ExpectedCheck(check), Behaviour(self.random, check, self.now))

    def _step(self) -> None:
        event = self._events[0][0] if self._events else inf
        self.now = max(self.now, min(self.engine.next_wake(), event, self._next_replacement))
        if self.now >= self._next_stall:
            begin, self.now = self.now, self.now + self.random.expovariate(1 / 20)
            self.stalls.append((begin, self.now))
            self._next_stall = self.now + self.random.expovariate(1 / self._stall_every)
        if self.now >= self._next_replacement:
            self._replace_a_check()
        # After a stall, a loop may process the results first or its timers first.
        for turn in self.random.sample((self._record_results, self._wake), 2):
            turn()

    def _record_results(self) -> None:
        while self._events and self._events[0][0] <= self.now:
            _, _, run = heappop(self._events)
            outcome = self.outcomes.pop(run, None)
            if outcome is None:
                continue  # it ended when it was cancelled
            observed = self.observed.get(run.check.name)
            if observed is None or observed.run is not run:
                version = self.engine.version
                self.engine.record(run, outcome.result, self.now)
                assert self.engine.version == version, "the run of a removed check was counted"
                continue
            self._compare(observed)
            if run.expired:
                observed.is_settled = False
            else:
                observed.record(outcome.result.status if self.now < run.deadline else Status.UNHEALTHY, self.now)
            observed.run, observed.ended = None, self.now
            self.engine.record(run, outcome.result, self.now)
            self._compare(observed)
            self._update_startup()

    def _wake(self) -> None:
        engine = self.engine
        turns = 0
        while engine.next_wake() <= self.now:
            turns += 1
            assert turns <= 2 + len(self.observed) / 64 * 3, "busy loop"
            due = engine.due(self.now, at_most=64)
            for run in due.cancel:
                self._cancel(run)
            for run in due.start:
                self._start(run)
        assert engine.next_deadline() > self.now
        for observed in self.observed.values():
            if observed.run is not None and observed.run.expired:
                observed.expected.record_unseen_failures(self.now)

    def _start(self, run: Run) -> None:
        self.runs += 1
        observed = self.observed[run.check.name]
        assert observed.run is None, "two runs of one check at a time"
        assert not observed.expected.is_finished
        if observed.ended > -inf:
            waited = self.now - observed.ended
            check = observed.check
            shortest = check.interval if observed.is_settled else min(check.interval, check.retry_interval)
            assert waited >= 0.9 * shortest - EPSILON, "too early"
            longest = 1.1 * check.interval + self.seconds_stalled_since(observed.ended)
            assert waited <= longest + EPSILON, "too late"
        observed.run = run
        outcome = self.outcomes[run] = observed.behaviour.next_outcome(self.now)
        if outcome.seconds < inf:
            heappush(self._events, (self.now + outcome.seconds, next(self._order), run))

    def _cancel(self, run: Run) -> None:
        outcome = self.outcomes.get(run)
        if run not in self.removed:
            observed = self.observed[run.check.name]
            assert observed.run is run
            assert run.expired
            assert self.now >= run.deadline, "cancelled before its deadline"
            latest = run.deadline + self.seconds_stalled_since(run.deadline)
            assert self.now <= latest + EPSILON, "recorded after its deadline"
            observed.record(Status.UNHEALTHY, self.now)
            observed.expected.record_unseen_failures(self.now)
            self._compare(observed)
        if outcome is not None:
            self.outcomes[run] = Outcome(0.0, FAIL if outcome.after_cancel == 0.0 else outcome.result, 0.0)
            heappush(self._events, (self.now + outcome.after_cancel, next(self._order), run))

    def _replace_a_check(self) -> None:
        self._next_replacement = self.now + self.random.expovariate(1 / self._replace_every)
        name = self.random.choice(list(self.observed))
        observed = self.observed.pop(name)
        self.engine.remove(name, self.now)
        self._select_critical()
        self._update_startup()
        if observed.run is not None:
            self.removed.add(observed.run)
        self.observed[name] = Observed(ExpectedCheck(observed.check), observed.behaviour)
        self.engine.add(observed.check, self.now)
        self._select_critical()

    def _select_critical(self) -> None:
        critical = [each for each in self.observed.values() if each.check.critical]
        self.critical_for_readiness = [each for each in critical if Probe.READINESS in each.check.probes]
        self._critical_for_startup = [each for each in critical if Probe.STARTUP in each.check.probes]

    def _update_startup(self) -> None:
        self.startup_passed |= all(each.expected.has_passed for each in self._critical_for_startup)

    def _compare(self, observed: Observed) -> None:
        """Compare the state of one check with what is expected."""
        expected = observed.expected
        state = self.engine.report_check(observed.check.name, Probe.HEALTH, self.now).checks[0].state
        if expected.has_unseen_failures:
            assert state.status in (expected.status, Status.UNHEALTHY)
            expected.status = state.status
        else:
            assert state.status is expected.status
            assert state.time == expected.latest
