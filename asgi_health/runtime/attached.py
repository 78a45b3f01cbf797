"""What is attached to a running event loop: it listens, drains, holds signals back, and sees a loop that is blocked."""

import signal
from collections.abc import Callable
from math import inf
from time import monotonic

from ..core.drain import Drain
from ..core.health import Health
from ..core.listener import Listener
from ..core.logger import logger
from ..core.stalls import Stall
from ..core.status import Probe
from .drain_file import DrainFile
from .drainer import Drainer
from .heartbeat import PERIOD, Heartbeat
from .listening import LateBy, Listening, Respond
from .sigterm import CannotHold, Sigterm
from .watch import Watch
from .watchdog import Watchdog

NOTICED = 0.5
"""Seconds of lateness below which a loop is busy and nothing worse."""


class Attached:
    """The heartbeat of a loop, and what needs it, from `listen` and `start` to `stop`; any number of times.

    There is only what was asked for: without `drain`, `listener` and `slow_loop` no thread is started and no signal is
    touched. `answering` makes what answers the requests to the listener. `each_beat` is called with every beat.

    All methods belong to the thread of the loop. The watch and the listener have threads of their own, which read each
    attribute here once, because that thread may take it away in between.
    """

    def __init__(
        self,
        health: Health,
        *,
        drain: Drain | None,
        listener: Listener | None,
        slow_loop: float,
        answering: Callable[[LateBy], Respond],
        each_beat: Callable[[], None],
    ) -> None:
        self._health = health
        self._drain = drain
        self._listener = listener
        self._slow = slow_loop if slow_loop > 0 else inf
        self._each_beat = each_beat
        self._respond = None if listener is None else answering(self._late_by)
        self._heartbeat: Heartbeat | None = None
        self._listening: Listening | None = None
        self._watchdog: Watchdog | None = None
        self._drainer: Drainer | None = None
        self._drain_file: DrainFile | None = None
        self._sigterm: Sigterm | None = None
        self._watch: Watch | None = None

    @property
    def beats(self) -> bool:
        """Whether its loop has not ended."""
        heartbeat = self._heartbeat
        return heartbeat is not None and heartbeat.alive

    @property
    def listens(self) -> bool:
        """Whether there is a listener that has its address."""
        return self._listening is not None

    @property
    def drains(self) -> bool:
        """Whether `drain` has an effect."""
        return self._drainer is not None

    @property
    def holding(self) -> bool:
        """Whether a signal is held back."""
        return self._drainer is not None and self._drainer.holding

    def listen(self) -> None:
        """Take the address. Raises CannotListen."""
        if self._listener is not None and self._respond is not None:
            from .early import open_listener

            self._listening = open_listener(self._listener, self._respond)

    def start(self, *, watched: bool = True) -> None:
        """Attach everything but the signal to the present loop; without `watched` nothing looks for stalls.

        Raises OSError without a descriptor, RuntimeError without a thread; what has begun by then is for `stop` to end.
        """
        slow = self._slow if watched else inf
        if self._drain is None and self._listener is None and slow == inf:
            return
        heartbeat = self._heartbeat = Heartbeat(slow, self._beat)
        heartbeat.start()
        if self._listening is not None:
            self._listening.start()
        if slow < inf:
            self._watchdog = Watchdog(heartbeat, slow, self._health.stalled)
        if self._drain is not None or slow < inf:
            watch = self._watch = Watch(self._look, self._heard)
            if self._drain is not None:
                self._drainer = Drainer(self._health, self._drain, watch.wake, self._pass_on)
            watch.start()
        if self._drain is not None and self._drain.file is not None:
            # Waited for a moment: who starts while the file is there must not be ready first.
            self._drain_file = DrainFile(self._health, self._drain.file, lambda: self.beats)
            self._drain_file.start(patience=NOTICED)

    def guard(self) -> None:
        """The app has started: stalls count from here on, and a signal drains."""
        if self._watchdog is not None:
            self._watchdog.begin(monotonic())
        if self._drainer is not None and self._watch is not None and self._drain is not None and self._drain.delay > 0:
            self._sigterm = Sigterm(self._watch.fileno(), self._hold)
            try:
                self._sigterm.install()
            except CannotHold as reason:
                self._sigterm = None
                logger.warning(
                    "drain: SIGTERM cannot be held back here: %s. Drain by Drain(file=...), by Drain(path=...) or by"
                    " health.drain() instead",
                    reason,
                )

    async def drain(self) -> None:
        """Drain, and return when a signal would no longer be held back. No effect where nothing was to drain."""
        if self._drainer is not None:
            await self._drainer.drain()

    def give_back_signal(self) -> None:
        """The server has begun to stop: hold nothing back any more."""
        if self._drainer is not None:
            self._drainer.cancel()
        if self._sigterm is not None:
            self._sigterm.remove()

    def stop(self) -> None:
        """End everything, without waiting, and pass on a signal that is still held back."""
        sigterm = self._sigterm
        self.give_back_signal()
        if self._drain_file is not None:
            self._drain_file.stop()
        if self._watch is not None and (sigterm is None or not sigterm.installed):
            # Otherwise it goes on: signals are still written to it.
            self._watch.stop()
        if self._heartbeat is not None:
            self._heartbeat.stop()
        if self._listening is not None:
            self._listening.stop()
        self._watch = self._sigterm = self._drainer = self._drain_file = None
        self._watchdog = self._heartbeat = self._listening = None
        if sigterm is not None:  # last: it may be the end of the process
            sigterm.let_go()

    # -- what is called back: by the listener, a handler of signals, the heartbeat, the watch

    def _late_by(self, probe: Probe | None) -> Stall | None:
        heartbeat = self._heartbeat
        if self._listener is None or heartbeat is None:
            return None
        late = heartbeat.late(monotonic())
        return self._listener.stall(probe, late) if late >= min(NOTICED, self._listener.stall_ready) else None

    def _hold(self) -> bool:
        # With its loop gone the server has gone too, and so has what would take the handler out.
        return self._drainer is not None and self.beats and self._drainer.hold()

    def _pass_on(self) -> None:
        sigterm, heartbeat = self._sigterm, self._heartbeat
        if sigterm is not None:
            sigterm.let_go()
        if heartbeat is not None:
            heartbeat.wake()  # so that the main thread runs what handlers are due

    def _beat(self) -> None:
        if self._sigterm is not None:
            self._sigterm.look()
        self._each_beat()

    def _look(self, now: float) -> float:
        watchdog, drainer, watch, sigterm = self._watchdog, self._drainer, self._watch, self._sigterm
        if watch is not None and not self.beats and (sigterm is None or not sigterm.installed):
            watch.stop()  # the loop has ended without a word
        again = inf
        if drainer is not None:
            if not self.beats:  # the loop has ended, and with it the server
                drainer.release()
            again = drainer.look(now)
            if drainer.holding:
                again = min(again, now + PERIOD)
        return min(again, watchdog.look(now)) if watchdog is not None else again

    def _heard(self, numbers: bytes) -> None:
        sigterm, heartbeat = self._sigterm, self._heartbeat
        if sigterm is not None:
            sigterm.forward(numbers)
        if heartbeat is not None and signal.SIGTERM in numbers:
            # uvloop sleeps in C, and Python's handlers do not run before something wakes it.
            heartbeat.wake()
