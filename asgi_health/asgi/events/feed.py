"""The state of the checks as events, rendered once per change for all watchers of one event loop."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import inf
from typing import Final

from ...core.check import Check
from ...core.engine import Engine
from ...core.logger import logger
from ...core.maintenance import Maintenance
from ...core.report import CheckReport, runner_pid
from ...core.stalls import Stall
from ...core.state import CheckState
from ...core.status import Probe
from ...formats.events import event
from ...formats.fragments import Fragments, element_id
from ...formats.health_json import timestamp
from ...listener.interface import StallOf
from ...runtime.backends.detection import current_backend
from ...runtime.backends.interface import Flag, Task
from ..steps import Steps
from .batch import Batch
from .event_id import event_id
from .watcher import RETRY_LATER, Watcher

MAX_WATCHERS: Final = 100
"""Watchers of one event loop. One more takes the place of the one that has been there longest. As many again may have
been replaced and not have read their end yet. The listener has 256 connections, and those of watchers are not closed
for others: enough remain for probes."""

POLL_PAUSE = 0.1
"""Seconds between two looks at the engine while there are watchers. Nothing runs while there are none."""

BATCH_PAUSE = 0.5
"""Seconds between two states that watchers get, at least."""

MAX_BATCHES = 16
"""Batches kept of one state: watchers whose last states differ need different ones."""


@dataclass(frozen=True, slots=True)
class FeedHooks:
    """What a feed needs to know of its event loop.

    Attributes:
        stall_of: Returns the present stall of the app's event loop, as a probe sees it.
        is_over: Returns whether the server is about to stop: then every stream ends, because servers wait for them.
        run_due: Runs what is due where no task runs the checks; None where no request runs checks.
    """

    stall_of: StallOf
    is_over: Callable[[], bool]
    run_due: Callable[[], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class _CheckEvent:
    """The event of one check, and what it shows.

    Attributes:
        report: The report that was rendered, without its past.
        stale: Whether the result was stale.
        changed: The moment of the first state that has it (monotonic seconds).
        event: The event.
    """

    report: CheckReport
    stale: bool
    changed: float
    event: bytes

    def shows(
        self, check: Check, state: CheckState, maintenance: Maintenance | None, run_by: int | None, now: float
    ) -> bool:
        """Return whether it shows the present state of the check."""
        report = self.report
        return (
            report.check is check
            and report.state is state
            and report.maintenance is maintenance
            and report.run_by == run_by
            and self.stale is (now >= report.stale_at)
        )


class Feed:
    """Pass the state of the checks on to watchers while there are any. Used in one event loop.

    The events of the last state are kept when the last watcher leaves, so that the next one gets what has changed.

    Args:
        engine: The engine.
        fragments: Renders what the events carry.
        hooks: What it needs to know of its event loop.
    """

    def __init__(self, engine: Engine, fragments: Fragments, hooks: FeedHooks) -> None:
        self._engine = engine
        self._fragments = fragments
        self._hooks = hooks
        self.backend = current_backend()
        self.moment = -inf
        """The moment of the present state (monotonic seconds); see `Source`."""
        self._previous = -inf
        self._checks: dict[str, _CheckEvent] = {}
        self._removed: tuple[str, ...] = ()
        self._head = ""
        self._head_changed = -inf
        self._updated = ""
        self._batches: dict[float, Batch] = {}
        self._seen: tuple[int, tuple[int, bool] | None] | None = None
        self._valid_until = -inf
        self._watchers: dict[Watcher, None] = {}
        self._replaced: dict[Watcher, None] = {}
        self._task: Task | None = None
        self._wake: Flag | None = None
        self._runs: Task | None = None
        self._complained = False

    def join(self, since: float, give_up: Callable[[], None]) -> Watcher:
        """Return a new watcher; `Watcher` explains the arguments."""
        backend = self.backend
        watcher = Watcher(self, since, backend.flag(), backend.flag(), give_up)
        while len(self._watchers) >= MAX_WATCHERS:
            oldest = next(iter(self._watchers))
            del self._watchers[oldest]
            self._replaced[oldest] = None  # until its client has read what is on its way
            oldest.end(RETRY_LATER)
        if len(self._replaced) > MAX_WATCHERS:
            next(iter(self._replaced)).abandon()
        self._watchers[watcher] = None
        if self._task is None or not self._task.alive():
            wake = self._wake = backend.flag()
            # Hidden: an app that cancels every task of its loop must not end the streams.
            self._task = backend.spawn("asgi-health events", lambda: self._run(wake), self._ended, hidden=True)
        return watcher

    def now(self) -> float:
        """See `Source.now`."""
        return self._engine.clock()

    def batch_since(self, moment: float) -> Batch:
        """See `Source.batch_since`."""
        batch = self._batches.get(moment)
        if batch is None:
            if len(self._batches) >= MAX_BATCHES:
                self._batches.clear()
            batch = self._batches[moment] = Batch(self.moment, self._events_since(moment))
        return batch

    def remove(self, watcher: Watcher) -> None:
        """See `Source.remove`."""
        self._watchers.pop(watcher, None)
        self._replaced.pop(watcher, None)
        if not self._watchers and not self._replaced and self._wake is not None:
            self._wake.set()

    def _events_since(self, moment: float) -> list[bytes]:
        events: list[bytes] = []
        if self._head_changed > moment:
            events.append(event("head", self._head))
        if -inf < moment == self._previous:
            events += [event("removed", element_id(name)) for name in self._removed]
        else:  # the client may have missed any number of states
            events.append(event("checks", "\n".join(map(element_id, self._checks))))
        events += [each.event for each in self._checks.values() if each.changed > moment]
        # Last, and alone with an id: a client that has lost the connection before it gets all of these once more.
        events.append(event("updated", self._updated, id=event_id(self.moment)))
        return events

    def _ended(self) -> None:
        self._task = None
        for each in tuple(self._watchers):
            each.end()

    async def _run(self, wake: Flag) -> None:
        try:
            await self._follow(wake)
        except Exception:
            if not self._complained:  # each watcher that connects again would repeat it
                self._complained = True
                logger.exception("the events for watchers cannot be made: their streams end (logged once)")

    async def _follow(self, wake: Flag) -> None:
        next_state = -inf
        while self._watchers or self._replaced:
            if self._hooks.is_over():
                for each in tuple(self._watchers):
                    each.end()
            now = self.now()
            for each in (*self._watchers, *self._replaced):
                each.check_reading(now)
            self._run_due()
            if now >= next_state and await self._refresh():
                next_state = self.now() + BATCH_PAUSE
                for each in tuple(self._watchers):
                    each.wake()
                    await wake.wait(0.0)  # it writes now, and then the loop serves others
            await wake.wait(POLL_PAUSE)

    def _run_due(self) -> None:
        run_due = self._hooks.run_due
        if run_due is not None and self._runs is None and self._engine.next_wake() <= self.now():
            self._runs = self.backend.spawn("asgi-health events on demand", lambda: _await(run_due), self._runs_ended)

    def _runs_ended(self) -> None:
        self._runs = None

    async def _refresh(self) -> bool:
        """Render what has changed. Returns whether there is a new state."""
        engine, steps = self._engine, Steps()
        version, now, stall = engine.version, self.now(), self._hooks.stall_of(Probe.HEALTH)
        seen = version, None if stall is None else (int(stall.seconds), stall.too_long)
        if seen == self._seen and now < self._valid_until:
            return False
        checks: dict[str, _CheckEvent] = {}
        changed: list[str] = []
        for slot in engine.slots:
            name, now = slot.check.name, self.now()
            known = self._checks.get(name)
            run_by = runner_pid(slot.check, engine.host)
            if known is None or not known.shows(slot.check, slot.state, slot.maintenance, run_by, now):
                known = self._render(name, now)
                if known is None:
                    continue  # removed meanwhile
                changed.append(name)
            checks[name] = known
            await steps.may_end()
        # The moment is that of the reading: what has changed since belongs to the next state. It has as many digits as
        # the id, so that it is the same when it comes back.
        now = self.now()
        head = self._render_head(checks, now, stall)
        removed = tuple(name for name in self._checks if name not in checks)
        self._seen = seen
        self._valid_until = min((each.report.stale_at for each in checks.values() if not each.stale), default=inf)
        if not changed and not removed and head == self._head:
            return False
        moment = max(round(now * 1e6), round(self.moment * 1e6) + 1 if self.moment > -inf else 0) / 1e6
        for name in changed:
            each = checks[name]
            checks[name] = _CheckEvent(each.report, each.stale, moment, each.event)
        if head != self._head:
            self._head = head
            self._head_changed = moment
        self._updated = timestamp(time.time())
        self._checks, self._removed = checks, removed
        self._previous, self.moment = self.moment, moment
        self._batches = {}
        return True

    def _render(self, name: str, now: float) -> _CheckEvent | None:
        try:
            (report,) = self._engine.report_check(name, Probe.HEALTH, now).checks
        except KeyError:
            return None
        html = self._fragments.check(self._engine.with_past(report, now), now)
        return _CheckEvent(report, now >= report.stale_at, inf, event("check", html))

    def _render_head(self, checks: dict[str, _CheckEvent], now: float, stall: Stall | None) -> str:
        report = self._engine.report_of(tuple(each.report for each in checks.values()), now)
        return self._fragments.head(report if stall is None else report.with_stall(stall))


async def _await(run_due: Callable[[], Awaitable[None]]) -> None:
    await run_due()
