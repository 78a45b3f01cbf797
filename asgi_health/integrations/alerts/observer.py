"""The thread that watches one app for one lifespan, and passes what is news to each delivery."""

import os
from collections import Counter
from collections.abc import Sequence
from logging import ERROR
from math import inf
from threading import Condition, Thread
from time import monotonic
from typing import TYPE_CHECKING
from weakref import ref

from ...core.engine import Engine
from ...core.status import Status
from ...core.transition import CheckTransition, Transition
from ...core.workers import Host
from ...health import Health, engine_of
from ...runtime.log_failure import log_failure
from ...runtime.scheduler.runner import runner_of
from .delivery import Delivery
from .elsewhere import Elsewhere
from .incidents import Incidents, Limits
from .leader_only import LeaderOnly
from .problems import EVENT_LOOP, problems_of

if TYPE_CHECKING:
    from ...runtime.publisher.subscription import Subscription

LAST_SECONDS = 0.9
"""Seconds for which the end of an app waits for the last messages, at most. The end of the checks waits for 1.0 s."""

POLL = 1.0
"""Seconds between two looks whether the Health still exists, whether the other workers of the host have changed, and
whether a target takes too long."""

MIN_PAUSE = 0.1
"""Seconds between two looks at all checks, so that a thousand that turn one by one do not cause a thousand looks."""

MAX_SHARE = 0.05
"""Share of the time that looks may take: the event loop waits meanwhile. A look at 1,000 checks takes 5 ms."""

PAUSE_AFTER_FAILURE = 10.0
"""Seconds until the next look after one that raised an exception."""

QUEUE = 10_000
"""Transitions that may wait. They take no time here, but many checks may turn before this thread gets its turn."""

REMOVED = "the check was removed"


class Observer:
    """Watch `health` in a daemon thread, from `start` until the app stops or `close` is called.

    It does not keep the Health alive.

    Args:
        health: The Health.
        deliveries: What gets the news.
        limits: How soon and how often there is news.
        minimum: From which effect on the app on something is an incident.
    """

    def __init__(self, health: Health, deliveries: Sequence[Delivery], limits: Limits, minimum: Status) -> None:
        self._health = ref(health)
        self._deliveries = deliveries
        self._minimum = minimum
        self._incidents = Incidents(limits)
        self._elsewhere = Elsewhere(minimum)
        self._leader_only = LeaderOnly()
        self._host: Host | None = None
        self._host_shown: object = None
        self._leads = True
        self._condition = Condition()
        self._changes: Counter[str] = Counter()
        self._woken = True
        self._last_late = -inf
        self._was_late = False
        self._pid = os.getpid()
        self._subscription: Subscription | None = None
        self._closes_at: float | None = None
        self._closed = self._abandoned = self._failing = False

    def start(self) -> None:
        """Begin. Raises RuntimeError where the system gives no thread."""
        health = self._health()
        if health is None:
            return
        Thread(target=self._run, name="asgi-health alerts", daemon=True).start()
        self._subscription = health.subscribe(self._on_transition, queue=QUEUE)

    def watches_another(self, health: Health) -> bool:
        """Return whether it goes on to watch another Health than `health`, in this process."""
        other = self._health()
        ends = self._closes_at is not None or self._closed or self._abandoned
        return other is not None and other is not health and not ends and self._pid == os.getpid()

    def close(self) -> None:
        """Send what is news, and end, without waiting for it."""
        if self._pid == os.getpid():  # a forked process has none of the threads, and the lock may be held for ever
            self._begin_to_close()
            self._unsubscribe()

    def wait_until_closed(self) -> None:
        """Close, and return when the last messages are delivered, or when the time for that is over."""
        if self._pid != os.getpid():
            return
        end = self._begin_to_close()
        with self._condition:
            self._condition.wait_for(lambda: self._closed, max(0.0, end + 0.05 - monotonic()))

    def abandon(self) -> None:
        """End at once: another observer takes the deliveries over."""
        if self._pid == os.getpid():
            with self._condition:
                self._abandoned = True
                self._condition.notify_all()
            self._unsubscribe()

    def _begin_to_close(self) -> float:
        """Begin to close unless that has begun, and return the latest end (monotonic seconds)."""
        with self._condition:
            if self._closes_at is None:
                self._closes_at = monotonic() + LAST_SECONDS
            self._condition.notify_all()
            return self._closes_at

    def _unsubscribe(self) -> None:
        if self._subscription is not None:
            self._subscription.cancel()

    def _on_transition(self, transition: Transition) -> None:
        """Take note of a change, in the thread of the subscription."""
        if not isinstance(transition, CheckTransition):
            if transition.cause == "stopped":
                # The end of the checks waits for this call, and no later moment is sure to come: uvicorn ends its
                # process by the signal that it got, so that nothing registered with `atexit` is called.
                self.wait_until_closed()
                return
        elif self._crosses_minimum(transition.old, transition.new):
            with self._condition:
                self._changes[transition.name] += 1
        with self._condition:
            self._woken = True
            self._condition.notify_all()

    def _crosses_minimum(self, old: Status | None, new: Status | None) -> bool:
        return old is not None and new is not None and (old >= self._minimum) is not (new >= self._minimum)

    def _run(self) -> None:
        next_look, soonest = -inf, -inf
        while self._wait(next_look, soonest):
            began = monotonic()
            try:
                next_look = self._look(began)
                self._failing = False
            except Exception as error:  # the clock or the checks may be code of the app
                next_look = began + PAUSE_AFTER_FAILURE
                if not self._failing:
                    self._failing = True
                    log_failure(ERROR, "alerts: the look at the checks failed; it is repeated", error=error)
            ended = monotonic()
            soonest = ended + max(MIN_PAUSE, (ended - began) / MAX_SHARE)
        self._end()

    def _wait(self, next_look: float, soonest: float) -> bool:
        """Return True when it is time to look again, False when this thread must end."""
        while True:
            with self._condition:
                if self._closes_at is not None or self._abandoned:
                    return False
                now = monotonic()
                due = max(soonest, -inf if self._woken else next_look)
                if now >= due:
                    self._woken = False
                    return True
                self._condition.wait(min(due - now, POLL))
            for each in self._deliveries:
                each.note_late(monotonic())
            health = self._health()
            if health is None:
                return False
            if self._host_has_changed(engine_of(health)):
                self._woken = True
            del health

    def _host_has_changed(self, engine: Engine) -> bool:
        """Return whether the other workers have changed since the last call, which is no transition of this one."""
        host = engine.host
        former, self._host_shown = self._host_shown, None if host is None else host.shown
        return self._host_shown != former

    def _look(self, now: float) -> float:
        """Pass on what is news at `now`, and return when to look again."""
        health = self._health()
        if health is None:
            return now
        engine = engine_of(health)
        if self._was_late:  # no look comes in between
            self._last_late = now
        found = problems_of(engine, runner_of(engine).figures, self._minimum, now, self._last_late)
        self._host, self._leads = engine.host, engine.leads(now)
        del health, engine
        incidents = self._incidents
        if found is None:
            return inf
        self._was_late = found.late
        with self._condition:
            changes, self._changes = self._changes, Counter()
        found = self._elsewhere.add_to(found, self._host, now)
        for subject in self._elsewhere.subjects:
            changes.pop(subject, None)
        incidents.observe(now, found.found, changes, muted=found.muted)
        for subject in incidents.subjects:
            if subject != EVENT_LOOP and subject not in found.checks:
                incidents.remove(subject, now, REMOVED)
        self._pass_on(now, last=False)
        return min(incidents.next_news, found.until, now + POLL if self._leader_only.holds else inf)

    def _pass_on(self, now: float, *, last: bool) -> None:
        news = self._incidents.news(now, last=last)
        for each in self._leader_only.pass_on(news, now, self._host, leads=self._leads):
            for delivery in self._deliveries:
                delivery.put(each)

    def _end(self) -> None:
        end = self._begin_to_close()
        if not self._abandoned:
            self._pass_on(monotonic(), last=True)
            for each in self._deliveries:
                each.close(end)
            for each in self._deliveries:
                each.wait_until_closed(end)
        with self._condition:
            self._closed = True
            self._condition.notify_all()
