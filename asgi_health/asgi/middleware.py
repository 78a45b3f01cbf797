"""HealthMiddleware: one line around any ASGI app."""

import logging
from collections.abc import Callable, Iterable, Mapping

from ..core.check import Check, CheckFunction
from ..core.health import Health
from ..core.lifecycle import Phase
from ..core.require import require_type
from ..core.status import Probe
from ..formats.answer import ALLOWED, METHOD_NOT_ALLOWED, MINIMAL, NOT_FOUND, Answer
from ..formats.service import ServiceInfo
from ..runtime.current import current_backend
from ..runtime.runner import runner_of
from .details import policy_of
from .library import Library
from .lifespan import Lifespan
from .messages import send_answer
from .pages import Pages, Prepared
from .paths import Paths
from .query import options
from .types import App, Receive, Scope, Send

logger = logging.getLogger("asgi_health")


class HealthMiddleware:
    """Answer the health paths of `app` from prepared bytes, and hand everything else to it untouched.

    `checks` is ``{name: function}``, an iterable of Check, or a Health. They run in the background, from the end of the
    app's own startup to the beginning of its shutdown; without lifespan they run on demand. No probe waits for a check
    that runs in the background, and none starts one.

    `details`: who may read more than the status: False nobody, True everybody, or a function ``(scope) -> bool`` such
    as ``bearer_token("...")`` or ``client_in("10.0.0.0/8")``. `service` says what the details tell of the app itself.

    Raises TypeError or ValueError, when it is made, for a configuration that could not work.
    """

    __slots__ = (
        "_below",
        "_clock",
        "_library",
        "_on_demand_is_known",
        "_pages",
        "_policy",
        "_ready",
        "_runner",
        "app",
        "health",
    )

    def __init__(
        self,
        app: App,
        checks: Mapping[str, CheckFunction] | Iterable[Check] | Health | None = None,
        *,
        paths: Paths = Paths(),  # noqa: B008  frozen, and the default reads as what it is
        details: bool | Callable[[Scope], bool] = False,
        service: ServiceInfo | None = None,
    ) -> None:
        if not callable(app):
            raise TypeError(f"app must be an ASGI app, not {app!r}")
        require_type("paths", paths, Paths)
        if service is not None:
            require_type("service", service, ServiceInfo)
        self.app = app
        self.health = checks if isinstance(checks, Health) else Health(() if checks is None else checks)
        self._policy = policy_of(details)
        self._clock = self.health.clock
        self._runner = runner_of(self.health)
        self._library = Library(self.health, service)
        self._pages = Pages(self.health, paths, guarded=self._policy is not None, attended=lambda: self._runner.alive)
        self._ready = self._pages.ready
        self._below = tuple(self._pages.below) if self._policy is not None else ()
        self._on_demand_is_known = False

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
                foreign = not scope["root_path"] and not (self._below and path.startswith(self._below))
        except (KeyError, TypeError, AttributeError):  # a lifespan, or a scope that no server sends
            ready, foreign = None, False
        if foreign:
            await self.app(scope, receive, send)
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
            await Lifespan(self.app, receive, send, self).run(scope)
            return
        asked = self._find(scope) if kind == "http" else None
        if asked is None:
            await self.app(scope, receive, send)
            return
        await send_answer(await self._answer(scope, *asked), scope, send)

    def _find(self, scope: Scope) -> tuple[Probe | None, str | None] | None:
        """Return the probe that is asked (None: all together), and the one check of it, where one is asked for."""
        path, root = scope.get("path"), scope.get("root_path")
        if not isinstance(path, str):
            return None
        candidates = [path]
        if isinstance(root, str) and (root := root.rstrip("/")) and path.startswith(f"{root}/"):
            candidates.append(path[len(root) :])
        for candidate in candidates:
            if candidate in self._pages.probes:
                return self._pages.probes[candidate], None
            for prefix in self._below:
                name = candidate.removeprefix(prefix).rstrip("/")
                if candidate.startswith(prefix) and name and "/" not in name:
                    return self._pages.below[prefix], name
        return None

    async def _answer(self, scope: Scope, probe: Probe | None, name: str | None) -> Answer:
        allowed = self._policy is not None and self._policy(scope)
        if name is not None and not allowed:
            return NOT_FOUND
        if scope.get("method") not in ALLOWED:
            return METHOD_NOT_ALLOWED
        await self._refresh(probe)
        now = self._clock()
        if allowed:
            wanted = options(scope.get("query_string"))
            if name is not None:
                return self._library.one(probe, name, wanted, now) or NOT_FOUND
            if probe is None or wanted.verbose:
                return self._library.whole(probe, wanted, now)
            if wanted.exclude:
                return MINIMAL[self.health.report(probe, exclude=wanted.exclude, now=now).status]
        return MINIMAL[self.health.outlook(probe).at(now)]

    # -- without lifespan

    async def _refresh(self, probe: Probe | None) -> None:
        health = self.health
        if self._runner.alive:
            return
        if not health.lives and not health.started:
            health.serve()
        if health.phase in (Phase.SERVING, Phase.DRAINING):
            if not self._on_demand_is_known:
                self._on_demand_is_known = True
                logger.info("checks run on demand, when a probe asks: %s", self._summary())
            if health.concerns(probe):
                await self._runner.refresh()
        self._pages.refresh()

    # -- with lifespan; see lifespan.Life

    def begin(self) -> object:
        """The app is about to start: what a former life may have left behind is not its own."""
        loop = current_backend().loop
        if self.health.begin(loop):
            self._runner.cancel()
        return loop

    def started(self) -> None:
        """The app's own startup is complete: from now on the checks run."""
        self.health.serve()
        self._runner.start()
        self._on_demand_is_known = False
        logger.info("checks run in the background: %s", self._summary())

    async def stopping(self) -> None:
        """The checks end before the app knows that it has to, so that none of them uses a closed pool."""
        self.health.stop()
        await self._runner.stop()

    def ended(self, life: object) -> None:
        """The app's lifespan is over, however that came: nothing may go on without an owner."""
        if self.health.end(life):
            self._runner.cancel()

    def _summary(self) -> str:
        names = ", ".join(check.name for check in self.health.checks) or "none"
        return f"{names}; answered: {' '.join(path for path in self._ready if not path.endswith('/'))}"
