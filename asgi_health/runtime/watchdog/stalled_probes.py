"""Passes on, while the event loop is blocked, what changes meanwhile: probes that the stall fails, stale results."""

from collections.abc import Callable
from threading import Lock
from time import monotonic

from ...core.engine import Engine
from ...core.stalls import StallTimes
from ...core.status import Probe
from .loop_heartbeat import PERIOD, LoopHeartbeat

FIRST_LOOK = 1.0
"""Seconds of lateness from which the loop counts as blocked, so that the monitor thread looks at it again and again."""


class StalledProbes:
    """Make the transitions of the probes that the blocked loop makes unhealthy, and of those whose results grow stale.

    `poll` is called in the monitor thread, `clear` in the thread of the loop.

    Args:
        engine: The engine.
        times: When a stall makes probes unhealthy; None for never.
        heartbeat: The heartbeat of the loop.
        log_changes: Logs what has changed, which the blocked loop cannot do.
    """

    def __init__(
        self, engine: Engine, times: StallTimes | None, heartbeat: LoopHeartbeat, log_changes: Callable[[], None]
    ) -> None:
        self._engine = engine
        self._times = times
        self._first_look = FIRST_LOOK if times is None else min(FIRST_LOOK, times.ready)
        self._heartbeat = heartbeat
        self._log_changes = log_changes
        self._stalled: frozenset[Probe] = frozenset()
        self._lock = Lock()

    def poll(self, now: float) -> float:
        """Look at the loop, and return when to call again (seconds of `time.monotonic`)."""
        heartbeat = self._heartbeat
        if heartbeat.lateness(now) < self._first_look:
            return heartbeat.last_beat + PERIOD + self._first_look
        # With the lock: the loop may beat at this very moment, and what it sets must be the last.
        with self._lock:
            if not heartbeat.alive:
                return now + PERIOD
            self._set(self._probes_at(heartbeat.lateness(monotonic())))
        self._engine.pass_on_decay(self._engine.clock())
        self._log_changes()
        return now + PERIOD

    def clear(self) -> None:
        """No probe is stalled any more: the loop runs, or nothing watches it from now on."""
        if self._stalled:
            with self._lock:
                self._set(frozenset())

    def _probes_at(self, lateness: float) -> frozenset[Probe]:
        if self._times is None:
            return frozenset()
        stalls = {probe: self._times.stall(probe, lateness) for probe in Probe}
        return frozenset(probe for probe, stall in stalls.items() if stall is not None and stall.too_long)

    def _set(self, stalled: frozenset[Probe]) -> None:
        if stalled != self._stalled:
            self._stalled = stalled
            self._engine.set_stalled(stalled, self._engine.clock())
