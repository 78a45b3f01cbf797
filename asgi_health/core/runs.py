"""The runs of the checks: which are due, which are late, and whose results count."""

from collections.abc import Mapping
from math import inf

from .aggregate import is_finished
from .check import Check
from .check_slot import CheckSlot
from .host_membership import HostMembership
from .recorder import Recorder
from .run_schedule import RunSchedule
from .schedule import DueRuns, Run


class Runs:
    """Begin and end runs. Called with the engine's lock held; its caller passes the transitions on."""

    __slots__ = ("_membership", "_recorder", "_schedule", "_slots")

    def __init__(
        self,
        slots: Mapping[str, CheckSlot],
        schedule: RunSchedule,
        recorder: Recorder,
        membership: HostMembership,
    ) -> None:
        self._slots = slots
        self._schedule = schedule
        self._recorder = recorder
        self._membership = membership

    def due(self, now: float, at_most: int) -> DueRuns:
        """Return the runs to start and to cancel at `now`, and record a failure for each run past its deadline."""
        start: list[Run] = []
        slots, schedule, runs_here = self._slots, self._schedule, self._membership.runs_here
        cancel = schedule.take_runs_to_cancel()
        for name in schedule.deadlines.pop(now):
            slot = slots[name]
            if slot.run is not None:
                slot.run.expired = True
                cancel.append(slot.run)
                if runs_here(slot, now):
                    self._recorder.fail(slot, slot.run, "timeout", timed_out(slot.check), now)
        while len(start) < at_most and (first := schedule.starts.pop_first(now)) is not None:
            slot = slots[first]
            if not runs_here(slot, now):
                slot.delegated = True  # until this worker has renewed its lease
                continue
            if slot.run is None:
                start.append(schedule.begin(slot, now))
            else:
                late = f"still running after {now - slot.run.started:.1f} s (timeout {slot.check.timeout:.1f} s)"
                self._recorder.fail(slot, slot.run, "overrun", late, now)
        return DueRuns(tuple(start), tuple(cancel))

    def end(self, run: Run, now: float) -> CheckSlot | None:
        """Return the check for which the result of `run` counts; None where it only makes the next run possible."""
        slot = self._schedule.finish(run)
        if slot is None:
            return None
        if run.expired:
            if slot.state.time is None:  # a run of another lifespan, or of a check that has been removed
                self._schedule.set_start(slot, -inf)
            else:
                self._schedule.start_after_pause(slot, now)
            return None
        if not self._membership.runs_here(slot, now):  # the lease of this worker has ended during the run
            slot.delegated = True
            return None
        return slot

    def abandon(self, run: Run) -> None:
        """End `run`, which was given up: that says nothing about its check."""
        slot = self._schedule.finish(run)
        if slot is not None:
            self._schedule.set_start(slot, inf if is_finished(run.check, slot.state) else -inf)


def timed_out(check: Check) -> str:
    """Return the message of a run of `check` that had no result by its deadline."""
    return f"timed out after {check.timeout:.1f} s"
