"""Starts and stops the runner and the services of one app: with its lifespan, or with its first request."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import anyio

from ..core.engine import Engine
from ..core.lifecycle import Phase
from ..core.logger import logger
from ..core.validate import require_seconds_or_zero, require_short, require_type
from ..formats.redact import prepare
from ..listener.config import Listener
from ..listener.interface import CannotListen, require_h11
from .drain.config import Drain
from .last_resort import install_last_resort
from .lifespan import InUse, LifespanIdentity
from .loop_services import LoopServices, Router
from .publisher.publisher import publisher_of
from .scheduler.runner import runner_of
from .server_exit import server_stops

if TYPE_CHECKING:
    from .integrations import BoundIntegration

IN_USE = (
    "health: another app, or a running() block, runs with the same Health; expected one at a time: give each a Health"
    " of its own, or run the second after the first"
)


class Services:
    """The runner of the checks and the services of the event loop (see `LoopServices`), for one app.

    Raises TypeError or ValueError for a configuration that could not work, ModuleNotFoundError for a listener when h11
    is not installed.

    Args:
        engine: The engine.
        router: Answers the listener's requests.
        drain: Configuration of the drain, if any.
        listener: Configuration of the listener, if any.
        slow_loop: Lateness of the event loop (seconds) that counts as a stall; 0 turns the detection off.
        integrations: What is started before the app and stopped after it.
        paths: The paths at which probes are answered, for the log.
        inspect_app: Called once, when the app has started or its first request comes: it logs routes that the health
            paths hide. Its argument says whether it may import modules of the app.
    """

    def __init__(
        self,
        engine: Engine,
        router: Router,
        *,
        drain: Drain | None,
        listener: Listener | None,
        slow_loop: float,
        integrations: "Sequence[BoundIntegration]",
        paths: tuple[str, ...],
        inspect_app: Callable[[bool], None] | None = None,
    ) -> None:
        install_last_resort()
        if drain is not None:
            require_type("drain", drain, Drain)
        if listener is not None:
            require_type("listener", listener, Listener)
            require_h11()
        require_seconds_or_zero("slow_loop", slow_loop)
        require_short("slow_loop", slow_loop)
        self._engine = engine
        self._needs_loop_without_lifespan = drain is not None or listener is not None or bool(integrations)
        self._has_integrations = bool(integrations)
        self._paths = paths
        self._inspect_app = inspect_app
        self._prepared = False
        self._logged_on_demand = False
        self._lifespan: LifespanIdentity | None = None
        self.runner = runner_of(engine)
        self._publisher = publisher_of(engine)
        self._loop_services = LoopServices(
            engine,
            drain=drain,
            listener=listener,
            slow_loop=slow_loop,
            integrations=integrations,
            router=router,
            on_beat=self._on_beat,
            log_changes=self.runner.log_changes,
            figures=self.runner.figures,
        )

    # -- with a lifespan

    def start(self, scope: Mapping[str, Any] | None = None) -> object:
        """Start the services of the loop, before the app starts. Returns the identity of the lifespan.

        `scope` is the scope of the lifespan, None for a `running()` block. Raises CannotListen, and InUse while another
        app runs with the same Health.
        """
        engine = self._engine
        former = engine.lifespan if engine.in_lifespan else None
        # Of several middlewares around one app the first runs the checks and detects stalls.
        first = not (isinstance(former, LifespanIdentity) and former.is_for(scope))
        if first and isinstance(former, LifespanIdentity) and engine.phase is not Phase.STOPPED:
            # The same app may start again: its last server may have ended without a shutdown.
            if former.loop_is_running() and former.owner is not self:
                raise InUse(IN_USE)
            logger.warning("a lifespan, or a running() block, of this Health has not ended: the new one replaces it")
        self._loop_services.stop()
        self._loop_services.listen()
        lifespan = self._lifespan = LifespanIdentity(scope, self)
        if first:
            self._publisher.start()
            engine.start(lifespan, engine.clock())
            self.runner.cancel()
        try:
            self._loop_services.start(detect_stalls=first)
        except (OSError, RuntimeError, CannotListen) as error:
            self._loop_services.stop()
            if engine.finish(lifespan):
                self._publisher.stop()
            if isinstance(error, CannotListen):
                raise
            raise CannotListen(f"the services of the event loop cannot start: {error}") from None
        return lifespan

    def serving(self, lifespan: object) -> None:
        """Run the checks and handle signals, now that the app's own startup is complete."""
        if lifespan is not self._lifespan:
            return
        engine = self._engine
        if engine.is_current(lifespan):
            engine.serve(engine.clock())
            self.runner.start()
            logger.info("checks run in the background: %s", self._summary())
        self._logged_on_demand = False
        self._prepare(may_import=True)  # before stalls count: a framework may import more of the app
        self._loop_services.arm()

    async def stop_checks(self, lifespan: object) -> None:
        """End the checks, before the app learns that the server stops: so none of them uses a closed pool."""
        if lifespan is not self._lifespan:
            return
        engine = self._engine
        first = engine.is_current(lifespan)
        if first:
            engine.stop(engine.clock())
        self._loop_services.disarm()
        if first:
            # The cancellation of a scope around a running() block may be why it ends. Each of the two is bounded.
            with anyio.CancelScope(shield=True):
                await self.runner.stop()
                await self._publisher.flush()

    def close(self, lifespan: object) -> None:
        """End the lifespan, for whatever reason, without waiting.

        The services of the loop go on while a signal is delayed: the lifespan has crashed in the middle of a drain, and
        the server still serves until it gets the signal.
        """
        if self._engine.finish(lifespan):
            self.runner.cancel()
            self._publisher.stop()
            if isinstance(lifespan, LifespanIdentity):
                lifespan.release()
        if lifespan is self._lifespan:  # a lost lifespan may be garbage-collected during the next one
            self._lifespan = None
            if not self._loop_services.delays_signal:
                self._loop_services.stop()

    # -- without a lifespan

    def start_without_lifespan(self, root: str = "") -> None:
        """Start what is not running, when a request comes outside of a lifespan.

        `root` is the path at which the app is mounted, for the log.
        """
        engine = self._engine
        if engine.phase is Phase.STOPPED and self._called_after_its_lifespan():
            lifespan = LifespanIdentity(None, self)
            engine.start(lifespan, engine.clock())
            engine.finish(lifespan)
            lifespan.release()
            engine.serve(engine.clock())
            self._logged_on_demand = False
        if not engine.lifespan_count and not engine.app_started:
            engine.serve(engine.clock())
        if engine.phase not in (Phase.SERVING, Phase.DRAINING):
            return
        self._start_publisher()
        loop_services = self._loop_services
        if self._needs_loop_without_lifespan and not loop_services.running:
            loop_services.stop()
            # In the middle of a request, which must not fail when a service cannot start.
            try:
                loop_services.listen()
            except CannotListen as error:
                logger.error("%s", error)
            try:
                loop_services.start()
            except CannotListen as error:
                logger.error("%s", error)
            except (OSError, RuntimeError) as error:
                logger.error("the services of the event loop cannot start: %s", error)
                return
            self._start_publisher()  # integrations have subscribed
            loop_services.arm()
        if (loop_services.listens or self._has_integrations) and not self.runner.alive:
            # A request to the listener comes in another thread and cannot run checks on demand. An integration sends
            # what the checks find, and no request of its own asks for them.
            self.runner.start()
            logger.info("checks run in the background: %s", self._summary(root))
        if not self._logged_on_demand and not self.runner.alive:
            self._logged_on_demand = True
            logger.info("checks run on demand, when a probe asks: %s", self._summary(root))
        self._prepare(may_import=False)

    def about_to_stop(self) -> bool:
        """Return whether the server has begun to stop, as far as the app can see: it may wait for open requests."""
        return self._engine.phase is Phase.STOPPED or self._loop_services.signal_passed or server_stops()

    async def drain(self) -> None:
        """Drain, and return when a signal would no longer be delayed."""
        if not self._loop_services.can_drain:
            self.start_without_lifespan()
        await self._loop_services.drain()

    # -- private

    def _start_publisher(self) -> None:
        if self._publisher.has_subscribers:
            self._publisher.start()

    def _prepare(self, *, may_import: bool) -> None:
        if not self._prepared:
            self._prepared = True
            prepare()
            if self._inspect_app is not None:
                self._inspect_app(may_import)

    def _called_after_its_lifespan(self) -> bool:
        """Return whether a request belongs to no lifespan although there was one: it comes on another loop.

        A test suite calls an app with a lifespan, and then without. On the same loop the server is shutting down.
        """
        lifespan = self._engine.lifespan
        return (
            not self._engine.in_lifespan
            and isinstance(lifespan, LifespanIdentity)
            and not lifespan.is_in_the_current_loop()
        )

    def _on_beat(self) -> None:
        if self._lifespan is not None:  # without one, a runner whose loop ends must not be started again
            self.runner.on_beat()
            self._publisher.on_beat()

    def _summary(self, root: str = "") -> str:
        names = ", ".join(check.name for check in self._engine.checks) or "none"
        return f"{names}; answered: {' '.join(root + path for path in self._paths)}"
