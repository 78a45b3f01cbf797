"""All that goes on beside an app, from its start to its end."""

import signal
from collections.abc import Callable, Mapping
from math import inf
from time import monotonic
from typing import Any

from ..core.drain import Drain
from ..core.health import Health
from ..core.lifecycle import Phase
from ..core.listener import Listener
from ..core.logger import logger
from ..core.stalls import Stall
from ..core.status import Probe
from ..formats.redact import prepare
from .drain_file import DrainFile
from .drainer import Drainer
from .heartbeat import PERIOD, Heartbeat
from .lifecycle import InUse, Lifecycle
from .listening import CannotListen, LateBy, Listening, Respond
from .runner import runner_of
from .sigterm import CannotHold, Sigterm
from .watch import Watch
from .watchdog import Watchdog

IN_USE = (
    "health: another app, or a running() block, lives with the same Health; expected one at a time: give each a Health"
    " of its own, or run the second after the first"
)

NOTICED = 0.5
"""Seconds of lateness below which a loop is busy and nothing worse."""


class Sidecar:
    """The runner of the checks, the heartbeat of the loop, and what watches over it, drains and listens.

    Of all but the runner there is only what was asked for: without `drain`, `listener` and `slow_loop` no thread is
    started and no signal is touched. `answering` makes what answers the requests to the listener. `look_below` looks
    once at what the app is made of; it is given whether there is time to import more of it.
    """

    def __init__(
        self,
        health: Health,
        *,
        drain: Drain | None,
        listener: Listener | None,
        slow_loop: float,
        answering: Callable[[LateBy], Respond],
        look_below: Callable[[bool], None],
        paths: str,
    ) -> None:
        self._health = health
        self._drain = drain
        self._listener = listener
        self._slow = slow_loop if slow_loop > 0 else inf
        self._paths = paths
        self._look_below: Callable[[bool], None] | None = look_below
        self.runner = runner_of(health)
        self._respond = None if listener is None else answering(self._late_by)
        self._known_on_demand = False
        self._life: Lifecycle | None = None
        self._heartbeat: Heartbeat | None = None
        self._listening: Listening | None = None
        self._watchdog: Watchdog | None = None
        self._drainer: Drainer | None = None
        self._drain_file: DrainFile | None = None
        self._sigterm: Sigterm | None = None
        self._watch: Watch | None = None

    # -- the life of an app that has a lifespan

    def begin(self, scope: Mapping[str, Any] | None = None) -> object:
        """The app is about to start: what a former life may have left behind is not its own.

        `scope` is that of its lifespan. Raises CannotListen, and InUse while another app lives with the same Health.
        """
        health = self._health
        former = health.life if health.going_on else None
        # Of several middlewares around one app the first has the checks, and watches over the loop.
        first = not (isinstance(former, Lifecycle) and former.has(scope))
        if first and isinstance(former, Lifecycle) and health.phase is not Phase.STOPPED:
            # The same app may begin anew: its last server may have ended without a shutdown.
            if former.goes_on() and former.owner is not self:
                raise InUse(IN_USE)
            logger.warning(
                "a lifespan, or a running() block, of this Health has not ended: the one that begins takes its place"
            )
        self._leave()
        self._listen()
        life = self._life = Lifecycle(scope, self)
        if first:
            health.begin(life)
            self.runner.cancel()
        try:
            self._attend(self._slow if first else inf)
        except (OSError, RuntimeError) as error:  # no descriptor, no thread
            self._leave()
            health.end(life)
            raise CannotListen(f"what goes on beside the app cannot start: {error}") from None
        return life

    def started(self, life: object) -> None:
        """The app's own startup is complete: from now on the checks run, and a signal drains."""
        if life is not self._life:
            return
        if self._health.lives_in(self._life):
            self._health.serve()
            self.runner.start()
            logger.info("checks run in the background: %s", self._summary())
        self._known_on_demand = False
        self._prepare_once(load=True)  # before the watchdog counts: a framework may import more of the app
        self._guard()

    async def stopping(self, life: object) -> None:
        """The checks end before the app knows that it has to, so that none of them uses a closed pool."""
        if life is not self._life:
            return
        first = self._health.lives_in(self._life)
        if first:
            self._health.stop()
        if self._drainer is not None:
            self._drainer.cancel()
        if self._sigterm is not None:
            self._sigterm.remove()
        if first:
            await self.runner.stop()

    def ended(self, life: object) -> None:
        """The app's lifespan is over, however that came: nothing may go on without an owner.

        But for a drain in the middle of which the lifespan has crashed: the server serves on, and so does the drain
        until it passes the signal on. A signal that is still held when the server stops by itself is passed on here.
        """
        if self._health.end(life):
            self.runner.cancel()
            if isinstance(life, Lifecycle):
                life.forget()
        if life is self._life:  # a lost one may be collected in the middle of the next
            self._life = None
            if self._drainer is None or not self._drainer.holding:
                self._leave()

    # -- the life of one that has none

    def attend(self, root: str = "") -> None:
        """A request has come, and no lifespan before it. Returns at once when everything goes on already.

        `root` is where the app is mounted, for the log.
        """
        health = self._health
        if health.phase is Phase.STOPPED and self._outlived():
            life = Lifecycle(None, self)
            health.begin(life)
            health.end(life)
            life.forget()
            health.serve()
            self._known_on_demand = False
        if not health.lives and not health.started:
            health.serve()
        if health.phase not in (Phase.SERVING, Phase.DRAINING):
            return
        if (self._drain is not None or self._listener is not None) and not self._beats():
            self._leave()
            # In the middle of somebody's request, who is not to suffer from what cannot be had.
            try:
                self._listen()
            except CannotListen as error:
                logger.error("%s", error)
            try:
                self._attend(self._slow)
            except (OSError, RuntimeError) as error:
                logger.error("what goes on beside the app cannot start: %s", error)
                return
            self._guard()
        if self._listening is not None and not self.runner.alive:
            # Those who ask it start no check, for they come from another thread; and this loop is seen to live.
            self.runner.start()
            logger.info("checks run in the background: %s", self._summary(root))
        if not self._known_on_demand and not self.runner.alive:
            self._known_on_demand = True
            logger.info("checks run on demand, when a probe asks: %s", self._summary(root))
        self._prepare_once(load=False)

    def _prepare_once(self, *, load: bool) -> None:
        look, self._look_below = self._look_below, None
        if look is not None:
            prepare()
            look(load)

    def _outlived(self) -> bool:
        """Tell whether a request belongs to no lifespan although there was one: it comes on another loop.

        A test suite calls an app with a lifespan, and then without. On the same loop it is the server that shuts down.
        """
        life = self._health.life
        return not self._health.going_on and isinstance(life, Lifecycle) and not life.is_of_the_running_loop()

    # -- what a request asks for

    async def drain(self) -> None:
        """Drain, and return when a signal would no longer be held back."""
        if self._drainer is None:
            self.attend()
        if self._drainer is not None:
            await self._drainer.drain()

    # -- inside

    def _late_by(self, probe: Probe | None) -> Stall | None:
        heartbeat = self._heartbeat  # once: the app's thread may take it away in between
        if self._listener is None or heartbeat is None:
            return None
        late = heartbeat.late(monotonic())
        return self._listener.stall(probe, late) if late >= min(NOTICED, self._listener.stall_ready) else None

    def _listen(self) -> None:
        if self._listener is not None and self._respond is not None:
            from .early import open_listener

            self._listening = open_listener(self._listener, self._respond)

    def _attend(self, slow: float) -> None:
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
            self._drain_file = DrainFile(self._health, self._drain.file, self._beats)
            self._drain_file.start(patience=NOTICED)

    def _guard(self) -> None:
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

    def _leave(self) -> None:
        sigterm = self._sigterm
        if self._drainer is not None:
            self._drainer.cancel()
        if self._drain_file is not None:
            self._drain_file.stop()
        if self._sigterm is not None:
            self._sigterm.remove()
        if self._watch is not None and (self._sigterm is None or not self._sigterm.installed):
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

    def _beats(self) -> bool:
        heartbeat = self._heartbeat
        return heartbeat is not None and heartbeat.alive

    def _hold(self) -> bool:
        # With its loop gone nobody serves on, and nobody will take the handler out.
        return self._drainer is not None and self._beats() and self._drainer.hold()

    def _pass_on(self) -> None:
        # Each once: this is the thread of the watch, and the app's may take them away in between.
        sigterm, heartbeat = self._sigterm, self._heartbeat
        if sigterm is not None:
            sigterm.let_go()
        if heartbeat is not None:
            heartbeat.wake()  # so that the main thread runs what handlers are due

    def _beat(self) -> None:
        if self._sigterm is not None:
            self._sigterm.look()
        if self._life is not None:  # without one nobody would tell what is revived that the loop ends
            self.runner.look()

    def _look(self, now: float) -> float:
        watchdog, drainer, watch, sigterm = self._watchdog, self._drainer, self._watch, self._sigterm
        if watch is not None and not self._beats() and (sigterm is None or not sigterm.installed):
            watch.stop()  # the loop has ended without a word
        again = inf
        if drainer is not None:
            if not self._beats():  # the loop has ended, and with it the server
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

    def _summary(self, root: str = "") -> str:
        names = ", ".join(check.name for check in self._health.checks) or "none"
        return f"{names}; answered: {' '.join(root + path for path in self._paths.split(' '))}"
