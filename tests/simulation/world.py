"""A runner of the core on virtual time, and a witness that knows the design but none of the code."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from math import inf
from random import Random

from asgi_health import Check, Health, Probe, Status
from asgi_health.core.schedule import Run

from .moods import FAIL, Act, Mood

EPSILON = 1e-6


@dataclass
class Witness:
    """What somebody who sees the runs of one check begin and end knows about it."""

    check: Check
    run: Run | None = None
    ended: float = -inf
    well: bool = False
    """Whether the last run was a pass of a settled check."""
    expected: Status | None = None
    recent: deque[bool] = field(default_factory=lambda: deque(maxlen=8))
    """Whether each of the last results was a failure."""
    latest: float = -inf
    """When the last result was recorded."""
    evidence: float = -inf
    """When there was last a reason to believe in `expected`."""
    passed: bool = False
    """Whether it was ever well."""
    overran: bool = False
    """Failures that nobody sees may have been counted since it was last settled: of a run that did not end."""

    def took(self, status: Status, now: float) -> None:
        """Follow one result, by the words of the design."""
        failed = status is Status.UNHEALTHY
        self.recent.append(failed)
        old = self.expected
        if failed:
            streak = list(self.recent)[-self.check.failure_threshold :]
            if old in (None, Status.UNHEALTHY) or (len(streak) == self.check.failure_threshold and all(streak)):
                self.expected = status
        else:
            streak = list(self.recent)[-self.check.success_threshold :]
            full = len(streak) == self.check.success_threshold and not any(streak)
            if old is not Status.UNHEALTHY or full:
                self.expected = status
            self.overran &= not full
        stale = now >= self.evidence + self.check.stale_after
        if not (failed and stale and self.expected is not status):
            self.evidence = now
        self.latest = now
        self.passed |= self.expected is not Status.UNHEALTHY
        self.well = not failed and self.expected is not Status.UNHEALTHY

    @property
    def done(self) -> bool:
        """Whether it has nothing left to do."""
        return self.check.probes == (Probe.STARTUP,) and self.expected is Status.HEALTHY

    def bad(self, now: float) -> bool:
        """Tell whether nothing may be green that rests on this check."""
        stale = now >= self.evidence + self.check.stale_after and not self.done
        return self.expected in (None, Status.UNHEALTHY) or (stale and not self.overran)


def stalled_since(stalls: Iterable[tuple[float, float]], moment: float) -> float:
    """Return how many of the seconds since `moment` lie in one of the `stalls`."""
    return sum(end - max(begin, moment) for begin, end in stalls if end > moment)


class World:
    """The checks of an app, its loop that stalls now and then, and the time, which passes from event to event."""

    def __init__(self, random: Random, checks: list[Check], *, stalls_every: float, churn_every: float) -> None:
        self.random = random
        self.now = random.choice((0.0, 1e6))
        self.begin = self.now
        self.health = Health(checks, clock=lambda: self.now, random=random.random)
        self.witnesses = {check.name: Witness(check) for check in checks}
        self.moods = {check.name: Mood(random, check, self.now) for check in checks}
        self.acts: dict[Run, Act] = {}
        self.removed: set[Run] = set()
        self.runs = 0
        self.deciding: list[Witness] = []
        """The critical checks of readiness."""
        self._opening: list[Witness] = []
        self.started_up = False
        """Whether startup has passed."""
        self._events: list[tuple[float, int, Run]] = []
        self._order = count()
        self._stalls_every, self._churn_every = stalls_every, churn_every
        self._next_stall = self.now + random.expovariate(1 / stalls_every)
        self._next_churn = self.now + random.expovariate(1 / churn_every)
        self.stalled = deque[tuple[float, float]](maxlen=50)
        self.health.serve()
        self._sort_out()
        self._look_at_startup()

    def live(self, seconds: float) -> Iterator[None]:
        """Let the time pass; yield after each step."""
        end = self.now + seconds
        while self.now < end:
            self._step()
            yield

    def stalled_since(self, moment: float) -> float:
        """Return for how long the loop has not been there since `moment`."""
        return stalled_since(self.stalled, moment)

    def _step(self) -> None:
        event = self._events[0][0] if self._events else inf
        upcoming = min(self.health.next_wake(), event, self._next_churn)
        self.now = max(self.now, upcoming)
        if self.now >= self._next_stall:
            begin, self.now = self.now, self.now + self.random.expovariate(1 / 20)
            self.stalled.append((begin, self.now))
            self._next_stall = self.now + self.random.expovariate(1 / self._stalls_every)
        if self.now >= self._next_churn:
            self._churn()
        # After a stall a loop may come to the results first or to its timers first.
        for turn in self.random.sample((self._bring_home, self._wake), 2):
            turn()

    def _bring_home(self) -> None:
        while self._events and self._events[0][0] <= self.now:
            _, _, run = heappop(self._events)
            act = self.acts.pop(run, None)
            if act is None:
                continue  # it ended when it was cancelled
            witness = self.witnesses.get(run.check.name)
            if witness is None or witness.run is not run:
                version = self.health.version
                self.health.record(run, act.result, self.now)
                assert self.health.version == version, "the run of a removed check was counted"
                continue
            self._look_at(witness)
            if not run.expired:
                witness.took(act.result.status if self.now < run.deadline else Status.UNHEALTHY, self.now)
            else:
                witness.well = False
            witness.run, witness.ended = None, self.now
            self.health.record(run, act.result, self.now)
            self._look_at(witness)
            self._look_at_startup()

    def _wake(self) -> None:
        health = self.health
        turns = 0
        while health.next_wake() <= self.now:
            turns += 1
            assert turns <= 2 + len(self.witnesses) / 64 * 3, "busy loop"
            orders = health.due(self.now, at_most=64)
            for run in orders.cancel:
                self._cancel(run)
            for run in orders.start:
                self._start(run)
        assert health.next_deadline() > self.now

    def _start(self, run: Run) -> None:
        self.runs += 1
        witness = self.witnesses[run.check.name]
        assert witness.run is None, "two runs of one check at a time"
        assert not witness.done
        if witness.ended > -inf:
            waited = self.now - witness.ended
            check = witness.check
            shortest = check.interval if witness.well else min(check.interval, check.retry_interval)
            assert waited >= 0.9 * shortest - EPSILON, "too early"
            assert waited <= 1.1 * check.interval + self.stalled_since(witness.ended) + EPSILON, "too late"
        witness.run = run
        act = self.acts[run] = self.moods[run.check.name].act(self.now)
        if act.seconds < inf:
            heappush(self._events, (self.now + act.seconds, next(self._order), run))

    def _cancel(self, run: Run) -> None:
        act = self.acts.get(run)
        if run not in self.removed:
            witness = self.witnesses[run.check.name]
            assert witness.run is run
            assert run.expired
            assert self.now >= run.deadline, "given up before its deadline"
            assert self.now <= run.deadline + self.stalled_since(run.deadline) + EPSILON, "published after its deadline"
            witness.took(Status.UNHEALTHY, self.now)
            witness.overran = True
            self._look_at(witness)
        if act is not None:
            self.acts[run] = Act(0.0, FAIL if act.deaf == 0.0 else act.result, 0.0)
            heappush(self._events, (self.now + act.deaf, next(self._order), run))

    def _churn(self) -> None:
        self._next_churn = self.now + self.random.expovariate(1 / self._churn_every)
        name = self.random.choice(list(self.witnesses))
        witness = self.witnesses.pop(name)
        self.health.remove(name)
        self._sort_out()
        self._look_at_startup()
        if witness.run is not None:
            self.removed.add(witness.run)
        self.witnesses[name] = Witness(witness.check)
        self.health.add(witness.check)
        self._sort_out()

    def _sort_out(self) -> None:
        critical = [witness for witness in self.witnesses.values() if witness.check.critical]
        self.deciding = [witness for witness in critical if Probe.READINESS in witness.check.probes]
        self._opening = [witness for witness in critical if Probe.STARTUP in witness.check.probes]

    def _look_at_startup(self) -> None:
        self.started_up = self.started_up or all(witness.passed for witness in self._opening)

    def _look_at(self, witness: Witness) -> None:
        """Compare what the core says of one check with what was seen of it."""
        state = self.health.report_check(witness.check.name, now=self.now).checks[0].state
        if witness.overran:
            assert state.status in (witness.expected, Status.UNHEALTHY)
            witness.expected = state.status
        else:
            assert state.status is witness.expected
            assert state.time == (None if witness.latest == -inf else witness.latest)
