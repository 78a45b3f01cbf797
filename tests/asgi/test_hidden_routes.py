"""Warnings about routes that the health paths hide: one when the app starts, with the option that helps."""

from collections.abc import Callable
from typing import Any

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
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute

from asgi_health import HealthMiddleware, Paths
from asgi_health.asgi.types import App, Receive, Scope, Send

from ..support.asgi_caller import echo_nothing
from ..support.lifespan_apps import lifespan_app
from .conftest import Warnings


async def hello(request: object) -> PlainTextResponse:
    return PlainTextResponse("hello")


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
    """Stand in for the adapters of WSGI apps, which keep the app under this name."""

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
    if not settings.configured:  # with the settings of the tests of the checks, which may run first or later
        settings.configure(DATABASES={}, USE_TZ=True, LOGGING_CONFIG=None)
    settings.ROOT_URLCONF = __name__
    app: App = ASGIHandler()
    return app


class ByProtocol:
    """Stand in for the ProtocolTypeRouter of Channels."""

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


@pytest.mark.parametrize("lifespan", [True, False], ids=["lifespan", "no lifespan"])
@pytest.mark.parametrize("make", APPS, ids=lambda make: make.__name__)
def test_one_warning_names_the_hidden_route_and_the_option_that_makes_it_reachable(
    make: Callable[[], App], lifespan: bool, warnings_of: Warnings
) -> None:
    (warning,) = warnings_of(HealthMiddleware(make()), lifespan=lifespan)
    assert warning.startswith("the health path /health hides the app's route /health")
    assert warning.endswith("; paths=Paths(health='/healthz') makes it reachable")
    assert "own" in warning or make is litestar_app


@pytest.mark.parametrize("make", APPS, ids=lambda make: make.__name__)
def test_with_that_option_there_is_no_warning(make: Callable[[], App], warnings_of: Warnings) -> None:
    assert warnings_of(HealthMiddleware(make(), paths=Paths(health="/healthz"))) == []


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
def test_a_route_of_websockets_is_not_hidden(make: Callable[[], App], warnings_of: Warnings) -> None:
    assert warnings_of(HealthMiddleware(make())) == []


def test_the_option_for_the_last_path_of_a_probe_is_none(warnings_of: Warnings) -> None:
    app = Starlette(routes=[Route("/up", hello)])
    (warning,) = warnings_of(HealthMiddleware(app, paths=Paths(live="/up")))
    assert warning.endswith("paths=Paths(live=None) makes it reachable")


def test_a_middleware_added_to_the_app_warns_of_its_hidden_routes_too(warnings_of: Warnings) -> None:
    app = Starlette(routes=[Route("/healthz/", hello)])
    app.add_middleware(HealthMiddleware)
    (warning,) = warnings_of(app)
    assert "hides the app's route /healthz/ (hello)" in warning


# -- apps that cannot be inspected


class Raises:
    """Raise for each attribute."""

    def __getattr__(self, name: str) -> object:
        raise RuntimeError("working outside of request context")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await lifespan_app(scope, receive, send)


class OddRoutes:
    """Have routes that are none, and an attribute that must not be read."""

    def __init__(self) -> None:
        self.routes = [object(), None, 3]

    @property
    def app(self) -> object:
        raise AssertionError("a property is code of the app, which an inspection must not run")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await lifespan_app(scope, receive, send)


@pytest.mark.parametrize("make", [Raises, OddRoutes])
def test_an_app_that_cannot_be_inspected_starts(make: Callable[[], App], warnings_of: Warnings) -> None:
    assert warnings_of(HealthMiddleware(make())) == []


def test_an_app_that_is_mounted_in_itself_causes_one_warning(warnings_of: Warnings) -> None:
    app = Starlette(routes=[Route("/health", hello)])
    app.mount("/again", app)
    assert len(warnings_of(HealthMiddleware(app))) == 1
