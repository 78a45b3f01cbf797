"""The status of every probe, updated with each change and passed to the callbacks that depend on it."""

from collections.abc import Callable, Iterable, Mapping
from itertools import count
from math import inf
from types import MethodType
from weakref import WeakMethod

from .aggregate import Aggregate, ProbeStatus, stale_at
from .check import Check
from .lifecycle import Lifecycle, Phase
from .state import CheckState
from .status import Probe, Status
from .transition import Reason
from .workers import UNKNOWN_OTHERS, OtherWorkers

Statuses = Mapping[Probe, ProbeStatus]
"""The status of each probe at one moment. Never changed: each update makes a new mapping."""

OnChange = Callable[[Statuses], object]
"""Called with the new statuses after a change."""

_Callback = Callable[[], OnChange | None]
"""Returns the callback, None once its object is gone: many apps may come and go around one Health."""


class ProbeStatuses:
    """The status of each probe, from the checks that count for it and the phase of the app.

    One thread at a time makes changes; a signal handler may interrupt it and change the phase. Any thread may read.
    """

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle
        self._aggregates = {probe: Aggregate(probe) for probe in Probe}
        self._callbacks: list[_Callback] = []
        self._versions = count(1)
        self.version = 0
        """A number that differs after every change that a report could show."""
        self.current: Statuses = {}
        """The present status of each probe. Replaced as a whole."""
        self.own: Statuses = {}
        """The present status of each probe without the other workers of the host. Replaced as a whole."""
        self._app_in_maintenance = False
        self._others: Mapping[Probe, OtherWorkers] = {}
        self.host_started = False
        """Whether the workers of the host have started; stays true for the rest of the lifespan."""
        self._publish(Probe)

    def update(self, check: Check, state: CheckState, maintained_until: float = -inf) -> None:
        """Count `check` with `state`, in place of its previous state; until then its failures count as degraded."""
        probes = (*check.probes, Probe.HEALTH)
        stale = stale_at(check, state)
        for probe in probes:
            self._aggregates[probe].update(check, state, stale, maintained_until)
        self._latch_startup_and_publish(probes)

    def discard(self, name: str) -> None:
        """Stop counting the check of that name."""
        for aggregate in self._aggregates.values():
            aggregate.discard(name)
        self._latch_startup_and_publish(Probe)

    def refresh(self) -> None:
        """Recompute every probe: a lifespan has begun, or the app has started."""
        self._latch_startup_and_publish(Probe)
        self.notify()

    def refresh_readiness(self) -> None:
        """Recompute the probes that a drain or a shutdown turns. A signal handler may call this at any moment."""
        self._publish((Probe.READINESS, Probe.HEALTH))
        self.notify()

    def set_app_in_maintenance(self, active: bool) -> None:
        """Make readiness, and all checks together, unhealthy while `active` is the last value set."""
        self._app_in_maintenance = active
        self.refresh_readiness()

    def set_others(self, others: Mapping[Probe, OtherWorkers]) -> None:
        """Make each probe as bad as the other workers of the host make it; an empty mapping: there are none."""
        startup = others.get(Probe.STARTUP)
        if startup is not None and startup.status is Status.HEALTHY:
            self.host_started = True  # a worker that is started later does not take the others back to their start
        if others != self._others:
            self._others = others
            self.refresh()

    def forget_others(self) -> None:
        """Count this worker alone: a lifespan begins, and with it the startup of its host."""
        self._others, self.host_started = {}, False

    def bump_version(self) -> None:
        """Change `version`, after a change that a report shows and that no probe depends on."""
        self.version = next(self._versions)

    def on_change(self, callback: OnChange) -> None:
        """Call `callback` after each change. A bound method does not keep its object alive."""
        reference: _Callback = WeakMethod(callback) if isinstance(callback, MethodType) else lambda: callback
        self._callbacks = [*(each for each in self._callbacks if each() is not None), reference]

    def notify(self) -> None:
        """Call every callback with the present statuses."""
        while True:
            statuses = self.current
            for reference in self._callbacks:
                callback = reference()
                if callback is not None:
                    callback(statuses)
            # A signal handler may start a drain at the beginning of a callback, in this very thread: the callback has
            # then received the statuses of the drain first and those from before it last, so it is called once more.
            if statuses is self.current:
                return

    def names(self, probe: Probe, status: Status, reason: Reason, now: float) -> tuple[str, ...]:
        """Return the names of the checks that give `probe` this status for this reason, none where the phase does.

        Args:
            probe: The probe.
            status: Its status.
            reason: Why it has this status.
            now: The present moment (monotonic seconds).
        """
        if reason not in ("starting", "check", "stale", "maintenance") or not self._lifecycle.app_started:
            return ()
        if not self._lifecycle.startup_passed and probe is not Probe.LIVENESS:
            probe = Probe.STARTUP
        if reason == "maintenance" and status is Status.UNHEALTHY:  # of the app
            return ()
        return self._aggregates[probe].names(status, reason, now)

    def startup_failures(self, now: float) -> tuple[str, ...]:
        """Return the names of the checks that have failed and so keep the app from having started. Takes no lock."""
        if self._lifecycle.startup_passed or not self._lifecycle.app_started:
            return ()
        return self._aggregates[Probe.STARTUP].names(Status.UNHEALTHY, "check", now)

    def depends_on_runs(self, probe: Probe) -> bool:
        """Return whether a run could change `probe`: a check counts for it, or it is unhealthy."""
        return len(self._aggregates[probe]) > 0 or self.current[probe].status is Status.UNHEALTHY

    def awaits_first_results(self, probe: Probe) -> bool:
        """Return whether `probe` is unhealthy only because first results, or the other workers, are not known yet."""
        aggregates = [self._aggregates[probe]]
        if not self._lifecycle.startup_passed and probe is not Probe.LIVENESS:
            aggregates.append(self._aggregates[Probe.STARTUP])
        awaits_host = self._others is UNKNOWN_OTHERS and probe is not Probe.LIVENESS
        awaits = awaits_host or any(each.awaits_first_result for each in aggregates)
        return awaits and not any(each.has_failed for each in aggregates)

    def _latch_startup_and_publish(self, probes: Iterable[Probe]) -> None:
        lifecycle = self._lifecycle
        if lifecycle.app_started and not lifecycle.startup_passed:
            startup = self._aggregates[Probe.STARTUP].status()
            lifecycle.startup_passed = startup.status is not Status.UNHEALTHY
            probes = Probe
        self._publish(probes)

    def _publish(self, probes: Iterable[Probe]) -> None:
        again = False
        while True:
            # A signal handler may start a drain in the middle of this, in this very thread: what was computed with the
            # former phase must not overwrite what the handler has published.
            phase = self._lifecycle.phase
            own = {**self.own, **{probe: self._status_of(probe, phase) for probe in probes}}
            statuses = (
                {probe: self._with_others(probe, status) for probe, status in own.items()} if self._others else own
            )
            changed = statuses != self.current
            if own != self.own:
                self.own = own
            if changed:  # otherwise the same object: what depends on it compares by identity
                self.current = statuses
            # After the change: a reader that has read half of it under the old number finds a new number. From a
            # counter: a signal handler could interrupt `+= 1`, and two changes would get the same number.
            self.version = next(self._versions)
            if changed or again:
                self.notify()
            if phase is self._lifecycle.phase:
                return
            probes, again = Probe, True

    def _status_of(self, probe: Probe, phase: Phase) -> ProbeStatus:
        # The aggregates are not read where the phase decides: a signal handler that starts a drain must not touch a
        # heap which the code that it interrupted is about to change.
        if probe is Probe.STARTUP:
            if self._lifecycle.startup_passed:
                return ProbeStatus(Status.HEALTHY)
            return ProbeStatus(Status.UNHEALTHY, reason=self._startup_reason())
        if probe is not Probe.LIVENESS:
            if phase in (Phase.DRAINING, Phase.STOPPED):
                return ProbeStatus(Status.UNHEALTHY, reason="draining" if phase is Phase.DRAINING else "stopped")
            if not self._lifecycle.startup_passed:
                return ProbeStatus(Status.UNHEALTHY, reason=self._startup_reason())
            if self._app_in_maintenance:
                return ProbeStatus(Status.UNHEALTHY, reason="maintenance")
        return self._aggregates[probe].status()

    def _with_others(self, probe: Probe, own: ProbeStatus) -> ProbeStatus:
        others = self._others.get(probe)
        if others is None or others.status <= own.status or (probe is Probe.STARTUP and self.host_started):
            return own
        if others.status is Status.UNHEALTHY:
            return ProbeStatus(Status.UNHEALTHY, reason=others.reason)
        return ProbeStatus(Status.DEGRADED, unhealthy_at=own.unhealthy_at, reason=others.reason)

    def _startup_reason(self) -> Reason:
        return self._aggregates[Probe.STARTUP].reason(Status.UNHEALTHY) if self._lifecycle.app_started else "starting"
