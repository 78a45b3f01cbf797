"""HealthMiddleware: one line around any ASGI app."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from ..core.check import Check, CheckFunction
from ..core.drain import Drain
from ..core.lifecycle import Phase
from ..core.listener import Listener
from ..formats.service import ServiceInfo
from .beside import beside
from .desk import Asked, Desk
from .lifespan import Lifespan
from .messages import send_answer
from .overlaps import warn_of_overlaps
from .pages import Pages, Prepared
from .paths import Paths
from .place import root_of, warn_of_litestar
from .running import Health
from .types import App, Receive, Scope, Send


class HealthMiddleware:
    """Answer the health paths of `app` from prepared bytes, and hand everything else to it untouched.

    `checks` is ``{name: function}``, an iterable of Check, or a Health. They run in the background, from the end of the
    app's own startup to the beginning of its shutdown; without lifespan they run on demand. No probe starts a check
    that runs in the background. None waits for one but the first, right after the start: adapters that run a lifespan
    around each event ask at once.

    `details`: who may read more than the status: False nobody, True everybody, or a function ``(scope) -> bool`` such
    as ``bearer_token("...")`` or ``client_in("10.0.0.0/8")``. `service` says what the details tell of the app itself.

    `drain` takes the app out of the rotation before it stops; without it signals are left alone. `listener` answers the
    same endpoints from a thread, from before the app's startup to its end. `slow_loop`: seconds of lateness of the
    event loop after which one log record says what blocked it; 0 turns that off. Without lifespan `drain` and
    `listener` begin with the first request.

    Raises TypeError or ValueError, when it is made, for a configuration that could not work; ModuleNotFoundError for a
    listener without the package that it needs.
    """

    __slots__ = (
        "_attended",
        "_clock",
        "_desk",
        "_elsewhere",
        "_next",
        "_pages",
        "_ready",
        "_sidecar",
        "app",
        "health",
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
    ) -> None:
        if not callable(app):
            raise TypeError(f"app must be an ASGI app, not {app!r}")
        warn_of_litestar(app)
        self.app = app
        self.paths = paths
        self.health = checks if isinstance(checks, Health) else Health(() if checks is None else checks)
        health = self.health
        self._clock = health.clock
        self._sidecar = beside(
            self.health,
            paths=paths,
            details=details,
            service=service,
            drain=drain,
            listener=listener,
            slow_loop=slow_loop,
            look_below=lambda load: warn_of_overlaps(app, health, paths, HealthMiddleware, load=load),
        )
        runner = self._sidecar.runner
        self._desk = Desk(self.health, paths, details=details, service=service, drain=drain)
        self._pages = Pages(
            self.health,
            paths,
            guarded=self._desk.guarded,
            attended=lambda: runner.alive,
            first=lambda: runner.first_results.open,
        )
        self._ready = self._pages.ready
        self._elsewhere = self._desk.beginnings
        self._attended = drain is not None or listener is not None
        self._next: App = self._first if self._attended else app

    # The hot path. `async def` with exactly these names on a class: what every server and framework accepts.
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a probe, or hand the identical objects to the app."""
        # benchmarks/anatomy.py shows what each of these lines costs, and why they stand in this order and shape.
        ready: Prepared | None = None
        try:
            path = scope["path"]
            if path in self._ready:
                ready = self._ready[path]
                if (
                    scope["method"] != "GET"
                    or scope["query_string"]
                    or scope["type"] != "http"
                    or self._clock() >= ready[0]
                ):
                    ready = None
                foreign = False
            else:
                foreign = not scope["root_path"] and not (self._elsewhere and path.startswith(self._elsewhere))
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
            await self._look_closer(scope, receive, send)

    async def _look_closer(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope.get("type")
        if kind == "lifespan":
            self._next = self.app
            try:
                await Lifespan(self.app, receive, send, self._sidecar).run(scope)
            finally:
                if self._attended:
                    self._next = self._first  # it may have crashed, and the server serves on
            return
        asked = self._desk.find(scope) if kind == "http" else None
        if asked is None:
            await self._next(scope, receive, send)
            return
        prepare = partial(self._prepare, root_of(scope))
        await send_answer(await self._desk.respond(scope, asked, prepare), scope, send)

    # -- without lifespan

    async def _first(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stand in for the app until the first request has come, which tells that there is no lifespan."""
        self._next = self.app
        self._sidecar.attend(root_of(scope))
        await self.app(scope, receive, send)

    async def _prepare(self, root: str, asked: Asked) -> None:
        if asked.drain:
            await self._sidecar.drain()
            return
        runner = self._sidecar.runner
        if runner.alive:
            await runner.first_results.wait(asked.probe)
            return
        self._sidecar.attend(root)
        if self.health.phase in (Phase.SERVING, Phase.DRAINING) and self.health.concerns(asked.probe):
            await runner.refresh()
        self._pages.refresh()
