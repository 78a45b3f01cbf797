"""Litestar: a plugin that answers the health paths in front of the app's router.

app = Litestar([...], plugins=[HealthPlugin({"database": ping}, listener=Listener("127.0.0.1:9000"))])
"""

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio

from ..asgi.types import App, Message, Receive, Scope, Send
from ..core.check import Check, CheckFunction
from ..health import Health
from ..middleware import HealthMiddleware
from ..runtime.backends.detection import current_backend
from . import not_installed

try:
    from litestar import Litestar
    from litestar.config.app import AppConfig
    from litestar.plugins import InitPluginProtocol
except ModuleNotFoundError as error:
    raise not_installed(error, "litestar", extra="litestar") from None

__all__ = ["HealthPlugin"]


class HealthPlugin(InitPluginProtocol):
    """Answer the health paths before Litestar's router: ``Litestar([...], plugins=[HealthPlugin(...)])``.

    Litestar's own ``middleware=[...]`` runs behind its router and sees no probe. The plugin replaces
    ``app.asgi_handler`` by a HealthMiddleware from the beginning of a lifespan to its end, so it needs a server that
    sends a lifespan. The app is still a Litestar, as ``litestar run`` and Litestar's test clients expect. Where this is
    the last plugin, the checks begin after all hooks of the startup and end before those of the shutdown.

    Args:
        checks: ``{name: function}``, an iterable of Check, or a Health.
        options: The options of HealthMiddleware.

    Raises:
        TypeError, ValueError: as HealthMiddleware does.

    Attributes:
        health: The Health.
        middleware: The HealthMiddleware.
    """

    def __init__(
        self, checks: Mapping[str, CheckFunction] | Iterable[Check] | Health | None = None, **options: Any
    ) -> None:
        self._inner = _Inner()
        self.middleware = HealthMiddleware(self._inner, checks, **options)
        self.health = self.middleware.health

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Add the hooks to `app_config`, and return it; Litestar calls this."""
        managers: list[Any] = cast("Any", app_config).lifespan  # Litestar's type of it is incomplete
        managers.insert(0, self._around)
        app_config.on_startup.append(self._started)
        managers.append(self._until_shutdown)
        return app_config

    @asynccontextmanager
    async def _around(self, app: Litestar) -> AsyncGenerator[None]:
        """Open the listener before all other hooks, and close it after them."""
        if self._inner.lifespan is not None:
            raise RuntimeError("HealthPlugin: another app with this plugin runs; expected one plugin for each app")
        handler = app.asgi_handler
        lifespan = _Lifespan(self.middleware)
        self._inner.begin(app, handler, lifespan)
        try:
            await lifespan.begin()
            app.asgi_handler = self.middleware  # type: ignore[assignment]  # Litestar's types are its own
            yield
        finally:
            app.asgi_handler = handler
            await lifespan.finish()
            self._inner.lifespan = None

    async def _started(self) -> None:
        if self._inner.lifespan is not None:
            await self._inner.lifespan.serve()

    @asynccontextmanager
    async def _until_shutdown(self, _: Litestar) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            if self._inner.lifespan is not None:
                await self._inner.lifespan.stop()


class _Inner:
    """What the HealthMiddleware passes requests and its lifespan on to."""

    def __init__(self) -> None:
        self.lifespan: _Lifespan | None = None
        self.app: Any = None  # under this name warnings about hidden routes find it
        self._handler: Any = None

    def begin(self, app: Litestar, handler: Any, lifespan: "_Lifespan") -> None:
        self.app, self._handler, self.lifespan = app, handler, lifespan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._handler(scope, receive, send)
        elif self.lifespan is not None:
            await self.lifespan.of_app(receive, send)


class _Lifespan:
    """One lifespan of the HealthMiddleware, in a task of its own, because Litestar's is a stack of context managers.

    `begin`, `serve`, `stop` and `finish` are called by Litestar's hooks, `of_app` by the HealthMiddleware.
    """

    def __init__(self, layer: App) -> None:
        self._layer = layer
        self._failure: BaseException | str | None = None
        self._app_starts = anyio.Event()
        self._app_started = anyio.Event()
        self._serving = anyio.Event()
        self._server_stops = anyio.Event()
        self._checks_ended = anyio.Event()
        self._app_stopped = anyio.Event()
        self._over = anyio.Event()
        self._asked = False
        self._start_failed = False

    async def begin(self) -> None:
        """Return when the listener is open. Raises RuntimeError when it cannot be."""
        current_backend().spawn("asgi-health litestar", self._run, self._ended)
        await self._app_starts.wait()
        if isinstance(self._failure, BaseException):
            raise self._failure
        if self._failure is not None:
            raise RuntimeError(self._failure)

    async def serve(self) -> None:
        """Return when the checks have begun: the app has started."""
        self._app_started.set()
        await self._serving.wait()

    async def stop(self) -> None:
        """Return when the checks have ended: the app is about to stop."""
        if self._serving.is_set():
            self._server_stops.set()
            await self._checks_ended.wait()

    async def finish(self) -> None:
        """Return when the listener is closed: the app has stopped, or has not started."""
        self._start_failed = not self._serving.is_set()
        for event in (self._app_started, self._server_stops, self._app_stopped):
            event.set()
        await self._over.wait()

    async def of_app(self, receive: Receive, send: Send) -> None:
        """Be the app's side of the lifespan."""
        await receive()
        self._app_starts.set()
        await self._app_started.wait()
        if self._start_failed:
            await send({"type": "lifespan.startup.failed", "message": "the app has not started"})
            return
        await send({"type": "lifespan.startup.complete"})
        self._serving.set()
        await receive()  # returns when the checks have ended
        self._checks_ended.set()
        await self._app_stopped.wait()
        await send({"type": "lifespan.shutdown.complete"})

    async def _run(self) -> None:
        """Be the server's side of the lifespan."""
        try:
            await self._layer({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, self._receive, self._send)
        except BaseException as error:
            self._failure = error

    def _ended(self) -> None:
        for event in (self._app_starts, self._serving, self._checks_ended, self._over):
            event.set()

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "lifespan.startup"}
        await self._server_stops.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "lifespan.startup.failed":
            self._failure = str(message.get("message"))
