"""What the log says of the place of the middleware in an app."""

import logging
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI
from litestar import Litestar, get
from litestar.middleware import DefineMiddleware
from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_health import Health, HealthMiddleware, Listener
from asgi_health.asgi import place


@get("/a")
async def a() -> str:
    return "a"


@get("/b")
async def b() -> str:
    return "b"


MIDDLEWARE: Any = HealthMiddleware  # Litestar's types want functions of its own types


class Shop(Litestar):
    pass


class Wrapper:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(autouse=True)
def nothing_said_yet() -> None:
    place._warn_once.cache_clear()


@pytest.mark.parametrize(
    "middleware",
    [
        [DefineMiddleware(MIDDLEWARE, checks={})],
        [MIDDLEWARE],
        [DefineMiddleware(MIDDLEWARE, checks={}), Wrapper],
    ],
    ids=["defined", "a function", "among others"],
)
def test_in_the_middleware_of_litestar_it_is_told_once_that_it_sees_no_probe(
    middleware: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    Litestar([a, b], middleware=middleware, logging_config=None)  # or it takes the log over
    (record,) = [each for each in caplog.records if each.name == "asgi_health"]
    assert record.levelno == logging.WARNING
    assert "middleware=[...] of Litestar" in record.getMessage()
    assert "expected: app = HealthMiddleware(Litestar(...), ...)" in record.getMessage()


@pytest.mark.parametrize("make", [Litestar, Shop, lambda *given, **more: Wrapper(Litestar(*given, **more))])
def test_around_litestar_there_is_nothing_to_say(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    HealthMiddleware(make([a], logging_config=None))
    assert not caplog.records


def mounted(where: str) -> Any:
    api = FastAPI()
    if where == "FastAPI":
        api.add_middleware(HealthMiddleware, checks=Health({"db": lambda: None}))
        outer = FastAPI()
        outer.mount("/api", api)
        return outer
    return Starlette(routes=[Mount("/api", HealthMiddleware(api, {"db": lambda: None}))])


@pytest.mark.parametrize("where", ["FastAPI", "Starlette"])
def test_in_a_mount_the_log_names_the_paths_as_they_are_asked_for(where: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "asgi_health")

    async def main() -> int:
        transport = httpx.ASGITransport(app=mounted(where))
        async with httpx.AsyncClient(transport=transport, base_url="http://a") as client:
            return (await client.get("/api/readyz")).status_code

    assert anyio.run(main) == 200
    (line,) = [each.getMessage() for each in caplog.records if each.name == "asgi_health"]
    paths = line.partition("; answered: ")[2].split()
    assert "/api/livez" in paths
    assert all(path.startswith("/api/") for path in paths)


def test_the_first_request_of_a_mount_with_a_listener_is_named_likewise(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "asgi_health")
    app = HealthMiddleware(FastAPI(), {"db": lambda: None}, listener=Listener("127.0.0.1:0"))

    async def main() -> None:
        transport = httpx.ASGITransport(app=app, root_path="/api")
        async with httpx.AsyncClient(transport=transport, base_url="http://a") as client:
            await client.get("/other")
        app._sidecar.attached.stop()

    anyio.run(main)
    lines = [each.getMessage() for each in caplog.records if each.getMessage().startswith("checks run")]
    assert lines
    assert all("/api/livez" in line for line in lines)
