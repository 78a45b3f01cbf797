"""The page with the buttons, and the URLs that they request."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse
from starlette.routing import Route

from asgi_health import Check, Health

from .changes import Changes
from .faults import Fault

# The page contains everything that it needs, so the browser may fetch nothing from elsewhere.
POLICY = "default-src 'none'; connect-src 'self'; img-src data:; script-src 'unsafe-inline'; style-src 'unsafe-inline'"


def controls(faults: list[Fault], health: Health, changes: Changes) -> list[Route]:
    """Return the routes that show the page, and that break and repair the shop."""
    named = {fault.name: fault for fault in faults}
    html = Path(__file__).with_name("page.html").read_text(encoding="utf-8")

    async def page(request: Request) -> HTMLResponse:
        return HTMLResponse(html, headers={"content-security-policy": POLICY})

    async def state(request: Request) -> JSONResponse:
        return JSONResponse(
            {
                "faults": [_fault(fault) for fault in faults],
                "checks": [_check(check) for check in health.checks],
                "changes": changes.shown(),
            }
        )

    async def break_fault(request: Request) -> PlainTextResponse:
        fault = named.get(request.path_params["name"])
        if fault is None:
            return _unknown(named)
        was_broken = fault.broken()
        try:
            message = fault.begin(request.query_params)
        except ValueError as error:
            return PlainTextResponse(f"{error}\n", status_code=400)
        if not was_broken:
            changes.add_fault(message)
        return PlainTextResponse(f"{message}\n{fault.expect}\n")

    async def repair_fault(request: Request) -> PlainTextResponse:
        fault = named.get(request.path_params["name"])
        if fault is None:
            return _unknown(named)
        was_broken = fault.broken()
        message = fault.end()
        if was_broken:
            changes.add_fault(message)
        return PlainTextResponse(f"{message}\n")

    # GET changes state here, so that an address bar and a short curl are enough.
    return [
        Route("/", page),
        Route("/state", state),
        Route("/break/{name}", break_fault, methods=["GET", "POST"]),
        Route("/repair/{name}", repair_fault, methods=["GET", "POST"]),
    ]


def _unknown(named: Mapping[str, Fault]) -> PlainTextResponse:
    return PlainTextResponse(f"unknown fault; the faults are: {', '.join(named)}\n", status_code=404)


def _fault(fault: Fault) -> dict[str, Any]:
    return {"name": fault.name, "title": fault.title, "expect": fault.expect, "broken": fault.broken()}


def _check(check: Check) -> dict[str, Any]:
    return {
        "name": check.name,
        "probes": [probe.value for probe in check.probes],
        "critical": check.critical,
        "interval": check.interval,
        "retry_interval": check.retry_interval,
        "timeout": check.timeout,
        "failure_threshold": check.failure_threshold,
        "success_threshold": check.success_threshold,
        "stale_after": check.stale_after,
    }
