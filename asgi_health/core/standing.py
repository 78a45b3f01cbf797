"""How every probe stands: kept up to date with each change, and told to whoever watches."""

from collections.abc import Callable, Iterable, Mapping
from itertools import count
from types import MethodType
from weakref import WeakMethod

from .check import Check
from .lifecycle import Life, Phase
from .state import CheckState
from .status import Probe, Status
from .tally import Outlook, Tally

Watcher = Callable[[], Callable[[], object] | None]
"""Returns what is to be called, None once that is gone: many apps may come and go around one Health."""

PROBES: tuple[Probe | None, ...] = (*Probe, None)
"""Everything that can be asked; None is all checks together."""


class Standing:
    """The outlook of each probe, from the checks that count for it and the life of the app.

    Changed by one at a time, and by a signal handler in the middle of that; read at any moment, from any thread.
    """

    def __init__(self, life: Life) -> None:
        self._life = life
        self._tallies = {probe: Tally(probe) for probe in PROBES}
        self._watchers: list[Watcher] = []
        self._versions = count(1)
        self.version = 0
        """A number that is another one after every change that a report could show."""
        self.outlooks: Mapping[Probe | None, Outlook] = {}
        """How each probe stands. Replaced whole."""
        self._publish(PROBES)

    def put(self, check: Check, state: CheckState) -> None:
        """Count `check` as it stands in `state`, in place of how it stood before."""
        probes = (*check.probes, None)
        for probe in probes:
            self._tallies[probe].put(check, state)
        self._settle(probes)

    def drop(self, name: str) -> None:
        """Count the check of that name no longer."""
        for tally in self._tallies.values():
            tally.drop(name)
        self._settle(PROBES)

    def begun(self) -> None:
        """A life has begun, or its app has started."""
        self._settle(PROBES)
        self.tell()

    def turned(self) -> None:
        """The app drains, or no longer, or it stops: what a signal handler may say in the middle of anything else."""
        self._publish((Probe.READINESS, None))
        self.tell()

    def touch(self) -> None:
        """Something has changed that is not counted here, and that a report shows."""
        self.version = next(self._versions)

    def watch(self, callback: Callable[[], object]) -> None:
        """Call `callback` after each change. The object of a bound method is not kept alive by it."""
        watcher: Watcher = WeakMethod(callback) if isinstance(callback, MethodType) else lambda: callback
        self._watchers = [*(each for each in self._watchers if each() is not None), watcher]

    def tell(self) -> None:
        """Tell everybody who watches that something has changed."""
        for watcher in self._watchers:
            callback = watcher()
            if callback is not None:
                callback()

    def concerns(self, probe: Probe | None) -> bool:
        """Tell whether a run could change `probe`: a check counts for it, or startup checks hold it back."""
        return len(self._tallies[probe]) > 0 or self.outlooks[probe].status is Status.UNHEALTHY

    def undecided(self, probe: Probe | None) -> bool:
        """Tell whether `probe` is unhealthy for want of first results, and of nothing else."""
        tallies = [self._tallies[probe]]
        if not self._life.passed and probe is not Probe.LIVENESS:
            tallies.append(self._tallies[Probe.STARTUP])
        return any(tally.unknown for tally in tallies) and not any(tally.failed for tally in tallies)

    def _settle(self, probes: Iterable[Probe | None]) -> None:
        if self._life.started and not self._life.passed:
            self._life.passed = self._tallies[Probe.STARTUP].outlook().status is not Status.UNHEALTHY
            probes = PROBES
        self._publish(probes)

    def _publish(self, probes: Iterable[Probe | None]) -> None:
        again = False
        while True:
            # A signal handler may drain in the middle of this, in this very thread: what was computed with the phase
            # of before must not overwrite what the handler has published.
            phase = self._life.phase
            outlooks = {**self.outlooks, **{probe: self._look(probe, phase) for probe in probes}}
            changed = outlooks != self.outlooks
            self.outlooks = outlooks
            # After the change: whoever has read half of it under the old number finds that the number has moved. From
            # a counter: `+= 1` could be interrupted and give a number twice.
            self.version = next(self._versions)
            if changed or again:
                self.tell()
            if phase is self._life.phase:
                return
            probes, again = PROBES, True

    def _look(self, probe: Probe | None, phase: Phase) -> Outlook:
        # The tallies are left alone where the phase decides: a signal handler that drains must not touch a heap which
        # the code that it interrupted is about to change.
        if probe is Probe.STARTUP:
            return Outlook(Status.HEALTHY if self._life.passed else Status.UNHEALTHY)
        if probe is not Probe.LIVENESS and not (self._life.passed and phase is Phase.SERVING):
            return Outlook(Status.UNHEALTHY)
        return self._tallies[probe].outlook()
