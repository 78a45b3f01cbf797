"""When checks run, a signal drains and a listener answers: along the lifespan of an app, or from its first request."""

from collections.abc import Callable, Mapping
from typing import Any

from ..core.drain import Drain
from ..core.health import Health
from ..core.lifecycle import Phase
from ..core.listener import Listener
from ..core.logger import logger
from ..formats.redact import prepare
from .attached import Attached
from .lifecycle import InUse, Lifecycle
from .listening import CannotListen, LateBy, Respond
from .runner import runner_of

IN_USE = (
    "health: another app, or a running() block, lives with the same Health; expected one at a time: give each a Health"
    " of its own, or run the second after the first"
)


class Sidecar:
    """The runner of the checks, and what is attached to the loop of the app; see `Attached`.

    `look_below` looks once at what the app is made of; it is given whether there is time to import more of it. `paths`
    are those at which probes are answered, for the log.
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
        self._attaches_on_demand = drain is not None or listener is not None
        self._paths = paths
        self._look_below: Callable[[bool], None] | None = look_below
        self._known_on_demand = False
        self._life: Lifecycle | None = None
        self.runner = runner_of(health)
        self.attached = Attached(
            health, drain=drain, listener=listener, slow_loop=slow_loop, answering=answering, each_beat=self._beat
        )

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
        self.attached.stop()
        self.attached.listen()
        life = self._life = Lifecycle(scope, self)
        if first:
            health.begin(life)
            self.runner.cancel()
        try:
            self.attached.start(watched=first)
        except (OSError, RuntimeError) as error:
            self.attached.stop()
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
        self._prepare_once(load=True)  # before stalls count: a framework may import more of the app
        self.attached.guard()

    async def stopping(self, life: object) -> None:
        """The checks end before the app knows that it has to, so that none of them uses a closed pool."""
        if life is not self._life:
            return
        first = self._health.lives_in(self._life)
        if first:
            self._health.stop()
        self.attached.give_back_signal()
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
            if not self.attached.holding:
                self.attached.stop()

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
        if self._attaches_on_demand and not self.attached.beats:
            self.attached.stop()
            # In the middle of a request, which is not to suffer from what cannot be had.
            try:
                self.attached.listen()
            except CannotListen as error:
                logger.error("%s", error)
            try:
                self.attached.start()
            except (OSError, RuntimeError) as error:
                logger.error("what goes on beside the app cannot start: %s", error)
                return
            self.attached.guard()
        if self.attached.listens and not self.runner.alive:
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
        if not self.attached.drains:
            self.attend()
        await self.attached.drain()

    # -- inside

    def _beat(self) -> None:
        if self._life is not None:  # without one, the end of the loop would not be the end of what is revived
            self.runner.look()

    def _summary(self, root: str = "") -> str:
        names = ", ".join(check.name for check in self._health.checks) or "none"
        return f"{names}; answered: {' '.join(root + path for path in self._paths.split(' '))}"
