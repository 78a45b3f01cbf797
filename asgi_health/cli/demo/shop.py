"""The shop: a Starlette app, the checks of its dependencies, and one line around it."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from asgi_health import Check, Health, HealthMiddleware, Integration, Paths, Probe, ServiceInfo

from .catalogue import Catalogue
from .changes import Changes
from .controls import controls
from .dependencies import Database, Payments, Recommendations
from .faults import Fault


def create_shop(
    database: Database,
    payments: Payments,
    recommendations: Recommendations,
    faults: list[Fault],
    changes: Changes,
    integrations: Sequence[Integration],
) -> HealthMiddleware:
    """Return the ASGI app."""
    catalogue = Catalogue(database)

    # The intervals are short, so that a change shows at once. For a real app the defaults are right.
    health = Health(
        [
            Check(
                "database",
                database.ping,
                interval=0.5,
                retry_interval=0.5,
                timeout=1.0,
                failure_threshold=2,
                success_threshold=2,
            ),
            Check("payments", payments.ping, interval=0.5, retry_interval=0.5, timeout=0.5, failure_threshold=2),
            Check(
                "recommendations",
                recommendations.ping,
                critical=False,
                interval=0.5,
                retry_interval=0.5,
                timeout=1.0,
                failure_threshold=2,
            ),
            Check("catalogue", catalogue.loaded, probes=(Probe.STARTUP,), interval=0.5, retry_interval=0.25),
        ]
    )
    service = ServiceInfo("shop", version="1", description="A shop whose dependencies break on request")
    paths = Paths(metrics="/health/metrics")

    def products(request: Request) -> JSONResponse:
        try:
            found = database.products()
        except sqlite3.OperationalError as error:
            answer = JSONResponse({"error": f"cannot read the products: {error}"}, status_code=503)
        else:
            answer = JSONResponse({"products": found, "recommended": recommendations.pick(found)})
        changes.add_answer(answer.status_code)
        return answer

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        loading = asyncio.create_task(catalogue.load())
        yield
        loading.cancel()

    routes = [Route("/products", products), *controls(faults, health, service, paths.of_events[0], changes)]
    shop = Starlette(routes=routes, lifespan=lifespan)

    # details=True shows names, errors and metrics to every client. Outside of a demo use bearer_token or client_in: the
    # texts may help an attacker, and a scrape costs much more than a probe.
    return HealthMiddleware(
        shop,
        checks=health,
        details=True,
        paths=paths,
        service=service,
        integrations=integrations,
    )
