"""What the services of an app's event loop measure, for metrics and the page: they come and go with each lifespan."""

from typing import TYPE_CHECKING, NamedTuple

from ..listener.interface import ConnectionCounts, RunningListener

if TYPE_CHECKING:
    from .drain.controller import DrainController
    from .watchdog.loop_heartbeat import LoopHeartbeat


class SeenStall(NamedTuple):
    """A stall of the event loop whose code was seen.

    Attributes:
        at: When it was seen (seconds of `time.monotonic`).
        culprit: The function that most likely blocked, with its file and line.
    """

    at: float
    culprit: str


class LoopFigures:
    """The lateness of the event loop, and the connections that listeners closed, for all apps around one engine.

    Any thread may read it. Each attribute is replaced as a whole, so that a reader never finds a count that shrinks.
    """

    __slots__ = ("_heartbeats", "_listeners", "drain", "seen_stall")

    def __init__(self) -> None:
        self.seen_stall: SeenStall | None = None
        """The last stall of the loop whose code was seen."""
        self.drain: DrainController | None = None
        """What delays SIGTERM; None where nothing does."""
        self._heartbeats: tuple[LoopHeartbeat, ...] = ()
        self._listeners: tuple[tuple[RunningListener, ...], ConnectionCounts] | None = None

    def heartbeat_started(self, heartbeat: "LoopHeartbeat") -> None:
        """Measure the lateness by `heartbeat`."""
        self._heartbeats = (*self._heartbeats, heartbeat)

    def heartbeat_stopped(self, heartbeat: "LoopHeartbeat") -> None:
        """Forget `heartbeat`."""
        self._heartbeats = tuple(each for each in self._heartbeats if each is not heartbeat)

    def listener_opened(self, listener: RunningListener) -> None:
        """Count the connections of `listener` too."""
        running, ended = self._listeners or ((), ConnectionCounts())
        self._listeners = (*running, listener), ended

    def listener_stopped(self, listener: RunningListener) -> None:
        """Keep what `listener` has counted, without the listener."""
        running, ended = self._listeners or ((), ConnectionCounts())
        self._listeners = tuple(each for each in running if each is not listener), ended.plus(listener.counts)

    def stall_seen(self, at: float, culprit: str) -> None:
        """Remember what blocks the loop at `at` (seconds of `time.monotonic`)."""
        self.seen_stall = SeenStall(at, culprit)

    def loop_lag(self, now: float) -> float | None:
        """Return by how many seconds the event loop is late at `now`, None while nothing measures it.

        `now` is a moment of `time.monotonic`, whatever clock the checks have.
        """
        return max((each.lateness(now) for each in self._heartbeats if each.alive), default=None)

    def connections(self) -> ConnectionCounts | None:
        """Return how many connections listeners have closed, None where there was no listener."""
        listeners = self._listeners  # read once: another thread may replace it
        if listeners is None:
            return None
        running, total = listeners
        for each in running:
            total = total.plus(each.counts)
        return total
