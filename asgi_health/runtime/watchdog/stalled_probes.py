"""Passes on, while the event loop is blocked, which probes the listener answers as unhealthy because of it."""

from collections.abc import Callable
from threading import Lock
from time import monotonic

from ...core.engine import Engine
from ...core.status import Probe
from ...listener.config import Listener
from .loop_heartbeat import PERIOD, LoopHeartbeat

FIRST_LOOK = 1.0
"""Seconds of lateness from which the loop counts as blocked, so that the monitor thread looks at it again and again."""


class StalledProbes:
    """Make the transitions of the probes that the blocked loop makes unhealthy, and of those whose results grow stale.

    `poll` is called in the monitor thread, `clear` in the thread of the loop.

    Args:
        engine: The engine.
        listener: Says which probes a stall makes unhealthy, and when.
        heartbeat: The heartbeat of the loop.
        log_changes: Logs what has changed, which the blocked loop cannot do.
    """

    def __init__(
        self, engine: Engine, listener: Listener, heartbeat: LoopHeartbeat, log_changes: Callable[[], None]
    ) -> None:
        self._engine = engine
        self._listener = listener
        self._heartbeat = heartbeat
        self._log_changes = log_changes
        self._stalled: frozenset[Probe] = frozenset()
        self._lock = Lock()

    def poll(self, now: float) -> float:
        """Look at the loop, and return when to call again (seconds of `time.monotonic`)."""
        heartbeat = self._heartbeat
        first_look = min(FIRST_LOOK, self._listener.stall_ready)
        if heartbeat.lateness(now) < first_look:
            return heartbeat.last_beat + PERIOD + first_look
        # With the lock: the loop may beat at this very moment, and what it sets must be the last.
        with self._lock:
            if not heartbeat.alive:
                return now + PERIOD
            lateness = heartbeat.lateness(monotonic())
            stalls = {probe: self._listener.stall(probe, lateness) for probe in Probe}
            self._set(frozenset(probe for probe, stall in stalls.items() if stall is not None and stall.too_long))
        self._engine.pass_on_decay(self._engine.clock())
        self._log_changes()
        return now + PERIOD

    def clear(self) -> None:
        """No probe is stalled any more: the loop runs, or nothing watches it from now on."""
        if self._stalled:
            with self._lock:
                self._set(frozenset())

    def _set(self, stalled: frozenset[Probe]) -> None:
        if stalled != self._stalled:
            self._stalled = stalled
            self._engine.set_stalled(stalled, self._engine.clock())
