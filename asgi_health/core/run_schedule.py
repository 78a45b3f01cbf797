"""The runs of the checks of an engine: when each starts, when it is late, and which are to be cancelled."""

from collections.abc import Callable, Mapping
from math import inf

from .aggregate import is_finished
from .check import Check
from .check_slot import CheckSlot
from .schedule import Run, Timers, pause

MAX_RUNS_LEFT_BEHIND = 2
"""Unfinished runs of removed checks of one name. From then on a new check of that name waits for the latest of them."""


class RunSchedule:
    """When the runs of each check start and end.

    Called with the engine's lock held, except `start_of`.

    Args:
        slots: The checks by name, which the engine adds and removes.
        random: Returns a number in [0, 1), which varies the pause before the next run.
    """

    __slots__ = ("_left_behind", "_random", "_slots", "_to_cancel", "deadlines", "starts")

    def __init__(self, slots: Mapping[str, CheckSlot], random: Callable[[], float]) -> None:
        self._slots = slots
        self._random = random
        self._to_cancel: list[Run] = []
        self._left_behind: list[Run] = []
        self.starts = Timers()
        """When the next run of each check starts."""
        self.deadlines = Timers()
        """When the run in progress of each check is late."""

    def start_of(self, name: str) -> float | None:
        """Return when the next run of the check `name` starts (monotonic seconds), None for never. Takes no lock."""
        return self.starts.get(name)

    def next_wake(self) -> float:
        """Return when there is a run to start, to cancel or to fail (monotonic seconds), infinity for never."""
        return -inf if self._to_cancel else min(self.starts.next(), self.deadlines.next())

    def take_runs_to_cancel(self) -> list[Run]:
        """Return the runs to cancel, once each."""
        runs, self._to_cancel = self._to_cancel, []
        return runs

    def add(self, slot: CheckSlot) -> None:
        """Start the first run at once; after those of removed checks of that name when too many of them go on."""
        slot.run = self._take_run_to_wait_for(slot.check)
        self.start_at_once(slot)

    def remove(self, slot: CheckSlot) -> None:
        """Start no more runs of a check that has been removed, and cancel the one in progress."""
        name = slot.check.name
        self.starts.set(name, inf)
        self.deadlines.set(name, inf)
        if slot.run is not None:
            self._left_behind.append(slot.run)
            self._cancel(slot.run)

    def restart(self, slot: CheckSlot) -> None:
        """Start at once, in a new lifespan. The result of the run in progress belongs to the former one."""
        self.start_at_once(slot)
        if slot.run is not None:
            slot.run.expired = True
            self.deadlines.set(slot.check.name, inf)

    def delegate(self, slot: CheckSlot) -> None:
        """Start no more runs of a check that another worker runs, and cancel the one in progress."""
        slot.delegated = True
        self.set_start(slot, inf)
        if slot.run is not None and not slot.run.expired:
            self._cancel(slot.run)

    def take_back(self, slot: CheckSlot, now: float) -> None:
        """Run a check that another worker ran here from now on: when that one would have run it next."""
        slot.delegated = False
        start = self._start_after_others(slot, now)
        # One that never ends must count as a failure each time the next one is due.
        self.set_start(slot, start if slot.run is None else max(start, slot.run.deadline))

    def begin(self, slot: CheckSlot, now: float) -> Run:
        """Return the run of a check that starts now."""
        run = slot.run = Run(slot.check, now)
        self.deadlines.set(slot.check.name, run.deadline)
        return run

    def finish(self, run: Run) -> CheckSlot | None:
        """Return the slot whose present run `run` was, None when there is none any more. The run has ended."""
        if run in self._left_behind:
            self._left_behind.remove(run)
        slot = self._slots.get(run.check.name)
        if slot is None or slot.run is not run:
            return None
        slot.run = None
        self.deadlines.set(run.check.name, inf)
        return slot

    def set_start(self, slot: CheckSlot, when: float) -> None:
        """Start the next run at `when`, unless another worker runs the check."""
        self.starts.set(slot.check.name, inf if slot.delegated else when)

    def start_at_once(self, slot: CheckSlot) -> None:
        """Start the next run at once; at the deadline of the run in progress where there is one."""
        self.set_start(slot, -inf if slot.run is None else slot.run.deadline)

    def start_after_pause(self, slot: CheckSlot, now: float) -> None:
        """Start the next run after the pause that follows a result."""
        finished = is_finished(slot.check, slot.state)
        self.set_start(slot, inf if finished else now + pause(slot.check, slot.state, self._random()))

    def _cancel(self, run: Run) -> None:
        run.expired = True
        self._to_cancel.append(run)

    def _start_after_others(self, slot: CheckSlot, now: float) -> float:
        """Return when to run a check whose last result came from another worker: as if that one still ran it."""
        if slot.state.time is None:
            return -inf
        if is_finished(slot.check, slot.state):
            return inf
        return max(now, slot.state.time + pause(slot.check, slot.state, self._random()))

    def _take_run_to_wait_for(self, check: Check) -> Run | None:
        """Return the run of a removed check that `check` has to wait for, None when there are few."""
        runs = [run for run in self._left_behind if run.check.name == check.name]
        if len(runs) < MAX_RUNS_LEFT_BEHIND:
            return None
        self._left_behind.remove(runs[-1])
        return runs[-1]
