"""Two health layers in one app, and health paths that hide its routes: one warning at the start, none without cause."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import pytest
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpResponse
from django.urls import include, path, re_path
from fastapi import APIRouter, FastAPI
from flask import Flask
from litestar import Litestar, WebSocket
from litestar import get as litestar_get
from litestar import websocket as litestar_websocket
from quart import Quart
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, Router, WebSocketRoute

from asgi_health import Health, HealthMiddleware, Paths
from asgi_health.asgi.types import App, Receive, Scope, Send

from ..support.asgi_caller import ask, echo_nothing
from ..support.lifespan_apps import life, speaks, takes_part
from ..support.lifespan_driver import Server

CALLS = pytest.mark.parametrize("lifespan", [True, False], ids=["lifespan", "no lifespan"])


async def hello(request: object) -> PlainTextResponse:
    return PlainTextResponse("hello")


def ping() -> None:
    return None


def warnings(app: App, caplog: pytest.LogCaptureFixture, *, lifespan: bool = True) -> list[str]:
    """Start the app twice, ask it, and return what it warned of."""

    async def main() -> None:
        for _ in range(2):
            server = Server(app)
            async with anyio.create_task_group() as group:
                if lifespan:
                    group.start_soon(server.run)
                    await server.startup()
                await ask(app, "/livez")
                await ask(app, "/readyz")
                if lifespan:
                    await server.shutdown()

    anyio.run(main)
    return [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]


# -- two layers


def around(app: App) -> HealthMiddleware:
    return HealthMiddleware(app, {"outer": ping})


def inside(**options: Any) -> HealthMiddleware:
    return HealthMiddleware(speaks, {"inner": ping}, **options)


def added() -> App:
    app = FastAPI()
    app.add_middleware(HealthMiddleware, checks={"inner": ping})
    return around(app)


def added_twice() -> App:
    app = Starlette(routes=[Route("/", hello)])
    app.add_middleware(HealthMiddleware, checks={"inner": ping})
    app.add_middleware(HealthMiddleware, checks={"outer": ping})
    return app


def listed_twice() -> App:
    middleware = [Middleware(HealthMiddleware, checks={name: ping}) for name in ("outer", "inner")]
    return Starlette(routes=[Route("/", hello)], middleware=middleware)


def behind_a_partial() -> App:
    return around(partial(inside()))


class Wrapped:
    """Hands everything on, as socketio.ASGIApp does with what it does not know."""

    def __init__(self, app: App) -> None:
        self.other_asgi_app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.other_asgi_app(scope, receive, send)


def behind_socket_io() -> App:
    return around(Wrapped(inside()))


def in_quart() -> App:
    app = Quart(__name__)
    app.asgi_app = HealthMiddleware(app.asgi_app, {"inner": ping})  # type: ignore[method-assign, assignment, arg-type]
    return around(app)  # type: ignore[arg-type]


def behind_a_function() -> App:
    def logs(app: App) -> App:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            await app(scope, receive, send)

        return call

    return around(logs(inside()))


@CALLS
@pytest.mark.parametrize(
    "make",
    [
        lambda: around(inside()),
        added,
        added_twice,
        listed_twice,
        in_quart,
        behind_a_function,
        behind_a_partial,
        behind_socket_io,
    ],
    ids=lambda make: "wrapped_twice" if "lambda" in make.__name__ else make.__name__,
)
def test_of_two_layers_one_warning_names_both_and_says_which_answers(
    make: Callable[[], App], lifespan: bool, caplog: pytest.LogCaptureFixture
) -> None:
    (warning,) = warnings(make(), caplog, lifespan=lifespan)
    assert warning.startswith("two health layers in one app: the outer one (checks: outer) answers /health ")
    assert "the inner one (checks: inner) is asked nothing" in warning


@CALLS
@pytest.mark.parametrize("router", [Router, Starlette])
def test_a_mounted_layer_is_told_of_with_the_paths_at_which_it_answers(
    router: Callable[..., App], lifespan: bool, caplog: pytest.LogCaptureFixture
) -> None:
    below = router(routes=[Mount("/v1", app=inside(paths=Paths(health=None, live=None, startup=None)))])
    app = around(Starlette(routes=[Mount("/sub", app=below)]))
    (warning,) = warnings(app, caplog, lifespan=lifespan)
    assert "the inner one (checks: inner) answers /sub/v1/health/ready /sub/v1/readyz alone" in warning


@CALLS
def test_a_layer_that_shares_the_health_is_no_cause(lifespan: bool, caplog: pytest.LogCaptureFixture) -> None:
    health = Health({"a": ping})
    app = FastAPI()
    app.add_middleware(HealthMiddleware, checks=health)
    app.mount("/sub", HealthMiddleware(echo_nothing, health))
    assert warnings(HealthMiddleware(app, health), caplog, lifespan=lifespan) == []


def test_the_checks_of_a_layer_to_be_made_are_not_used_up(caplog: pytest.LogCaptureFixture) -> None:
    from asgi_health import Check

    app = Starlette(routes=[Route("/", hello)])
    app.add_middleware(HealthMiddleware, checks=(Check(name, ping) for name in ["a"]))
    (warning,) = warnings(around(app), caplog, lifespan=False)
    assert "the inner one (checks: some) is asked nothing" in warning


# -- hidden routes


def starlette_app() -> App:
    return Starlette(
        routes=[
            Route("/health", hello, name="own"),
            Route("/{name}", hello),
            Mount("/", app=echo_nothing),
            Route("/healthy", hello),
        ]
    )


def starlette_mounts() -> App:
    return Starlette(routes=[Mount("/health", routes=[Route("/", hello, name="own")])])


def fastapi_app() -> App:
    app = FastAPI()

    @app.post("/health")
    async def own() -> str:
        return "hello"

    return app


def fastapi_includes() -> App:
    app, outer, inner = FastAPI(), APIRouter(), APIRouter(prefix="/health")

    @inner.get("")
    async def own() -> str:
        return "hello"

    outer.include_router(inner)
    app.include_router(outer)
    app.include_router(outer, prefix="/v1")
    return app


def litestar_app() -> App:
    @litestar_get("/health")
    async def own() -> str:
        return "hello"

    return Litestar([own], logging_config=None)  # type: ignore[return-value]


def quart_app() -> App:
    app = Quart(__name__)

    @app.route("/health")
    async def own() -> str:
        return "hello"

    @app.route("/<path:everything>")
    async def everything(everything: str) -> str:
        return everything

    return app  # type: ignore[return-value]


class ForWsgi:
    """What lets a WSGI app into an ASGI app keeps it under this name."""

    def __init__(self, app: object) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await echo_nothing(scope, receive, send)


def flask_in_fastapi() -> App:
    flask = Flask(__name__)

    @flask.route("/health")
    def own() -> str:
        return "hello"

    app = FastAPI()
    app.mount("/", ForWsgi(flask))
    return app


def view(request: object) -> HttpResponse:
    return HttpResponse(b"hello")


urlpatterns = [
    path("health", view, name="own"),
    path("users/<int:number>", view),
    path("v1/", include([path("readyz", view)])),
    re_path(r"^.*$", view),
]


def django_app() -> App:
    if not settings.configured:  # as the tests of the checks configure it, who may come first or later
        settings.configure(DATABASES={}, USE_TZ=True, LOGGING_CONFIG=None)
    settings.ROOT_URLCONF = __name__
    app: App = ASGIHandler()
    return app


class ByProtocol:
    """The ProtocolTypeRouter of Channels."""

    def __init__(self, application_mapping: dict[str, App]) -> None:
        self.application_mapping = application_mapping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.application_mapping[scope["type"]](scope, receive, send)


def channels_app() -> App:
    return ByProtocol({"http": django_app()})


APPS = [
    starlette_app,
    starlette_mounts,
    fastapi_app,
    fastapi_includes,
    litestar_app,
    quart_app,
    flask_in_fastapi,
    django_app,
    channels_app,
]


@CALLS
@pytest.mark.parametrize("make", APPS, ids=lambda make: make.__name__)
def test_a_route_that_a_health_path_hides_is_told_once_with_the_option_that_gives_it_back(
    make: Callable[[], App], lifespan: bool, caplog: pytest.LogCaptureFixture
) -> None:
    (warning,) = warnings(HealthMiddleware(make()), caplog, lifespan=lifespan)
    assert warning.startswith("the health path /health hides the app's route /health")
    assert warning.endswith("; paths=Paths(health='/healthz') gives it back")
    assert "own" in warning or make is litestar_app


@pytest.mark.parametrize("make", APPS, ids=lambda make: make.__name__)
def test_with_that_option_it_is_given_back(make: Callable[[], App], caplog: pytest.LogCaptureFixture) -> None:
    assert warnings(HealthMiddleware(make(), paths=Paths(health="/healthz")), caplog) == []


async def talk(socket: Any) -> None:
    await socket.close()


def starlette_sockets() -> App:
    return Starlette(routes=[WebSocketRoute("/health", talk)])


def fastapi_sockets() -> App:
    app = FastAPI()
    app.websocket("/health")(talk)
    return app


def litestar_sockets() -> App:
    @litestar_websocket("/health")
    async def chat(socket: WebSocket[Any, Any, Any]) -> None:
        await socket.close()

    return Litestar([chat], logging_config=None)  # type: ignore[return-value]


def quart_sockets() -> App:
    app = Quart(__name__)
    app.websocket("/health")(talk)
    return app  # type: ignore[return-value]


@pytest.mark.parametrize(
    "make",
    [starlette_sockets, fastapi_sockets, litestar_sockets, quart_sockets],
    ids=lambda make: make.__name__,
)
def test_a_route_of_websockets_is_not_hidden(make: Callable[[], App], caplog: pytest.LogCaptureFixture) -> None:
    assert warnings(HealthMiddleware(make()), caplog) == []


def test_the_option_for_the_last_path_of_a_probe_is_none(caplog: pytest.LogCaptureFixture) -> None:
    app = Starlette(routes=[Route("/up", hello)])
    (warning,) = warnings(HealthMiddleware(app, paths=Paths(live="/up")), caplog)
    assert warning.endswith("paths=Paths(live=None) gives it back")


def test_added_inside_it_looks_too(caplog: pytest.LogCaptureFixture) -> None:
    app = Starlette(routes=[Route("/healthz/", hello)])
    app.add_middleware(HealthMiddleware)
    (warning,) = warnings(app, caplog)
    assert "hides the app's route /healthz/ (hello)" in warning


# -- apps that do not like to be looked at


class Raises:
    """Whatever it is asked for."""

    def __getattr__(self, name: str) -> object:
        raise RuntimeError("working outside of request context")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await life(takes_part)(scope, receive, send)


class Endless:
    """Always one more."""

    def __init__(self) -> None:
        self.routes = [object(), None, 3]

    @property
    def app(self) -> object:
        raise AssertionError("a property is code of the app")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await life(takes_part)(scope, receive, send)


@pytest.mark.parametrize("make", [Raises, Endless])
def test_an_app_that_does_not_like_to_be_looked_at_starts_all_the_same(
    make: Callable[[], App], caplog: pytest.LogCaptureFixture
) -> None:
    assert warnings(HealthMiddleware(make()), caplog) == []


def test_an_app_that_is_made_of_itself_is_looked_at_once(caplog: pytest.LogCaptureFixture) -> None:
    app = Starlette(routes=[Route("/health", hello)])
    app.mount("/again", app)
    assert len(warnings(HealthMiddleware(app), caplog)) == 1
