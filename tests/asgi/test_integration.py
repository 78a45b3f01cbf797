"""The middleware in frameworks, in mounts, and around another one."""

from collections.abc import Callable

import anyio
import httpx
import pytest
from fastapi import FastAPI
from quart import Quart
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.httpsredirect import HTTPSRedirectMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from asgi_health import Check, Health, HealthMiddleware, Paths, Probe
from asgi_health.asgi.types import App

from ..support.asgi_caller import ask, echo_nothing
from ..support.lifespan_apps import make_app, supports_lifespan
from ..support.lifespan_driver import serving
from ..support.recording_checks import Counted
from ..support.virtual_time import BACKENDS, clock_of, run_virtual


def health_of(check: Counted, backend: str) -> Health:
    return Health([Check("database", check)], clock=clock_of(backend))


async def hello(request: object) -> PlainTextResponse:
    return PlainTextResponse("hello")


def starlette(health: Health) -> App:
    app = Starlette(routes=[Route("/", hello)])
    app.add_middleware(HealthMiddleware, checks=health)
    return app


def starlette_list(health: Health) -> App:
    return Starlette(routes=[Route("/", hello)], middleware=[Middleware(HealthMiddleware, checks=health)])


def fastapi(health: Health) -> App:
    app = FastAPI()
    app.add_middleware(HealthMiddleware, checks=health)

    @app.get("/")
    async def root() -> str:
        return "hello"

    return app


def wrapped(health: Health) -> App:
    return HealthMiddleware(Starlette(routes=[Route("/", hello)]), health)


def quart(health: Health) -> App:
    app = Quart(__name__)

    @app.route("/")
    async def root() -> str:
        return "hello"

    app.asgi_app = HealthMiddleware(app.asgi_app, health)  # type: ignore[method-assign, assignment, arg-type]
    return app  # type: ignore[return-value]


Make = Callable[[Health], App]
ON_BOTH: tuple[Make, ...] = (starlette, starlette_list, fastapi, wrapped)
FRAMEWORKS = [*((make, backend) for make in ON_BOTH for backend in BACKENDS), (quart, "asyncio")]


@pytest.mark.parametrize(("make", "backend"), FRAMEWORKS)
def test_a_framework_answers_probes_and_its_own_paths(make: Make, backend: str) -> None:
    check = Counted()
    app = make(health_of(check, backend))

    async def main() -> None:
        async with serving(app):
            await anyio.sleep(1.0)
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app=app),
                base_url="http://example.org",
            ) as client:
                for _ in range(3):
                    assert (await client.get("/")).text.strip('"') == "hello"
                    ready = await client.get("/readyz")
                    assert ready.json() == {"status": "pass"}
                for path in ("/livez", "/readyz/", "/startupz", "/health"):
                    assert (await client.get(path)).status_code == 200
                assert check.runs == 1
                # Last: early Starlettes answer it from a thread, and virtual time jumps while the loop waits for one.
                assert (await client.get("/nothing")).status_code == 404

    run_virtual(backend, main)


@pytest.mark.parametrize("make", [starlette, fastapi, wrapped, quart])
def test_a_framework_without_lifespan_runs_the_checks_on_demand(make: Make) -> None:
    check = Counted()
    app = make(health_of(check, "asyncio"))

    async def main() -> list[int]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://example.org") as client:
            return [(await client.get("/readyz")).status_code for _ in range(3)]

    assert run_virtual("asyncio", main) == [200] * 3
    assert check.runs == 1


def test_added_last_it_answers_before_middlewares_that_would_refuse_a_probe() -> None:
    app = Starlette(routes=[Route("/", hello)])
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["shop.example.org"])
    app.add_middleware(HTTPSRedirectMiddleware)
    app.add_middleware(HealthMiddleware)

    async def main() -> list[int]:
        return [(await ask(app, path)).status for path in ("/readyz", "/", "/livez")]

    assert run_virtual("asyncio", main) == [200, 307, 200]


def test_added_first_its_answers_stay_correct_behind_middlewares_that_change_them() -> None:
    app = Starlette(routes=[Route("/", hello)])
    app.add_middleware(HealthMiddleware)
    app.add_middleware(GZipMiddleware, minimum_size=1)
    app.add_middleware(CORSMiddleware, allow_origins=["*"])

    async def main() -> list[dict[str, str]]:
        transport = httpx.ASGITransport(app=app)
        headers = {"origin": "https://example.org"}
        async with httpx.AsyncClient(transport=transport, base_url="http://example.org", headers=headers) as client:
            replies = [await client.get("/readyz") for _ in range(5)]
            assert {reply.text for reply in replies} == {'{"status":"pass"}'}
            return [dict(reply.headers) for reply in replies]

    headers = run_virtual("asyncio", main)
    assert headers == [headers[0]] * 5
    assert headers[0]["content-encoding"] == "gzip"


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_mounted_app_has_a_health_of_its_own(backend: str) -> None:
    inner, outer = Counted(), Counted()
    paths = Paths(live=None, ready="/up", startup=None, health=None)
    mounted = HealthMiddleware(echo_nothing, health_of(inner, backend), paths=paths)
    app = HealthMiddleware(Starlette(routes=[Mount("/sub", app=mounted)]), health_of(outer, backend))

    async def main() -> list[int]:
        async with serving(app):
            await anyio.sleep(1.0)
            assert (inner.runs, outer.runs) == (0, 1)
            statuses = [(await ask(app, path)).status for path in ("/sub/up", "/sub/up/", "/readyz", "/sub/readyz")]
            assert (inner.runs, outer.runs) == (1, 1)
            return [*statuses, (await ask(app, "/up")).status]  # last, as "/nothing" above

    assert run_virtual(backend, main) == [200, 200, 200, 418, 404]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_middleware_around_another_of_the_same_health_runs_each_check_once(backend: str) -> None:
    log: list[str] = []

    async def check() -> None:
        log.append("check begins")
        try:
            await anyio.sleep_forever()
        finally:
            log.append("check ends")

    health = Health(
        [Check("a", check, timeout=300.0, interval=100.0), Check("b", Counted(), probes=(Probe.LIVENESS,))],
        clock=clock_of(backend),
    )
    inner = HealthMiddleware(make_app(supports_lifespan, log), health, paths=Paths(ready="/inner"))
    app = HealthMiddleware(inner, health, paths=Paths(ready="/outer"))

    async def main() -> list[int]:
        async with serving(app, log):
            await anyio.sleep(1.0)
            return [(await ask(app, path)).status for path in ("/inner", "/outer", "/livez", "/readyz")]

    assert run_virtual(backend, main) == [503, 503, 200, 418]
    assert log == [
        *("server sends startup", "app receives startup"),
        *("app sends startup.complete", "server receives startup.complete", "check begins"),
        *("server sends shutdown", "check ends", "app receives shutdown"),
        *("app sends shutdown.complete", "server receives shutdown.complete", "lifespan ends"),
    ]


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_apps_in_one_process_share_nothing(backend: str) -> None:
    checks = [Counted(), Counted()]
    apps = [HealthMiddleware(make_app(supports_lifespan), health_of(check, backend)) for check in checks]

    async def main() -> list[int]:
        async with serving(apps[0]):
            await anyio.sleep(1.0)
            async with serving(apps[1]):
                await anyio.sleep(1.0)
                apps[0].health.drain()
                seen = [(await ask(app)).status for app in apps]
            seen.append((await ask(apps[1])).status)
            seen.append((await ask(apps[0], "/livez")).status)
        return seen

    assert run_virtual(backend, main) == [503, 200, 503, 200]
    assert [check.runs for check in checks] == [1, 1]
