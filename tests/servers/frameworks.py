"""The frameworks: one function each that makes the same small app, with `/hello` and hooks that note their runs."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asgi_health import HealthMiddleware

from .apps import Folder, Settings, bare, middleware_options, with_health

GREETING = "hello from the framework"


def build(settings: Settings) -> Any:
    (framework,) = (row for row in FRAMEWORKS if row.name == settings.app)
    return framework.build(settings)


def wrapped_bare(settings: Settings) -> Any:
    return with_health(bare(settings), settings)


def _lifespan(settings: Settings) -> Any:
    """Return a lifespan for Starlette and FastAPI; each request must get the state that it yields."""
    folder = Folder(Path(settings.folder))

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[dict[str, str]]:
        folder.note("startup")
        yield {"greeting": GREETING}
        folder.note("shutdown")

    return lifespan


def _starlette(settings: Settings) -> Any:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def hello(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.state.greeting)

    return Starlette(routes=[Route("/hello", hello)], lifespan=_lifespan(settings))


def _fastapi(settings: Settings) -> Any:
    from fastapi import FastAPI, Request
    from fastapi.responses import PlainTextResponse

    app = FastAPI(lifespan=_lifespan(settings))

    @app.get("/hello")
    async def hello(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.state.greeting)

    return app


def _added(app: Any, settings: Settings) -> Any:
    """Return the app with the health middleware among its own middlewares."""
    if settings.health:
        app.add_middleware(HealthMiddleware, **middleware_options(settings))
    return app


def starlette(settings: Settings) -> Any:
    return with_health(_starlette(settings), settings)


def starlette_add_middleware(settings: Settings) -> Any:
    return _added(_starlette(settings), settings)


def fastapi(settings: Settings) -> Any:
    return with_health(_fastapi(settings), settings)


def fastapi_add_middleware(settings: Settings) -> Any:
    return _added(_fastapi(settings), settings)


def litestar(settings: Settings) -> Any:
    from litestar import Litestar, MediaType, get

    folder = Folder(Path(settings.folder))

    @get("/hello", media_type=MediaType.TEXT)
    async def hello() -> str:
        return GREETING

    app = Litestar(
        [hello],
        on_startup=[lambda: folder.note("startup")],
        on_shutdown=[lambda: folder.note("shutdown")],
        openapi_config=None,
    )
    return with_health(app, settings)


def _quart(settings: Settings) -> Any:
    from quart import Quart

    folder = Folder(Path(settings.folder))
    app = Quart("tests")

    @app.route("/hello")
    async def hello() -> str:
        return GREETING

    @app.before_serving
    async def startup() -> None:
        folder.note("startup")

    @app.after_serving
    async def shutdown() -> None:
        folder.note("shutdown")

    return app


def quart(settings: Settings) -> Any:
    return with_health(_quart(settings), settings)


def quart_inside(settings: Settings) -> Any:
    """Return a Quart app that `quart run` still accepts."""
    app = _quart(settings)
    app.asgi_app = with_health(app.asgi_app, settings)
    return app


def django(settings: Settings) -> Any:
    from django.conf import settings as configuration
    from django.core.asgi import get_asgi_application
    from django.http import HttpRequest, HttpResponse
    from django.urls import path

    async def hello(request: HttpRequest) -> HttpResponse:
        return HttpResponse(GREETING.encode())

    configuration.configure(ALLOWED_HOSTS=["localhost"], ROOT_URLCONF=(path("hello", hello),))
    return with_health(get_asgi_application(), settings)


def falcon(settings: Settings) -> Any:
    from falcon import MEDIA_TEXT
    from falcon.asgi import App, Request, Response

    folder = Folder(Path(settings.folder))

    class Hooks:
        async def process_startup(self, scope: Mapping[str, Any], event: Mapping[str, Any]) -> None:
            folder.note("startup")

        async def process_shutdown(self, scope: Mapping[str, Any], event: Mapping[str, Any]) -> None:
            folder.note("shutdown")

    class Hello:
        async def on_get(self, request: Request, response: Response) -> None:
            response.content_type = MEDIA_TEXT
            response.text = GREETING

    app = App(middleware=[Hooks()])
    app.add_route("/hello", Hello())
    return with_health(app, settings)


def blacksheep(settings: Settings) -> Any:
    from blacksheep import Application, get

    folder = Folder(Path(settings.folder))
    app = Application()

    @get("/hello")
    async def hello() -> str:
        return GREETING

    @app.on_start
    async def startup(app: Application) -> None:
        folder.note("startup")

    @app.on_stop
    async def shutdown(app: Application) -> None:
        folder.note("shutdown")

    return with_health(app, settings)


@dataclass(frozen=True)
class Framework:
    name: str
    build: Callable[[Settings], Any]
    hooks: bool = True  # whether it has any for startup and shutdown

    def __str__(self) -> str:
        return self.name


FRAMEWORKS = (
    Framework("starlette", starlette),
    Framework("starlette-add-middleware", starlette_add_middleware),
    Framework("fastapi", fastapi),
    Framework("fastapi-add-middleware", fastapi_add_middleware),
    Framework("litestar", litestar),
    Framework("quart", quart),
    Framework("quart-inside", quart_inside),
    Framework("django", django, hooks=False),  # it refuses the lifespan with a ValueError
    Framework("falcon", falcon),
    Framework("blacksheep", blacksheep),
    Framework("bare", wrapped_bare),
)
