"""The page of the demo, and the URLs that its buttons request."""

import time

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from asgi_health import Health, Probe, ServiceInfo
from asgi_health.asgi.app_facts import app_facts
from asgi_health.asgi.events.event_id import event_id
from asgi_health.asgi.query import parse_options
from asgi_health.formats.accept import prefers_html
from asgi_health.formats.page import LiveSource, View, page_in_parts
from asgi_health.health import engine_of

from .changes import Changes
from .faults import Fault
from .panel import panel


def controls(faults: list[Fault], health: Health, service: ServiceInfo, events: str, changes: Changes) -> list[Route]:
    """Return the routes that show the page, and that break and repair the shop.

    Args:
        faults: The faults that have buttons.
        health: The health that the page shows.
        service: What the page says about the shop.
        events: The path of the events, which change the page.
        changes: What has happened.
    """
    engine = engine_of(health)
    named = {fault.name: fault for fault in faults}

    async def page(request: Request) -> Response:
        options = parse_options(request.scope["query_string"])
        if options.format not in (None, "html") or options.problems():
            return RedirectResponse(f"/health?{request.url.query}")
        now = engine.clock()
        *_, answer = page_in_parts(
            engine.with_probe_past(engine.report(Probe.HEALTH, now)),
            service,
            wall=time.time(),
            facts=app_facts(engine, now),
            view=View(options.search, options.status, options.groups, options.page_number),
            with_past=lambda check: engine.with_past(check, now),
            live=LiveSource(events, event_id(now), ()),
            panel=panel(faults, changes.kept()),
        )
        assert answer is not None
        response = Response(answer.body, answer.status)
        response.raw_headers = [*answer.headers]
        return response

    async def panel_alone(request: Request) -> HTMLResponse:
        return HTMLResponse(panel(faults, changes.kept()).html)

    def change(request: Request, *, breaks: bool) -> Response:
        fault = named.get(request.path_params["name"])
        if fault is None:
            return PlainTextResponse(f"unknown fault; the faults are: {', '.join(named)}\n", status_code=404)
        was_broken = fault.broken()
        try:
            message = fault.begin(request.query_params) if breaks else fault.end()
        except ValueError as error:
            return PlainTextResponse(f"{error}\n", status_code=400)
        if was_broken is not breaks:
            changes.add_fault(message)
        if request.method == "POST" and prefers_html(request.headers.get("accept", "")):
            return RedirectResponse("/", 303)  # a button on a page without JavaScript
        return PlainTextResponse(f"{message}\n{fault.expect}\n" if breaks else f"{message}\n")

    async def break_fault(request: Request) -> Response:
        return change(request, breaks=True)

    async def repair_fault(request: Request) -> Response:
        return change(request, breaks=False)

    # GET changes state here, so that an address bar and a short curl are enough.
    return [
        Route("/", page),
        Route("/panel", panel_alone),
        Route("/break/{name}", break_fault, methods=["GET", "POST"]),
        Route("/repair/{name}", repair_fault, methods=["GET", "POST"]),
    ]
