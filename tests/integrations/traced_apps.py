"""A program that asks apps with tracing for a probe and for a page, and prints the traces that each request made.

``python -m tests.integrations.traced_apps opentelemetry``, in a process of its own because the instrumentations change
the classes of the frameworks, and read the environment when they are imported. It prints, as JSON, the names of the
spans or transactions of each app and path.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, cast

import anyio
import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from asgi_health import HealthMiddleware
from asgi_health.asgi.types import App, Message
from tests.apps import plain_app
from tests.support.asgi_caller import http_scope

PROBES = ("/livez", "/readyz", "/startupz", "/healthz", "/health/live/", "/readyz/database")
PAGE = "/orders"


def django_page(_: HttpRequest) -> HttpResponse:
    return HttpResponse(b"the page")


urlpatterns = [path("orders", django_page)]


async def page(_: Request) -> PlainTextResponse:
    return PlainTextResponse("the page")


async def fastapi_page() -> str:
    return "the page"


def make_starlette() -> Starlette:
    return Starlette(routes=[Route(PAGE, page)])


def make_fastapi() -> FastAPI:
    app = FastAPI()
    app.add_api_route(PAGE, fastapi_page)
    return app


def health(app: App) -> HealthMiddleware:
    """Return `app` with health paths, those of single checks too."""
    return HealthMiddleware(app, {"database": lambda: None}, details=True)


def add_health(app: Starlette) -> None:
    app.add_middleware(HealthMiddleware, checks={"database": lambda: None}, details=True)


Apps = dict[str, App]


def framework_apps(name: str, make: Callable[[], Any], instrument: Callable[[Any], None]) -> Iterator[tuple[str, App]]:
    """Yield the apps of a framework: wrapped and by add_middleware, instrumented before and after that."""
    for first in ("instrumented first", "instrumented last"):
        before = first == "instrumented first"
        app = make()
        if before:
            instrument(app)
        wrapped = health(app)
        if not before:
            instrument(app)
        yield f"{name}, wrapped, {first}", wrapped
        app = make()
        if before:
            instrument(app)
        add_health(app)
        if not before:
            instrument(app)
        yield f"{name}, add_middleware, {first}", app


def nothing(_: object) -> None:
    """Change nothing."""


def opentelemetry() -> tuple[Apps, Callable[[], list[str]]]:
    from opentelemetry import trace
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
    from opentelemetry.instrumentation.starlette import StarletteInstrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from opentelemetry.util.http import get_excluded_urls

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    excluded = os.environ.get("OTEL_PYTHON_EXCLUDED_URLS")
    with_asgi = partial(OpenTelemetryMiddleware, excluded_urls=get_excluded_urls("ASGI"))
    apps: Apps = {
        "asgi, wrapped": health(with_asgi(plain_app)),
        "asgi, inside": with_asgi(health(plain_app)),
        **dict(framework_apps("starlette", make_starlette, StarletteInstrumentor.instrument_app)),
        **dict(framework_apps("fastapi", make_fastapi, FastAPIInstrumentor.instrument_app)),
        **dict(
            framework_apps(
                "fastapi with excluded_urls=",
                make_fastapi,
                partial(FastAPIInstrumentor.instrument_app, excluded_urls=excluded),
            )
        ),
        "mounted": Starlette(routes=[Mount("/api", with_asgi(health(plain_app)))]),
    }
    DjangoInstrumentor().instrument()
    apps["django, wrapped"] = health(get_asgi_application())
    apps["django, asgi inside"] = with_asgi(health(get_asgi_application()))

    def class_of(module: str, name: str) -> Callable[[], Any]:
        def make() -> Any:
            app = getattr(sys.modules[module], name)()  # the class that the instrumentation has put there
            app.add_route(PAGE, page)
            return app

        return make

    StarletteInstrumentor().instrument()
    FastAPIInstrumentor().instrument()
    apps |= dict(framework_apps("starlette class", class_of("starlette.applications", "Starlette"), nothing))
    apps |= dict(framework_apps("fastapi class", class_of("fastapi", "FastAPI"), nothing))

    def traces() -> list[str]:
        names = [span.name for span in exporter.get_finished_spans()]
        exporter.clear()
        return names

    return apps, traces


def sentry(lifecycle: str, sampler: str) -> tuple[Apps, Callable[[], list[str]]]:
    import sentry_sdk
    from sentry_sdk.envelope import Envelope
    from sentry_sdk.integrations.asgi import SentryAsgiMiddleware
    from sentry_sdk.integrations.django import DjangoIntegration
    from sentry_sdk.integrations.fastapi import FastApiIntegration
    from sentry_sdk.integrations.starlette import StarletteIntegration
    from sentry_sdk.transport import Transport

    from asgi_health.integrations.sentry import traces_sampler

    envelopes: list[Envelope] = []

    class Memory(Transport):
        def capture_envelope(self, envelope: Envelope) -> None:
            envelopes.append(envelope)

    apps = dict(framework_apps("starlette, before init", make_starlette, nothing))
    apps |= framework_apps("fastapi, before init", make_fastapi, nothing)
    rates: dict[str, dict[str, Any]] = {
        "none": {"traces_sample_rate": 1.0},
        "share": {"traces_sampler": traces_sampler(1.0)},
        "function": {"traces_sampler": traces_sampler(traces_sampler(lambda context: 1.0), root_path="/api")},
    }
    options: dict[str, Any] = {"trace_lifecycle": lifecycle, **rates[sampler]}
    sentry_sdk.init(
        "http://key@127.0.0.1:9/1",
        transport=Memory,
        default_integrations=False,
        integrations=[DjangoIntegration(), StarletteIntegration(), FastApiIntegration()],
        **options,
    )
    apps |= framework_apps("starlette, after init", make_starlette, nothing)
    apps |= framework_apps("fastapi, after init", make_fastapi, nothing)
    with_sentry = cast("Callable[[App], App]", SentryAsgiMiddleware)
    apps["asgi, wrapped"] = health(with_sentry(plain_app))
    apps["asgi, inside"] = with_sentry(health(plain_app))
    apps["mounted"] = with_sentry(Starlette(routes=[Mount("/api", health(plain_app))]))
    apps["django, wrapped"] = health(get_asgi_application())

    def traces() -> list[str]:
        sentry_sdk.flush()
        found = [item.headers.get("type") for envelope in envelopes for item in envelope.items]
        envelopes.clear()
        return [str(kind) for kind in found if kind in ("transaction", "span")]

    return apps, traces


async def status_of(app: App, path: str) -> int:
    """Return the status of the answer to a GET request without a body, whose client stays."""
    messages: list[Message] = []
    requests: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if not requests:
            await anyio.sleep_forever()
        return requests.pop()

    async def send(message: Message) -> None:
        messages.append(message)

    await app(http_scope(path), receive, send)
    return int(messages[0]["status"])


async def main(apps: Apps, traces: Callable[[], list[str]]) -> None:
    found: dict[str, dict[str, list[str]]] = {}
    for name, app in apps.items():
        prefix = "/api" if name == "mounted" else ""
        found[name] = {}
        for each in (*PROBES, PAGE):
            assert await status_of(app, prefix + each) == 200, (name, each)
            found[name][each] = traces()
    print(json.dumps(found))


if __name__ == "__main__":
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x", MIDDLEWARE=[], USE_TZ=True)
    django.setup()
    made = opentelemetry() if sys.argv[1] == "opentelemetry" else sentry(*sys.argv[2:])
    anyio.run(main, *made)
