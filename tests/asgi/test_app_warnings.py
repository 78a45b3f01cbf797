"""Warnings and log lines about the place of the middleware in an app: two layers in one app, Litestar, mounts."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI
from litestar import Litestar, get
from litestar.middleware import DefineMiddleware
from quart import Quart
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, Router

from asgi_health import Check, Health, HealthMiddleware, Listener, Paths
from asgi_health.asgi import app_warnings
from asgi_health.asgi.types import App, Receive, Scope, Send

from ..support.asgi_caller import echo_nothing
from ..support.lifespan_apps import lifespan_app
from ..support.lifespan_driver import serving
from .conftest import Warnings

WITH_AND_WITHOUT_LIFESPAN = pytest.mark.parametrize("lifespan", [True, False], ids=["lifespan", "no lifespan"])


async def hello(request: object) -> PlainTextResponse:
    return PlainTextResponse("hello")


def ping() -> None:
    return None


# -- two layers


def around(app: App) -> HealthMiddleware:
    return HealthMiddleware(app, {"outer": ping})


def inside(**options: Any) -> HealthMiddleware:
    return HealthMiddleware(lifespan_app, {"inner": ping}, **options)


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
    """Pass each request on, as socketio.ASGIApp does with those that are not its own."""

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


@WITH_AND_WITHOUT_LIFESPAN
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
def test_one_warning_names_both_layers_and_says_which_one_answers(
    make: Callable[[], App], lifespan: bool, warnings_of: Warnings
) -> None:
    (warning,) = warnings_of(make(), lifespan=lifespan)
    assert warning.startswith("two health layers in one app: the outer one (checks: outer) answers /health ")
    assert "the inner one (checks: inner) gets no request" in warning


@WITH_AND_WITHOUT_LIFESPAN
@pytest.mark.parametrize("router", [Router, Starlette])
def test_the_warning_names_the_paths_at_which_a_mounted_layer_answers(
    router: Callable[..., App], lifespan: bool, warnings_of: Warnings
) -> None:
    below = router(routes=[Mount("/v1", app=inside(paths=Paths(health=None, live=None, startup=None)))])
    app = around(Starlette(routes=[Mount("/sub", app=below)]))
    (warning,) = warnings_of(app, lifespan=lifespan)
    assert "the inner one (checks: inner) answers only /sub/v1/health/ready /sub/v1/readyz" in warning


@WITH_AND_WITHOUT_LIFESPAN
def test_two_layers_with_the_same_health_cause_no_warning(lifespan: bool, warnings_of: Warnings) -> None:
    health = Health({"a": ping})
    app = FastAPI()
    app.add_middleware(HealthMiddleware, checks=health)
    app.mount("/sub", HealthMiddleware(echo_nothing, health))
    assert warnings_of(HealthMiddleware(app, health), lifespan=lifespan) == []


def test_an_iterator_of_checks_of_a_later_layer_is_not_consumed(warnings_of: Warnings) -> None:
    app = Starlette(routes=[Route("/", hello)])
    app.add_middleware(HealthMiddleware, checks=(Check(name, ping) for name in ["a"]))
    (warning,) = warnings_of(around(app), lifespan=False)
    assert "the inner one (checks: some) gets no request" in warning


# -- Litestar and mounts


@get("/a")
async def a() -> str:
    return "a"


@get("/b")
async def b() -> str:
    return "b"


MIDDLEWARE: Any = HealthMiddleware  # Any: Litestar's annotations name its own types


class Shop(Litestar):
    pass


class Wrapper:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


@pytest.fixture
def no_warning_yet() -> None:
    """Forget that an earlier test caused the warning."""
    app_warnings._warn_once.cache_clear()  # private: there is one warning per process, and tests share a process


@pytest.mark.usefixtures("no_warning_yet")
@pytest.mark.parametrize(
    "middleware",
    [
        [DefineMiddleware(MIDDLEWARE, checks={})],
        [MIDDLEWARE],
        [DefineMiddleware(MIDDLEWARE, checks={}), Wrapper],
    ],
    ids=["defined", "a function", "among others"],
)
def test_in_the_middleware_list_of_litestar_one_warning_says_that_it_sees_no_probe(
    middleware: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    Litestar([a, b], middleware=middleware, logging_config=None)  # None: Litestar would replace the handlers of the log
    (record,) = [each for each in caplog.records if each.name == "asgi_health"]
    assert record.levelno == logging.WARNING
    assert "middleware=[...] of Litestar" in record.getMessage()
    assert "expected: app = HealthMiddleware(Litestar(...), ...)" in record.getMessage()


@pytest.mark.usefixtures("no_warning_yet")
@pytest.mark.parametrize(
    "make", [Litestar, Shop, lambda *arguments, **options: Wrapper(Litestar(*arguments, **options))]
)
def test_around_litestar_there_is_no_warning(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    HealthMiddleware(make([a], logging_config=None))
    assert not caplog.records


def mounted(framework: str) -> Any:
    api = FastAPI()
    if framework == "FastAPI":
        api.add_middleware(HealthMiddleware, checks=Health({"db": lambda: None}))
        outer = FastAPI()
        outer.mount("/api", api)
        return outer
    return Starlette(routes=[Mount("/api", HealthMiddleware(api, {"db": lambda: None}))])


@pytest.mark.parametrize("framework", ["FastAPI", "Starlette"])
def test_in_a_mount_the_log_names_the_paths_with_the_prefix_of_the_mount(
    framework: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "asgi_health")

    async def main() -> int:
        transport = httpx.ASGITransport(app=mounted(framework))
        async with httpx.AsyncClient(transport=transport, base_url="http://a") as client:
            return (await client.get("/api/readyz")).status_code

    assert anyio.run(main) == 200
    (line,) = [each.getMessage() for each in caplog.records if each.name == "asgi_health"]
    paths = line.partition("; answered: ")[2].split()
    assert "/api/livez" in paths
    assert all(path.startswith("/api/") for path in paths)


def test_in_a_mount_with_a_listener_the_log_names_the_paths_with_the_prefix_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "asgi_health")
    app = HealthMiddleware(FastAPI(), {"db": lambda: None}, listener=Listener("127.0.0.1:0"))

    async def main() -> list[str]:
        transport = httpx.ASGITransport(app=app, root_path="/api")
        async with httpx.AsyncClient(transport=transport, base_url="http://a") as client:
            await client.get("/other")
        lines = [each.getMessage() for each in caplog.records if each.getMessage().startswith("checks run")]
        async with serving(app):
            pass  # the end of a lifespan stops the listener that the request has started
        return lines

    lines = anyio.run(main)
    assert lines
    assert all("/api/livez" in line for line in lines)
