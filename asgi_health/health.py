"""Health: the checks of one app, as an application uses them."""

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from functools import partial
from random import random as uniform
from time import monotonic
from typing import TYPE_CHECKING, Protocol, Self, Unpack, cast

from .asgi.paths import Paths
from .asgi.router import HealthRouter
from .asgi.types import Scope
from .core.check import Check, CheckFunction, is_async
from .core.engine import Engine
from .core.lifecycle import Phase
from .core.maintenance import MAX_MAINTENANCE, MAX_REASON
from .core.normalize_checks import CheckOptions, F, normalize_checks
from .core.report import Report
from .core.stalls import StallTimes
from .core.status import Probe
from .core.transition import Transition
from .core.validate import require_count, require_seconds, require_short, require_type
from .formats.service import ServiceInfo
from .listener.config import Listener
from .runtime.drain.config import Drain
from .runtime.lifespan import InUse
from .runtime.publisher.publisher import publisher_of
from .runtime.scheduler.runner import runner_of
from .runtime.services import Services

if TYPE_CHECKING:
    from .board.config import Board
    from .runtime.integrations import BoundIntegration
    from .runtime.publisher.subscription import Subscription
    from .runtime.scheduler.run_hooks import RunInfo


class Health:
    """The checks of one app, and their present status.

    Two instances share nothing. Every method may be called from any thread, `drain` from a signal handler too.

    Args:
        checks: ``{name: function}`` or an iterable of Check.
        clock: The clock of the checks (monotonic seconds). Tests replace it.
        random: Returns a number in [0, 1), which varies the pauses between runs. Tests replace it.

    Raises:
        ValueError: for a duplicate name, or a check that could not work.
        TypeError: for an argument of another type.
    """

    def __init__(
        self,
        checks: Mapping[str, CheckFunction] | Iterable[Check] = (),
        *,
        clock: Callable[[], float] = monotonic,
        random: Callable[[], float] = uniform,
    ) -> None:
        self._engine = Engine(clock, random)
        for check in normalize_checks(checks):
            self.add(check)

    def add(self, check: Check) -> None:
        """Add `check`; its first run is due at once.

        Args:
            check: The check. Its name must differ from those of the others.

        Raises:
            ValueError: for a name that another check has.
            TypeError: for an argument that is not a Check.
        """
        require_type("health: the check to add", check, Check)
        self._engine.add(check, self._now())

    def remove(self, name: str) -> None:
        """Remove the check `name` and cancel its run.

        A run that ignores its cancellation goes on, and a new check of the same name has its own runs meanwhile. After
        two of these the next check waits for the latest, so that adding and removing a check again and again does not
        accumulate threads.

        Args:
            name: Name of the check.

        Raises:
            KeyError: for an unknown name.
        """
        self._engine.remove(name, self._now())

    def check(self, name: str, **options: Unpack[CheckOptions]) -> Callable[[F], F]:
        """Add the decorated function as the check `name`; the options are those of Check, after `run`.

        Args:
            name: Name of the check.
            **options: The other options of Check: `probes`, `critical`, `interval`, `timeout` and so on.

        Raises:
            TypeError, ValueError: for a configuration that could not work, or a name that another check has.
        """
        require_type('health: the name in @health.check("name")', name, str)

        def decorate(function: F) -> F:
            self.add(Check(name, function, **options))
            return function

        return decorate

    @property
    def checks(self) -> tuple[Check, ...]:
        """The checks, in the order in which they were added."""
        return self._engine.checks

    def report(
        self,
        probe: Probe = Probe.HEALTH,
        *,
        exclude: Iterable[str] = (),
        now: float | None = None,
        history: bool = False,
    ) -> Report:
        """Return everything that is known about `probe`.

        Args:
            probe: The probe; HEALTH for all checks together.
            exclude: Names of checks to leave out.
            now: The moment to report on (seconds of the clock); None for the present one.
            history: Whether the report holds the past too: `Report.history` with the last 50 changes of the probe,
                `CheckReport.history` with the last 120 results and 50 changes of each check, and the uptime of the
                last hour and day in both. The time before a check's first result in a lifespan, and after the stop,
                does not count; a stale result counts as not up.

        Raises:
            TypeError: for a probe that is not a Probe, and for `exclude` as one string.
        """
        require_type("health: probe", probe, Probe)
        if isinstance(exclude, str):
            raise TypeError(f"health: exclude takes an iterable of names, not the one string {exclude!r}")
        moment = self._engine.clock() if now is None else now
        return self._engine.report(probe, moment, exclude=exclude, history=history)

    def subscribe(
        self, callback: Callable[[Transition], object], *, queue: int = 100, timeout: float = 10.0
    ) -> "Subscription":
        """Call `callback` with each later transition of a check or a probe, in the order in which they happen.

        A plain function is called in a daemon thread of its own, also while the event loop is blocked. An async
        function is awaited in the event loop of the app. Neither delays a check, a probe, another subscriber or, for
        more than a second, the end of the process. It may call every method of the Health. What happens before the app
        starts waits for the start; what its end changes is delivered before the app's own shutdown.

        Args:
            callback: Called with a CheckTransition or a ProbeTransition; an exception that it raises is logged. The
                next call begins when the present one has ended.
            queue: Number of transitions that may wait; of more, the oldest are dropped and counted.
            timeout: Seconds after which a call counts as late: a record says so, and an async function is cancelled.

        Returns:
            The subscription: `cancel()` ends it, `statistics()` counts what was delivered, failed, late and dropped.

        Raises:
            TypeError, ValueError: for an argument that could not work.
        """
        if not callable(callback):
            raise TypeError(f"health: subscribe takes a function (transition), not {callback!r}")
        require_count("health: subscribe: queue", queue)
        require_seconds("health: subscribe: timeout", timeout)
        return publisher_of(self._engine).subscribe(callback, limit=queue, timeout=timeout, in_loop=is_async(callback))

    def around_runs(self, factory: "Callable[[RunInfo], AbstractContextManager[object]]") -> Callable[[], None]:
        """Enter a context around each run of a check, and return a function that ends that for the runs to come.

        The context is entered where the function of the check runs, in its task or in the thread of a plain function,
        and left there when it has ended. Of several factories the first has the outermost context. A factory or a
        context that raises is logged once and changes nothing: only the check decides its result. A plain function that
        returns an awaitable has two contexts with the same RunInfo: one in its thread, and one in the task that awaits.

        Args:
            factory: Called with the RunInfo of each run. It returns the context, which must not block: an async check
                runs on the event loop.

        Raises:
            TypeError: for a factory that is not a function.
        """
        if not callable(factory):
            raise TypeError(f"health: around_runs takes a function (run) that returns a context, not {factory!r}")
        return runner_of(self._engine).around_runs(factory)

    def maintain(self, name: str | None, seconds: float, reason: str = "") -> Callable[[], None]:
        """Begin a maintenance of a check or of the app, and return a function that ends it before its time.

        The maintenance always ends by itself. While a check is in maintenance, its failures count as degraded. While
        the app is, readiness is unhealthy, so that it gets no requests, and liveness does not change, so that it is not
        restarted. Readers of details see the maintenance and its end; the public answer says
        ``"notes":["maintenance"]`` for that of the app. A second maintenance of the same check, or of the app, replaces
        the first one. With a Board it is that of all workers of the host.

        Args:
            name: Name of the check; None for the whole app.
            seconds: Seconds after which it ends by itself, at most a week.
            reason: Why, for readers of details; at most 200 characters.

        Raises:
            KeyError: for an unknown name.
            TypeError, ValueError: for an argument that could not work.
        """
        if name is not None:
            require_type("health: maintain: name", name, str)
        require_seconds("health: maintain: seconds", seconds)
        require_short("health: maintain: seconds", seconds, MAX_MAINTENANCE)
        require_type("health: maintain: reason", reason, str)
        if len(reason) > MAX_REASON:
            raise ValueError(f"health: maintain: reason has {len(reason)} characters, expected at most {MAX_REASON}")
        from .runtime.maintenance import begin, end  # not at the top: most apps have no maintenance

        maintenance = begin(self._engine, name, seconds, reason)

        def end_early() -> None:
            end(self._engine, maintenance)

        return end_early

    def drain(self) -> None:
        """Make readiness unhealthy for the rest of the lifespan, because the process is about to stop.

        Everything else goes on. A SIGTERM that a Drain delays is passed on when the delay is over, counted from the
        beginning of the drain.
        """
        self._engine.drain(self._engine.clock())

    def _now(self) -> float | None:
        """Return the present moment; None while the app does not run, because the clock may belong to its loop."""
        return self._engine.clock() if self._engine.phase in (Phase.SERVING, Phase.DRAINING) else None

    @asynccontextmanager
    async def running(
        self,
        *,
        listener: Listener | None = None,
        drain: Drain | None = None,
        slow_loop: float = 1.0,
        allow_metrics: bool | Callable[[Scope], bool] | None = None,
        allow_maintenance: bool | Callable[[Scope], bool] = False,
        envoy_degraded: bool = False,
        paths: Paths = Paths(),  # noqa: B008  frozen, and the default reads as what it is
        details: bool | Callable[[Scope], bool] = False,
        service: ServiceInfo | None = None,
        integrations: "Iterable[Integration]" = (),
        board: "Board | None" = None,
    ) -> AsyncGenerator[Self, None]:
        """Run the checks of a program without an ASGI server, from here to the end of the block.

        One block at a time: the end of an inner one would end the readiness of the outer one.

        Args:
            listener: Where the probes are answered.
            drain: How the program is taken out of the rotation. The program's own handler of SIGTERM, which it sets
                before, is called when the delay is over.
            slow_loop: Seconds of lateness of the event loop after which a log record says what blocked it; 0: never.
            allow_metrics: Who may read the paths of the metrics; see HealthMiddleware.
            allow_maintenance: Who may begin and end maintenances; see HealthMiddleware.
            envoy_degraded: Whether Envoy learns of a warning from the listener's answers; see HealthMiddleware.
            paths: The paths of the probes.
            details: Who may read more than the status; see HealthMiddleware.
            service: What the details say about the program itself.
            integrations: What is started and stopped with the block; see HealthMiddleware.
            board: The Board that the processes of this host share; see HealthMiddleware.

        Raises:
            TypeError, ValueError: for a configuration that could not work.
            CannotListen: for an address that cannot be bound, of the listener or of an integration.
            RuntimeError: inside of another such block, or while an app with a HealthMiddleware around this Health runs.
        """
        if drain is not None and drain.path is not None and listener is None:
            raise ValueError(f"drain: path {drain.path!r} needs a listener, because no server answers requests here")
        router = HealthRouter(
            self._engine,
            paths,
            details=details,
            service=service,
            drain=drain,
            allow_metrics=allow_metrics,
            allow_maintenance=allow_maintenance,
            envoy_degraded=envoy_degraded,
        )
        if listener is None and paths.of_metrics:
            raise ValueError(
                f"paths: metrics {paths.of_metrics[0]!r} need a listener, because no server answers requests here"
            )
        if listener is None and paths.of_maintenance:
            raise ValueError(
                f"paths: maintenance {paths.of_maintenance[0]!r} needs a listener, because no server answers requests"
                " here"
            )
        services = Services(
            self._engine,
            router,
            drain=drain,
            listener=listener,
            slow_loop=slow_loop,
            integrations=(
                *bind_board(board, self, listener),
                *bind_integrations(normalize_integrations(integrations), self),
            ),
            paths=paths.all + paths.of_metrics + router.events_paths,
        )
        try:
            lifespan = services.start()
        except InUse:
            raise RuntimeError(
                "health: running() inside of another running() block, or of an app with a HealthMiddleware, of the same"
                " Health; expected one of them, and in it health.add(...) for the checks that belong to it"
            ) from None
        try:
            services.serving(lifespan)
            try:
                yield self
            finally:
                await services.stop_checks(lifespan)
        finally:
            services.close(lifespan)


class Integration(Protocol):
    """Connects a Health to another system, from the start of each lifespan to its end.

    Started before the app's own startup, in the thread of the event loop, and stopped when the last transitions have
    been delivered. Without lifespan it is started with the first request. After a stop it may be started again. While
    the app of one Health uses it, that of another starts without it, and an error in the log says so.
    """

    def start(self, health: Health, /) -> None:
        """Start to pass on the state of `health`. Must not wait.

        Args:
            health: The Health, which any thread may ask for reports.

        Raises:
            CannotListen: for an address that cannot be bound. The app then does not start. Any other exception is
                logged, and the app starts without the integration.
        """

    def stop(self) -> None:
        """Stop without waiting. May be called without a start, and again."""


def normalize_integrations(integrations: object) -> tuple[Integration, ...]:
    """Return the integrations as a tuple. Raises TypeError or ValueError for what is none."""
    expected = "integrations: expected a list of integrations such as [Alerts(...)]"
    if not isinstance(integrations, Iterable) or isinstance(integrations, str | bytes):
        raise TypeError(f"{expected}, not {integrations!r:.200}")
    found: list[Integration] = []
    for each in cast("Iterable[object]", integrations):
        name = type(each).__name__
        if isinstance(each, type):
            raise TypeError(f"{expected}, not the class {each.__name__}: call it to make one")
        start, stop = getattr(each, "start", None), getattr(each, "stop", None)
        if not callable(start) or not callable(stop) or is_async(start) or is_async(stop):
            raise TypeError(f"{expected}; {name} has no plain methods start(health) and stop()")
        if any(each is other for other in found):
            raise ValueError(f"integrations: the same {name} is given twice")
        found.append(cast("Integration", each))
    return tuple(found)


def bind_integrations(integrations: tuple[Integration, ...], health: Health) -> "tuple[BoundIntegration, ...]":
    """Return `integrations` as the services start them."""
    if not integrations:
        return ()
    from .runtime.integrations import BoundIntegration

    return tuple(
        BoundIntegration(type(each).__name__, each, health, partial(each.start, health), each.stop)
        for each in integrations
    )


def bind_board(board: "Board | None", health: Health, listener: Listener | None) -> "tuple[BoundIntegration, ...]":
    """Return `board` as the services start it, empty for None. Raises TypeError or ValueError for a wrong argument."""
    if board is None:
        return ()
    from .board.config import Board, require_monotonic

    require_type("board", board, Board)
    engine = engine_of(health)
    require_monotonic(engine)
    from .runtime.integrations import BoundIntegration

    times = StallTimes() if listener is None else listener.stall_times
    return (BoundIntegration("Board", board, health, partial(board.start, engine, times), board.stop),)


def engine_of(health: Health) -> Engine:
    """Return the engine of `health`, for the other modules of this package."""
    return health._engine  # pyright: ignore[reportPrivateUsage]  of the same module
