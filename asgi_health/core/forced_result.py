"""A result that counts in place of every result of one check, for tests of apps."""

from .check_slot import CheckSlot
from .lifecycle import Lifecycle
from .recorder import Recorder
from .result import Result
from .run_schedule import RunSchedule


class ForcedResult:
    """Force a result from now on, until `end`. Called with the engine's lock held; its caller passes transitions on."""

    __slots__ = ("_before", "_lifecycle", "_lifespan_count", "_outer", "_recorder", "_result", "_schedule", "_slot")

    def __init__(
        self, slot: CheckSlot, result: Result, lifecycle: Lifecycle, recorder: Recorder, schedule: RunSchedule
    ) -> None:
        self._lifecycle = lifecycle
        self._recorder = recorder
        self._schedule = schedule
        self._result = result
        self._before, self._outer, self._lifespan_count = slot.state.status, slot.forced, lifecycle.lifespan_count
        self._slot = slot
        slot.forced = result

    def record(self, now: float) -> None:
        """Count the result at once."""
        self._recorder.settle(self._slot, self._result, now)

    def end(self) -> bool:
        """Count the results of runs again, and return True; False when another result has been forced meanwhile."""
        if self._slot.forced is not self._result:
            return False
        self._slot.forced = self._outer
        return True

    def restore(self, now: float) -> None:
        """Give the check the status back that it had in this lifespan, and run it at once."""
        if self._before is None or self._lifecycle.lifespan_count != self._lifespan_count:
            self._recorder.restart(self._slot, now)
        else:
            self._recorder.settle(self._slot, Result(self._before), now)
        self._schedule.start_at_once(self._slot)
