"""Small apps: healthy ones, and one for each rule that has the fault of that rule and no other."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from asgi_health import (
    Check,
    Drain,
    Health,
    HealthMiddleware,
    Listener,
    Paths,
    Probe,
    any_of,
    bearer_token,
    client_in,
)
from asgi_health.asgi.types import App, Receive, Scope, Send
from asgi_health.checks._support.client import load
from asgi_health.checks.loop import loop_lag
from asgi_health.checks.redis import redis_client
from asgi_health.checks.sqlite import sqlite_database
from asgi_health.cli.doctor.settings import Given
from asgi_health.integrations.opentelemetry import excluded_urls

from ...apps import plain_app

redis = Redis()
stall_seen = threading.Event()
"""Set when the doctor has seen what blocks the loop."""


class Passing:
    """A middleware."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


class AccessLog(Passing):
    """A middleware that logs requests."""


def closure(app: App) -> App:
    async def timing(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)

    return timing


async def ping() -> None:
    """Ask nothing."""


async def ping_by_a_driver() -> None:
    await redis.ping()


async def ping_by_an_import() -> None:
    import httpx

    await httpx.AsyncClient().get("http://127.0.0.1:1/")


async def blocks() -> None:
    stall_seen.wait(30.0)
    threading.Event().wait(0.1)


async def forgets() -> None:
    asyncio.sleep(0)  # type: ignore[unused-coroutine]


async def lacks_a_driver() -> None:
    load("no_such_driver", extra="redis")


async def page(_: object) -> PlainTextResponse:
    return PlainTextResponse("the app")


def around(*checks: Check, app: App = plain_app, **options: Any) -> HealthMiddleware:
    return HealthMiddleware(app, checks, **options)


def starlette(*routes: Any) -> App:
    return Starlette(routes=[Route("/", page), *routes])


def added(*outside: Any) -> FastAPI:
    """Return an app of FastAPI with the health layer, and with middlewares outside of it."""
    app = FastAPI()
    app.add_middleware(Passing)
    app.add_middleware(HealthMiddleware, checks={"orders": ping})
    for each in outside:
        app.add_middleware(each)
    return app


def instrumented() -> App:
    app = added()
    FastAPIInstrumentor.instrument_app(app)
    return app


def liveness(name: str = "orders", run: Callable[[], Any] = ping) -> HealthMiddleware:
    return around(Check(name, run, probes=(Probe.LIVENESS,)))


class Shop:
    """Holds a client."""

    def __init__(self) -> None:
        self.client = redis

    async def ping(self) -> None:
        """Ask it."""


@dataclass(frozen=True)
class Case:
    """An app with one fault, or with none.

    Attributes:
        name: What the app is.
        make: Makes it.
        rule: The rule of its fault; empty for a healthy one.
        says: A part of the finding.
        given: The arguments of the command.
        environment: The environment of the server.
        runs: Whether its checks are run.
    """

    name: str
    make: Callable[[], Any]
    rule: str = ""
    says: str = ""
    given: Given = field(default_factory=Given)
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    runs: bool = False

    def __str__(self) -> str:
        return f"{self.rule or 'healthy'}: {self.name}"


FLEET = Given(instances=2)

HEALTHY = [
    Case("no checks", around),
    Case("checks that run", lambda: around(Check("orders", ping), Check("lag", loop_lag())), runs=True),
    Case("loop lag in liveness", lambda: liveness("lag", loop_lag())),
    Case("a dependency of one instance", lambda: around(Check("redis", ping))),
    Case(
        "a shared dependency next to one of its own",
        lambda: around(Check("redis", ping), Check("lag", loop_lag())),
        given=FLEET,
    ),
    Case(
        "a shared dependency that is not critical",
        lambda: around(Check("redis", ping, critical=False)),
        given=FLEET,
    ),
    Case("a file of its own", lambda: around(Check("orders", sqlite_database("orders.db"))), given=FLEET),
    Case("default drain and listener", lambda: around(drain=Drain(), listener=Listener("127.0.0.1:9000"))),
    Case("a guarded drain", lambda: around(drain=Drain(path="/drain", allow=bearer_token("secret")))),
    Case("guarded details", lambda: around(details=bearer_token("secret"))),
    Case(
        "client_in without trusted proxies",
        lambda: around(details=client_in("10.0.0.0/8")),
        environment={"FORWARDED_ALLOW_IPS": "10.0.0.1"},
    ),
    Case("one worker", around, given=Given(workers=1), environment={"WEB_CONCURRENCY": "4"}),
    Case("many instances with long intervals", lambda: around(Check("orders", ping)), given=Given(instances=100)),
    Case("a Health alone", lambda: Health({"orders": ping}), runs=True),
    Case("FastAPI with the layer outermost", added),
    Case("CORS outside", lambda: CORSMiddleware(around())),
    Case("traced, and probes excluded", lambda: OpenTelemetryMiddleware(around(), excluded_urls=excluded_urls())),
    Case("mounted", lambda: starlette(Mount("/api", app=around()))),
    Case("routes of its own", lambda: around(app=starlette(Route("/healthy", page)))),
]

FAULTS = [
    Case("by name", lambda: liveness("orders-database"), "liveness-dependency", "asks database"),
    Case("by the client", lambda: liveness(run=ping_by_a_driver), "liveness-dependency", "asks redis"),
    Case("by an import", lambda: liveness(run=ping_by_an_import), "liveness-dependency", "asks httpx"),
    Case("by an attribute", lambda: liveness(run=Shop().ping), "liveness-dependency", "asks redis"),
    Case("ready-made", lambda: liveness(run=redis_client(redis)), "liveness-dependency", "asks a server"),
    Case(
        "one",
        lambda: around(Check("database", ping)),
        "shared-dependencies",
        "what all 2 instances share: 'database'",
        given=FLEET,
    ),
    Case(
        "ready-made among optional ones",
        lambda: around(Check("cart", redis_client(redis)), Check("orders", ping, critical=False)),
        "shared-dependencies",
        "'cart'",
        given=FLEET,
    ),
    Case(
        "of a fleet",
        lambda: around(Check("orders", ping, interval=2.0)),
        "too-many-runs",
        "40 times a second: 1 workers x 80 instances / interval 2 s",
        given=Given(instances=80),
    ),
    Case(
        "longer than 2 s", lambda: around(Check("orders", ping, timeout=5.0)), "check-timeout", "of 'orders' (5 s) is"
    ),
    Case(
        "longer than the option",
        lambda: around(Check("orders", ping)),
        "check-timeout",
        "(--prober-timeout)",
        given=Given(prober_timeout=1.0),
    ),
    Case("time.sleep", lambda: around(Check("orders", blocks)), "blocking-check", "in blocks (", runs=True),
    Case("sleep", lambda: around(Check("orders", forgets)), "never-awaited", "in forgets: sleep()", runs=True),
    Case(
        "a driver in a run",
        lambda: around(Check("orders", lacks_a_driver)),
        "missing-extra",
        "check 'orders' needs no_such_driver",
        runs=True,
    ),
    Case("shorter than one period", lambda: around(drain=Drain(delay=3.0)), "drain-too-short", "period 2 s"),
    Case(
        "shorter than the periods given",
        lambda: around(drain=Drain(delay=9.0)),
        "drain-too-short",
        "period 2 s x failure threshold 5 (the arguments)",
        given=Given(failure_threshold=5),
    ),
    Case("30 s", lambda: around(drain=Drain(delay=30.0)), "drain-grace", "the 30 s from SIGTERM"),
    Case("given", lambda: around(drain=Drain(delay=5.0)), "drain-grace", "the 5 s", given=Given(grace=5.0)),
    Case(
        "half a second",
        lambda: around(listener=Listener("127.0.0.1:9000", stall_ready=0.5)),
        "listener-stall",
        "stall_ready 0.5 s is shorter",
    ),
    Case(
        "restarted first",
        lambda: around(listener=Listener("127.0.0.1:9000", stall_ready=30.0)),
        "listener-stall",
        "restarts the app after 70 s, and takes it out of the rotation after 80 s",
        given=Given(period=25.0),
    ),
    Case("an option", around, "workers-without-board", "2 workers (--workers 2)", given=Given(workers=2)),
    *(
        Case(name, around, "workers-without-board", says, environment={name: value})
        for name, value, says in (
            ("WEB_CONCURRENCY", "3", "3 workers (WEB_CONCURRENCY=3)"),
            ("UVICORN_WORKERS", "3", "3 workers"),
            ("GUNICORN_CMD_ARGS", "--timeout 9 -w 3", "3 workers (-w 3 in GUNICORN_CMD_ARGS)"),
            ("GRANIAN_WORKERS", "3", "3 workers"),
        )
    ),
    Case("True", lambda: around(details=True), "open-details"),
    Case("a function", lambda: around(details=lambda scope: True), "open-details"),
    Case("drain", lambda: around(drain=Drain(path="/drain", allow=True)), "open-drain", "/drain"),
    Case(
        "maintenance",
        lambda: around(paths=Paths(maintenance="/health/maintenance"), allow_maintenance=True),
        "open-maintenance",
        "may begin a maintenance",
    ),
    Case("details", lambda: around(details=client_in("10.0.0.0/8")), "forwarded-address", "details: client_in"),
    Case(
        "every address",
        lambda: around(details=any_of(bearer_token("secret"), client_in("10.0.0.0/8"))),
        "forwarded-address",
        "headers of every address",
        environment={"FORWARDED_ALLOW_IPS": "*"},
    ),
    Case("its own", lambda: around(app=starlette(Route("/health", page))), "hidden-route", "hides the app's route"),
    Case("inside", lambda: around(app=around()), "second-layer", "two health layers"),
    Case("z", lambda: around(paths=Paths(live="/livez")), "reserved-path", "liveness is answered at /livez alone"),
    Case("a class", lambda: Passing(around()), "outside-middleware", "Passing is outside"),
    Case("a function", lambda: closure(around()), "outside-middleware", "timing() is outside"),
    Case("added later", lambda: added(Passing), "outside-middleware", "Passing is outside"),
    Case(
        "hosts",
        lambda: TrustedHostMiddleware(around(), allowed_hosts=["shop.example"]),
        "outside-middleware",
        "400 to a kubelet",
    ),
    Case("by its name", lambda: AccessLog(around()), "logged-probes", "AccessLog"),
    Case("the instrumentation of FastAPI", instrumented, "traced-probes", "/health/live /livez"),
    Case("with a span", lambda: OpenTelemetryMiddleware(around()), "traced-probes", "/health/live /livez"),
]
