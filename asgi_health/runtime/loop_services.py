"""The services that need one event loop: heartbeat, listener, drain, detection of stalls, integrations."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from ..core.engine import Engine
from ..core.stalls import Stall, StallTimes
from ..core.status import Probe
from ..formats.answer import Answer
from ..listener.config import Listener
from ..listener.interface import RunningListener, StallOf, StreamedAnswer
from .drain.config import Drain
from .loop_figures import LoopFigures

# Imported when the app starts, so that an import of the package costs less. Not later, when the process may have no
# descriptor left.
if TYPE_CHECKING:
    from .drain.controller import DrainController
    from .drain.file import DrainFile
    from .integrations import BoundIntegration
    from .watchdog.loop_heartbeat import LoopHeartbeat
    from .watchdog.monitor_thread import MonitorThread
    from .watchdog.stall_detector import StallDetector
    from .watchdog.stalled_probes import StalledProbes

NOTICEABLE = 0.5
"""Seconds of lateness below which a loop is busy and not blocked."""

FIRST_POLL_WAIT = 0.5
"""Seconds for which the start of the app waits for the first poll of the drain file, at most."""


class Router(Protocol):
    """Answers the requests that come to the listener."""

    async def answer_listener(
        self, scope: MutableMapping[str, Any], *, stall_of: StallOf, drain: Callable[[], Awaitable[None]]
    ) -> Answer | StreamedAnswer:
        """Return the answer to one request."""
        ...


class LoopServices:
    """The services of one event loop, from `listen` and `start` to `stop`; they may be started again.

    A service that is not configured does not exist: without `drain`, `listener`, `integrations` and `slow_loop` no
    thread is started and no signal is touched.

    All public methods except `drain` are called in the thread of the loop. The listener's thread calls `drain`, and
    reads attributes once, because the loop's thread may set them to None in between.

    Args:
        engine: The engine that drains, and that records stalls.
        drain: Configuration of the drain, if any.
        listener: Configuration of the listener, if any.
        slow_loop: Lateness of the loop (seconds) that counts as a stall; 0 turns the detection off.
        integrations: What is started with the loop and stopped with it.
        router: Answers the listener's requests.
        on_beat: Called with every beat of the loop.
        log_changes: Logs what has changed, called in another thread while the loop is blocked.
        figures: Shows what they measure.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        drain: Drain | None,
        listener: Listener | None,
        slow_loop: float,
        integrations: "Sequence[BoundIntegration]",
        router: Router,
        on_beat: Callable[[], None],
        log_changes: Callable[[], None],
        figures: LoopFigures,
    ) -> None:
        self._engine = engine
        self._drain = drain
        self._listener = listener
        self._slow = slow_loop if slow_loop > 0 else inf
        self._integrations = integrations
        self._router = router
        self._on_beat = on_beat
        self._log_changes = log_changes
        self._figures = figures
        self._heartbeat: LoopHeartbeat | None = None
        self._running_listener: RunningListener | None = None
        self._detector: StallDetector | None = None
        self._stalled_probes: StalledProbes | None = None
        self._controller: DrainController | None = None
        self._drain_file: DrainFile | None = None
        self._monitor: MonitorThread | None = None

    @property
    def running(self) -> bool:
        """Whether they have been started and their loop has not ended."""
        heartbeat = self._heartbeat
        return heartbeat is not None and heartbeat.alive

    @property
    def listens(self) -> bool:
        """Whether there is a listener whose address is bound."""
        return self._running_listener is not None

    @property
    def can_drain(self) -> bool:
        """Whether `drain` has an effect."""
        return self._controller is not None

    @property
    def delays_signal(self) -> bool:
        """Whether a SIGTERM has come and is not passed on yet."""
        return self._controller is not None and self._controller.delays_signal

    @property
    def signal_passed(self) -> bool:
        """Whether a drain has delayed a SIGTERM, or could have, and the server has got it."""
        return self._controller is not None and self._controller.signal_passed

    def listen(self) -> None:
        """Bind the listener's address. Raises CannotListen."""
        if self._listener is not None:
            from ..listener.early import open_listener

            self._running_listener = open_listener(self._listener, self._respond)
            self._figures.listener_opened(self._running_listener)

    def start(self, *, detect_stalls: bool = True) -> None:
        """Start everything but the handling of signals, in the present loop.

        Raises OSError without a descriptor, RuntimeError without a thread; `stop` ends what has been started by then.
        Raises CannotListen for the address of an integration, when everything else has been started.
        """
        slow = self._slow if detect_stalls else inf
        drain = self._drain
        if drain is None and self._listener is None and slow == inf and not self._integrations:
            return
        from .watchdog.loop_heartbeat import LoopHeartbeat

        heartbeat = self._heartbeat = LoopHeartbeat(slow, self._beat)
        heartbeat.start()
        self._figures.heartbeat_started(heartbeat)
        if self._running_listener is not None:
            self._running_listener.start()
        self._start_monitor(heartbeat, slow)
        if drain is not None and drain.file is not None:
            from .drain.file import DrainFile

            # Waits a moment for the first poll: an app that starts while the file exists must not be ready first.
            self._drain_file = DrainFile(self._engine, drain.file, lambda: self.running)
            self._drain_file.start(FIRST_POLL_WAIT)
        if self._integrations:
            from .integrations import start_integrations

            start_integrations(self._integrations)

    def arm(self) -> None:
        """The app has started: stalls count from now on, and SIGTERM drains."""
        if self._detector is not None:
            self._detector.start(monotonic())
        if self._controller is not None:
            self._controller.arm()

    async def drain(self) -> None:
        """Drain, and return when a signal would no longer be delayed. No effect where no drain is configured."""
        controller = self._controller
        if controller is not None:
            await controller.drain()

    def disarm(self) -> None:
        """The server has begun to stop: delay no signal any more."""
        if self._controller is not None:
            self._controller.disarm()

    def stop(self) -> None:
        """End everything, without waiting, and pass on a signal that is still delayed."""
        controller = self._controller
        self.disarm()
        if self._integrations and self._heartbeat is not None:
            from .integrations import stop_integrations

            stop_integrations(self._integrations)
        if self._drain_file is not None:
            self._drain_file.stop()
        if self._monitor is not None and (controller is None or not controller.handles_signals):
            # Where the handler stays installed the monitor goes on, because signals are still written to it.
            self._monitor.stop()
        if self._heartbeat is not None:
            self._heartbeat.stop()
            self._figures.heartbeat_stopped(self._heartbeat)
        if self._stalled_probes is not None:
            self._stalled_probes.clear()
        if self._running_listener is not None:
            self._running_listener.stop()
            self._figures.listener_stopped(self._running_listener)
        self._monitor = self._controller = self._drain_file = None
        self._detector = self._stalled_probes = self._heartbeat = self._running_listener = None
        if controller is not None:  # last: it may be the end of the process
            controller.pass_on_signal()

    def _start_monitor(self, heartbeat: "LoopHeartbeat", slow: float) -> None:
        from .drain.controller import DrainController
        from .watchdog.monitor_thread import MonitorThread
        from .watchdog.stall_detector import StallDetector
        from .watchdog.stalled_probes import StalledProbes

        monitor = self._monitor = MonitorThread()
        detector: StallDetector | None = None
        controller: DrainController | None = None
        if slow < inf:
            detector = self._detector = StallDetector(
                heartbeat, slow, self._engine.record_stall, self._figures.stall_seen
            )
        if self._drain is not None:
            controller = self._controller = DrainController(self._engine, self._drain, heartbeat, monitor)
            self._figures.drain = controller
        # An integration that reports the status of a probe from another thread is a listener of another protocol.
        times = StallTimes() if self._integrations else None
        if self._listener is not None:
            times = self._listener.stall_times
        stalled_probes = StalledProbes(self._engine, times, heartbeat, self._log_changes)
        self._stalled_probes = stalled_probes
        monitor.start(
            [each.poll for each in (controller, detector, stalled_probes) if each is not None],
            on_wakeup=_ignore if controller is None else controller.on_wakeup,
            # A loop may end without stopping its services.
            is_needed=lambda: heartbeat.alive or (controller is not None and controller.handles_signals),
        )

    def _beat(self) -> None:
        if self._controller is not None:
            self._controller.on_beat()
        if self._stalled_probes is not None:
            self._stalled_probes.clear()
        self._on_beat()

    async def _respond(self, scope: MutableMapping[str, Any]) -> Answer | StreamedAnswer:
        return await self._router.answer_listener(scope, stall_of=self._stall_of, drain=self.drain)

    def _stall_of(self, probe: Probe) -> Stall | None:
        heartbeat = self._heartbeat
        if self._listener is None or heartbeat is None:
            return None
        lateness = heartbeat.lateness(monotonic())
        if lateness < min(NOTICEABLE, self._listener.stall_ready):
            return None
        return self._listener.stall_times.stall(probe, lateness)


def _ignore(_: bytes) -> None:
    pass
