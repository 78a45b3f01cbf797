"""Drains the app at the first SIGTERM, and delays the signal by `Drain.delay` seconds."""

import signal
from math import inf

import anyio

from ...core.engine import Engine
from ...core.lifecycle import Phase
from ...core.logger import logger
from ..watchdog.loop_heartbeat import PERIOD, LoopHeartbeat
from ..watchdog.monitor_thread import MonitorThread
from .config import Drain
from .sigterm import CannotHandle, SigtermHandler

CAUSE = {"cause": "draining"}
"""The field that records of a drain have in addition; see docs/reference/log-records.md."""


class DrainController:
    """Drain as `Drain` describes it, from `arm` to `disarm`.

    `arm`, `on_beat` and `disarm` are called in the thread of the event loop, `on_sigterm` in a signal handler, `poll`
    and `on_wakeup` in the monitor thread, `drain` in the thread of the event loop or of the listener, `pass_on_signal`
    in the thread of the event loop or in the monitor thread.
    """

    def __init__(self, engine: Engine, drain: Drain, heartbeat: LoopHeartbeat, monitor: MonitorThread) -> None:
        self._engine = engine
        self._drain = drain
        self._heartbeat = heartbeat
        self._monitor = monitor
        self._handler: SigtermHandler | None = None
        self._pass_on_at = inf
        """When the signal is passed on (seconds of the engine's clock): inf before the first signal, -inf when it is
        passed on or has been."""
        self._logged = False

    @property
    def delays_signal(self) -> bool:
        """Whether a signal has come and is not passed on yet."""
        return -inf < self._pass_on_at < inf

    @property
    def passes_signal_on_at(self) -> float | None:
        """When a signal that has come is passed on (seconds of the engine's clock); None for none."""
        at = self._pass_on_at  # read once: a second signal may change it
        return at if -inf < at < inf else None

    @property
    def handles_signals(self) -> bool:
        """Whether the handler of SIGTERM is installed."""
        handler = self._handler
        return handler is not None and handler.installed

    @property
    def signal_passed(self) -> bool:
        """Whether the server has got a SIGTERM: its delay is over, or there was none."""
        handler = self._handler
        return handler is not None and not handler.installed

    # -- in the thread of the event loop

    def arm(self) -> None:
        """Handle SIGTERM from now on, unless `Drain.delay` is 0. Logs a warning where that is not possible."""
        if self._drain.delay == 0:
            return
        handler = self._handler = SigtermHandler(self._monitor.wakeup_fileno(), self.on_sigterm)
        try:
            handler.install()
        except CannotHandle as reason:
            self._handler = None
            logger.warning(
                "drain: SIGTERM cannot be delayed here: %s. Drain by Drain(file=...), by Drain(path=...) or by"
                " health.drain() instead",
                reason,
            )

    def on_beat(self) -> None:
        """Install the handler again if another handler has replaced it."""
        if self._handler is not None:
            self._handler.reinstall()

    async def drain(self) -> None:
        """Begin to drain, and return when a signal would no longer be delayed."""
        self._engine.drain(self._engine.clock())
        logger.info("draining: a request to the drain path came", extra=CAUSE)
        await anyio.sleep(max(0.0, self._delay_ends_at() - self._engine.clock()))

    def disarm(self) -> None:
        """The server has begun to stop: delay no signal any more. `pass_on_signal` passes on a delayed one."""
        self._pass_on_at = -inf
        if self._handler is not None:
            self._handler.remove()

    def pass_on_signal(self) -> None:
        """Pass on the signal that is still delayed. It may be the end of the process."""
        handler = self._handler  # read once: the loop's thread may set it to None in between
        if handler is not None:
            handler.pass_on()

    # -- in a signal handler

    def on_sigterm(self) -> bool:
        """Begin to drain and return True, or return False if the signal must go through to the server."""
        engine = self._engine
        if not self._heartbeat.alive:  # the loop has ended, and with it the server and what would remove the handler
            return False
        if self._pass_on_at < inf or engine.phase not in (Phase.SERVING, Phase.DRAINING):
            self._pass_on_at = -inf  # the signal goes through now, and must not be passed on a second time later
            return False
        now = engine.clock()
        engine.drain(now, ordered=False)  # the server may replace this one worker
        ends_at = self._delay_ends_at()
        if now >= ends_at:
            return False
        self._pass_on_at = ends_at
        self._monitor.wake()
        return True

    # -- in the monitor thread

    def poll(self, now: float) -> float:
        """Pass on a signal whose delay is over. Returns when to call again, as `now` counts."""
        pass_on_at = self._pass_on_at  # read once: `disarm` or a second signal may change it in between
        if not -inf < pass_on_at < inf:
            return inf
        if not self._heartbeat.alive:  # the loop has ended, and with it the server
            self._release()
            return inf
        remaining = pass_on_at - self._engine.clock()
        if remaining <= 0:
            self._release()
            due = inf
        else:
            due = now + min(remaining, PERIOD)
        if not self._logged:  # last: a failing log handler must not delay the signal
            self._logged = True
            logger.info("SIGTERM: draining, the server gets the signal in %.1f s", max(0.0, remaining), extra=CAUSE)
        return due

    def on_wakeup(self, numbers: bytes) -> None:
        """Pass the numbers of signals on to the event loop, whose wakeup descriptor the handler has replaced."""
        handler = self._handler
        if handler is not None:
            handler.forward(numbers)
        if signal.SIGTERM in numbers:
            # uvloop waits in C, and Python's signal handlers do not run before something wakes it.
            self._heartbeat.wake()

    def _release(self) -> None:
        if not self.delays_signal:  # meanwhile `disarm` has left it to `pass_on_signal`, or a second one went through
            return
        self._pass_on_at = -inf
        self.pass_on_signal()
        self._heartbeat.wake()  # so that the main thread runs the pending signal handlers

    def _delay_ends_at(self) -> float:
        began = self._engine.phase_since
        return (self._engine.clock() if began is None else began) + self._drain.delay
