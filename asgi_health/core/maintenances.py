"""The present maintenances, and when they end."""

from collections.abc import Mapping
from math import inf

from .check_slot import CheckSlot
from .maintenance import Maintenance
from .probe_statuses import ProbeStatuses
from .schedule import Timers

APP = ""
"""In place of the name of a check, which is never empty, for the maintenance of the app."""


class Maintenances:
    """The maintenances of the checks and of the app, one of each at most. Each ends by itself.

    One thread at a time makes changes, under the engine's lock. Any thread may read.
    """

    __slots__ = ("_ends", "_slots", "_statuses", "next_end", "of_app")

    def __init__(self, slots: Mapping[str, CheckSlot], statuses: ProbeStatuses) -> None:
        self._slots = slots
        self._statuses = statuses
        self._ends = Timers()
        self.of_app: Maintenance | None = None
        """That of the app."""
        self.next_end = inf
        """When the next one ends (monotonic seconds), infinity for never."""

    def of(self, name: str | None) -> Maintenance | None:
        """Return the maintenance of the check `name`, or of the app for None."""
        if name is None:
            return self.of_app
        slot = self._slots.get(name)
        return None if slot is None else slot.maintenance

    def present(self, now: float) -> tuple[Maintenance, ...]:
        """Return those that are present at `now`: that of the app first. Takes no lock."""
        # One call into C takes the values, so that a thread may add a check meanwhile.
        found = (self.of_app, *(slot.maintenance for slot in tuple(self._slots.values())))
        return tuple(each for each in found if each is not None and now < each.until)

    def set(self, name: str | None, maintenance: Maintenance | None) -> None:
        """Replace the maintenance of the check `name`, or of the app for None, and turn the probes that it counts for.

        `maintenance` is None where there is to be none.
        """
        self._ends.set(name or APP, inf if maintenance is None else maintenance.until)
        self.next_end = self._ends.next()
        if name is None:
            self.of_app = maintenance
            self._statuses.set_app_in_maintenance(maintenance is not None)
        else:
            slot = self._slots[name]
            slot.maintenance = maintenance
            self._statuses.update(slot.check, slot.state, slot.maintained_until)
            self._statuses.notify()

    def end_passed(self, now: float) -> None:
        """End each one whose time is over at `now`."""
        if now >= self.next_end:
            for name in self._ends.pop(now):
                self.set(name or None, None)

    def discard(self, name: str) -> None:
        """Forget the end of that of the check `name`, which has been removed."""
        self._ends.set(name, inf)
        self.next_end = self._ends.next()
