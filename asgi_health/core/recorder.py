"""What a result changes: the state of its check, its history and counts, the probes, and the next run."""

from .aggregate import stale_at
from .check_slot import CheckSlot
from .failure_category import Category, categorize
from .probe_statuses import ProbeStatuses
from .result import Result
from .run_schedule import RunSchedule
from .schedule import Run
from .state import UNKNOWN, CheckState, advance
from .status import Status
from .transition import CheckTransition
from .transition_feed import TransitionFeed


class Recorder:
    """Record results of checks. Called with the engine's lock held; its caller passes the transitions on."""

    __slots__ = ("_feed", "_schedule", "_statuses")

    def __init__(self, statuses: ProbeStatuses, feed: TransitionFeed, schedule: RunSchedule) -> None:
        self._statuses = statuses
        self._feed = feed
        self._schedule = schedule

    def record(
        self,
        slot: CheckSlot,
        result: Result,
        now: float,
        duration: float,
        failure: Category | None,
        error: BaseException | None = None,
    ) -> None:
        """Record the result of a run.

        Args:
            slot: The check.
            result: The result; a forced one counts in its place.
            now: The present moment (monotonic seconds).
            duration: Duration of the run (seconds).
            failure: Why it failed; None for a pass.
            error: Exception that made the run fail, None where there was none.
        """
        if slot.forced is not None:
            result, error = slot.forced, None
        old = slot.state
        new = slot.state = advance(slot.check, old, result, now, duration)
        self._schedule.start_after_pause(slot, now)
        slot.counts.record(duration, failure, changed=new.status is not old.status)
        if new.status is not old.status:  # before the probes' statuses, whose transitions follow it
            failures = max(old.failures, new.failures)
            self._feed.append(
                CheckTransition(slot.check.name, old.status, new.status, result, old.since, now, failures, error)
            )
        self._statuses.update(slot.check, new, slot.maintained_until)
        if new.status is not None:
            slot.history.record(now, result.status, duration, old.status, new.status, stale_at(slot.check, new))

    def fail(self, slot: CheckSlot, run: Run, failure: Category, message: str, now: float) -> None:
        """Record a failure of `run`, which has not ended."""
        self.record(slot, Result(Status.UNHEALTHY, message), now, now - run.started, failure)

    def settle(self, slot: CheckSlot, result: Result, now: float) -> None:
        """Record `result` as often as the thresholds ask for."""
        failure = categorize(result.message, None) if result.status is Status.UNHEALTHY else None
        self.record(slot, result, now, 0.0, failure)
        while slot.state.status is not result.status:
            self.record(slot, result, now, 0.0, failure)

    def adopt(self, slot: CheckSlot, state: CheckState, now: float) -> None:
        """Use the state of a check that another worker runs; its times are those of that worker's runs."""
        old, slot.state = slot.state, state
        assert state.status is not None
        assert state.result is not None
        if state.status is not old.status:
            at = max(old.since, state.since)
            failures = max(old.failures, state.failures)
            self._feed.append(
                CheckTransition(slot.check.name, old.status, state.status, state.result, old.since, at, failures)
            )
        self._statuses.update(slot.check, state, slot.maintained_until)
        if state.time != old.time:
            stale, duration = stale_at(slot.check, state), state.duration or 0.0
            slot.history.record(now, state.result.status, duration, old.status, state.status, stale)

    def restart(self, slot: CheckSlot, now: float) -> None:
        """Go back to no result: the check starts again."""
        self.forget(slot, now)
        self._statuses.update(slot.check, UNKNOWN, slot.maintained_until)

    def forget(self, slot: CheckSlot, now: float) -> None:
        """Go back to no result, and leave the probes as they are: the check has been removed."""
        old, slot.state = slot.state, UNKNOWN
        if old.status is not None:
            since = min(old.since, now)
            self._feed.append(CheckTransition(slot.check.name, old.status, None, None, since, now, 0))
