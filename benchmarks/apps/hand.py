"""What people write by hand, in Starlette, FastAPI and Django."""

from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse as StarletteJSON
from starlette.responses import Response as StarletteResponse
from starlette.routing import BaseRoute, Route

from ..setup import OTHER, WORK, App, Setup, work

READY = "/health/ready"
LIVE = "/health/live"


def starlette_with(*routes: BaseRoute, **options: Any) -> Starlette:
    """Return a Starlette app with its own pages first, then `routes`, which therefore cost its pages nothing."""

    async def items(request: Request) -> StarletteResponse:
        return StarletteJSON({"items": []})

    async def working(request: Request) -> StarletteResponse:
        return StarletteResponse(work())

    return Starlette(routes=[Route(OTHER, items), Route(WORK, working), *routes], **options)


def fastapi_app(**options: Any) -> FastAPI:
    """Return a FastAPI app with its own pages."""
    app = FastAPI(**options)

    @app.get(OTHER)
    async def items() -> dict[str, list[str]]:
        return {"items": []}

    @app.get(WORK)
    async def working() -> Response:
        return Response(work())

    return app


def starlette(setup: Setup) -> App:
    """Return Starlette with a route that answers without a check."""

    async def healthy(request: Request) -> StarletteResponse:
        return StarletteJSON({"status": "pass"})

    return starlette_with(Route(READY, healthy), Route(LIVE, healthy))


def starlette_base(setup: Setup) -> App:
    """Return the same without any health path."""
    return starlette_with()


def fastapi(setup: Setup) -> App:
    """Return FastAPI with a route that answers without a check."""
    app = fastapi_app()

    @app.get(READY)
    @app.get(LIVE)
    async def healthy() -> dict[str, str]:
        return {"status": "pass"}

    return app


def fastapi_base(setup: Setup) -> App:
    """Return the same without any health path."""
    return fastapi_app()


def fastapi_awaits(setup: Setup) -> App:
    """Return FastAPI with a route that awaits its checks one after the other."""
    app = fastapi_app()

    @app.get(LIVE)
    async def live() -> dict[str, str]:
        return {"status": "pass"}

    @app.get(READY)
    async def ready() -> Response:
        for _, check in setup.checks:
            if not await check():
                return JSONResponse({"status": "fail"}, 503)
        return JSONResponse({"status": "pass"})

    return app
