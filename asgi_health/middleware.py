"""HealthMiddleware: one line around any ASGI app."""

import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import count
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from .asgi.lifespan import Lifespan
from .asgi.paths import Paths
from .asgi.prepared import Prepared, PreparedAnswers
from .asgi.response_headers import DrainingApp
from .asgi.router import HealthRouter, Route
from .asgi.types import App, Receive, Scope, Send
from .core.check import Check, CheckFunction
from .core.lifecycle import Phase
from .core.probe_statuses import Statuses
from .core.validate import require_type
from .formats.answer import Answer
from .formats.service import ServiceInfo
from .health import Health, Integration, bind_board, bind_integrations, engine_of, normalize_integrations
from .listener.config import Listener
from .runtime.drain.config import Drain
from .runtime.services import Services

if TYPE_CHECKING:
    from .asgi.access_log import QuietPaths
    from .board.config import Board

_numbers = count()
_made: "WeakValueDictionary[int, HealthMiddleware]" = WeakValueDictionary()
"""The middlewares of this process, in the order in which they were made."""


class HealthMiddleware:
    """Answer the health paths of `app` from prepared bytes, and pass every other request on to it unchanged.

    While the app drains, its responses get headers that make clients with kept connections reconnect; see Drain.

    The checks run in the background, from the end of the app's own startup to the beginning of its shutdown. Without
    lifespan they run on demand, or in the background if there is a listener. No probe starts a check that runs in the
    background. Only the first probe right after the start may wait for one, because adapters that run a lifespan
    around each event probe at once.

    Without lifespan `drain`, `listener`, `integrations` and `board` begin with the first request.

    Args:
        app: The ASGI app.
        checks: ``{name: function}``, an iterable of Check, or a Health.
        paths: The paths of the probes.
        details: Who may read more than the status: False for no client, True for every client, or a function
            ``(scope) -> bool`` such as ``bearer_token("...")`` or ``client_in("10.0.0.0/8")``.
        service: What the details say about the app itself.
        drain: How the app is taken out of the rotation before it stops. None: signals are not touched.
        listener: The address at which a thread answers the same endpoints, from before the app's startup to its end.
        slow_loop: Seconds of lateness of the event loop after which one log record says what blocked it; 0: never.
            Without lifespan it needs a `drain`, a `listener`, a `board` or `integrations`.
        quiet: Whether answered probes leave no line in the server's access log. Bad answers (status 400 and above)
            still leave one, and so does the first good answer of a path after a bad one. daphne's access log is no
            `logging` logger and stays as it is.
        allow_metrics: Who may read the paths of the metrics: True for every client, or a function as in `details`.
            None: those that may read the details.
        allow_maintenance: Who may begin and end maintenances at the paths of ``Paths(maintenance=...)``: a function as
            in `details`, or True for every client. No other option implies it.
        envoy_degraded: Whether answers of readiness and health that show a warning carry ``x-envoy-degraded: true``.
            Envoy with active health checks then sends requests to other instances, as long as enough of those are
            healthy. Where all are degraded it spreads the requests over all, as it does where all are healthy.
        integrations: What passes the health on to other systems, such as ``Alerts``, ``Systemd`` and ``Grpc`` of
            ``asgi_health.integrations``. Each is started before the app's startup and stopped after the checks.
        board: The Board that the workers of this host share, so that each worker answers for all of them. None: each
            answers for itself.

    Raises:
        TypeError, ValueError: when it is made, for a configuration that could not work.
        ModuleNotFoundError: for a listener when h11 is not installed.

    Attributes:
        app: The ASGI app.
        health: The Health.
        paths: The paths of the probes.
        drain: The drain.
        listener: The listener.
        integrations: The integrations.
        board: The board, if any.
    """

    __slots__ = (
        "__weakref__",
        "_awaits_first_request",
        "_clock",
        "_draining_app",
        "_engine",
        "_next",
        "_other_prefixes",
        "_prepared",
        "_quiet_paths",
        "_ready_answers",
        "_router",
        "_services",
        "_starts_with_first_request",
        "app",
        "board",
        "drain",
        "health",
        "integrations",
        "listener",
        "paths",
    )

    def __init__(
        self,
        app: App,
        checks: Mapping[str, CheckFunction] | Iterable[Check] | Health | None = None,
        *,
        paths: Paths = Paths(),  # noqa: B008  frozen, and the default reads as what it is
        details: bool | Callable[[Scope], bool] = False,
        service: ServiceInfo | None = None,
        drain: Drain | None = None,
        listener: Listener | None = None,
        slow_loop: float = 1.0,
        quiet: bool = False,
        allow_metrics: bool | Callable[[Scope], bool] | None = None,
        allow_maintenance: bool | Callable[[Scope], bool] = False,
        envoy_degraded: bool = False,
        integrations: Iterable[Integration] = (),
        board: "Board | None" = None,
    ) -> None:
        if not callable(app):
            raise TypeError(f"app must be an ASGI app, not {app!r}")
        require_type("quiet", quiet, bool)
        if "litestar" in sys.modules:
            from .asgi.app_warnings import warn_of_litestar

            warn_of_litestar(app)
        self.app: App = app
        self.paths: Paths = paths
        self.drain: Drain | None = drain
        self.listener: Listener | None = listener
        self.health: Health = checks if isinstance(checks, Health) else Health(() if checks is None else checks)
        self.integrations: tuple[Integration, ...] = normalize_integrations(integrations)
        self.board: Board | None = board
        engine = self._engine = engine_of(self.health)
        self._clock = engine.clock
        self._router = HealthRouter(
            engine,
            paths,
            details=details,
            service=service,
            drain=drain,
            allow_metrics=allow_metrics,
            allow_maintenance=allow_maintenance,
            envoy_degraded=envoy_degraded,
        )
        self._services = Services(
            engine,
            self._router,
            drain=drain,
            listener=listener,
            slow_loop=slow_loop,
            integrations=(
                *bind_board(board, self.health, listener),
                *bind_integrations(self.integrations, self.health),
            ),
            paths=paths.all + paths.of_metrics + self._router.events_paths,
            inspect_app=partial(_inspect_app, app, self.health, paths),  # no method, which would make a cycle
        )
        headers = self._router.headers
        self._prepared = PreparedAnswers(
            engine, paths, self._services.runner, headers, has_details=self._router.has_details
        )
        self._ready_answers = self._prepared.by_path
        self._other_prefixes = self._router.other_prefixes
        self._starts_with_first_request = any((drain, listener, board, self.integrations))
        self._awaits_first_request = self._starts_with_first_request
        self._draining_app = DrainingApp(app, headers)
        self._next: App = app
        self._choose_next()
        engine.on_change(self._choose_next)
        self._quiet_paths = _quiet_paths(paths, self._router, drain) if quiet else None
        _made[next(_numbers)] = self

    # The hot path. `async def` with exactly these names on a class: what every server and framework accepts.
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a probe, or pass the identical objects on to the app."""
        # benchmarks/anatomy.py shows what each of these lines costs, and why they have this order and form.
        ready: Prepared | None = None
        try:
            path = scope["path"]
            if path in self._ready_answers:
                ready = self._ready_answers[path]
                if (
                    scope["method"] != "GET"
                    or scope["query_string"]
                    or scope["type"] != "http"
                    or self._clock() >= ready[0]
                ):
                    ready = None
                foreign = False
            else:
                foreign = not scope["root_path"] and not (
                    self._other_prefixes and path.startswith(self._other_prefixes)
                )
        except (KeyError, TypeError, AttributeError):  # a lifespan, or a scope that no server sends
            ready, foreign = None, False
        if foreign:
            await self._next(scope, receive, send)
        elif ready is not None:
            _, start, headers, body = ready
            message = start.copy()
            message["headers"] = headers.copy()
            await send(message)
            await send(body.copy())
        else:
            await self._route(scope, receive, send)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope.get("type")
        if kind == "lifespan":
            self._awaits_first_request = False
            self._choose_next()
            self._cover(scope)
            try:
                await Lifespan(self.app, receive, send, self._services).run(scope)
            finally:
                # The lifespan may have crashed, and the server still serves.
                self._awaits_first_request = self._starts_with_first_request
                self._choose_next()
            return
        route = self._router.find(scope) if kind == "http" else None
        if route is None:
            await self._next(scope, receive, send)
            return
        self._cover(scope)
        if route.events:
            await self._send_events(scope, route, receive, send)
            return
        before_answer = partial(self._before_answer, _root_path(scope))
        await _send_answer(await self._router.answer_route(scope, route, before_answer), scope, send)

    async def _before_answer(self, root: str, route: Route) -> None:
        if route.drain:
            await self._services.drain()
            return
        if route.metrics or route.maintenance:
            return  # neither runs a check
        runner = self._services.runner
        if runner.alive:
            await runner.first_results.wait(route.probe)
            return
        self._services.start_without_lifespan(root)
        if self._engine.phase in (Phase.SERVING, Phase.DRAINING) and self._engine.depends_on_runs(route.probe):
            await runner.run_due()
        self._prepared.prepare(self._engine.statuses)

    async def _send_events(self, scope: Scope, route: Route, receive: Receive, send: Send) -> None:
        if not self._services.runner.alive:
            self._services.start_without_lifespan(_root_path(scope))
        answer = self._router.answer_events(
            scope, route, is_over=self._services.about_to_stop, run_due=self._services.runner.run_due
        )
        if isinstance(answer, Answer):
            await _send_answer(answer, scope, send)
            return
        from .asgi.events.delivery import deliver  # not at the top: only an app with details has events

        await deliver(answer, receive, send)

    def _choose_next(self, _: Statuses | None = None) -> None:
        """Choose what requests for other paths are passed on to, when something changes that it depends on.

        So the path of a request has no question for the phase. A signal handler or another thread may start a drain in
        the middle of this, hence the second look.
        """
        while True:
            draining = self._engine.phase is Phase.DRAINING
            waiting = self._awaits_first_request
            self._next = self._first_request if waiting else self._draining_app if draining else self.app
            if draining is (self._engine.phase is Phase.DRAINING) and waiting is self._awaits_first_request:
                return

    def _cover(self, scope: Scope) -> None:
        if self._quiet_paths is not None:
            self._quiet_paths.cover(scope.get("path"), _root_path(scope))

    async def _first_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app for the first request, which shows that there is no lifespan: start what needs one."""
        self._awaits_first_request = False
        self._choose_next()
        self._cover(scope)
        self._services.start_without_lifespan(_root_path(scope))
        await self._next(scope, receive, send)


def router_of(middleware: HealthMiddleware) -> HealthRouter:
    """Return the router of `middleware`, for the other modules of this package."""
    return middleware._router  # pyright: ignore[reportPrivateUsage]  of the same module


def middlewares() -> list[HealthMiddleware]:
    """Return the middlewares that are in use in this process, the oldest first.

    An app learns nothing of the layers around it, and a request carries no mark of them, which would cost each request.
    """
    return list(_made.values())


def _inspect_app(app: App, health: Health, paths: Paths, may_import: bool) -> None:
    from .asgi.app_warnings import warn_of_overlaps

    warn_of_overlaps(app, health, paths, HealthMiddleware, may_import=may_import)


def _quiet_paths(paths: Paths, router: HealthRouter, drain: Drain | None) -> "QuietPaths":
    from .asgi.access_log import QuietPaths

    drain_path = () if drain is None or drain.path is None else (drain.path.rstrip("/"),)
    return QuietPaths(
        paths.all + paths.of_metrics + router.events_paths, router.check_parents, drain_path + paths.of_maintenance
    )


def _root_path(scope: Scope) -> str:
    """Return the path at which the app of this request is mounted, empty for none."""
    root = scope.get("root_path")
    return root.rstrip("/") if isinstance(root, str) else ""


async def _send_answer(answer: Answer, scope: Scope, send: Send) -> None:
    """Send `answer`; to a HEAD request without the body.

    The messages are new each time, because middlewares outside of this one change them in place.
    """
    await send({"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)})
    await send({"type": "http.response.body", "body": b"" if scope.get("method") == "HEAD" else answer.body})
