"""The peers for Starlette and FastAPI, each as its own documentation recommends, with its cache on.

The functions import them, because none of them must be installed.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from time import monotonic
from typing import Any

from starlette.routing import Mount, Route

from ..setup import App, CheckFunction, Setup
from .hand import LIVE, READY, fastapi_app, starlette_with


def fastapi_watch(setup: Setup) -> App:
    """Return active probes with an interval, polled in the background from `set_started()` on."""
    watch = import_module("fastapi_watch")

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        registry.set_started()
        yield

    app = fastapi_app(lifespan=lifespan)
    registry = watch.HealthRegistry(app, prefix="/health", probe_timeout=setup.timeout)

    def probe(name: str, check: CheckFunction) -> Any:
        async def result(self: object) -> Any:
            started = monotonic()
            status = watch.ProbeStatus.HEALTHY if await check() else watch.ProbeStatus.UNHEALTHY
            return watch.ProbeResult(name=name, status=status, latency_ms=(monotonic() - started) * 1000)

        members = {"name": name, "poll_interval_ms": round(setup.interval * 1000), "check": result}
        return type("Probe", (watch.BaseProbe,), members)()

    for name, check in setup.checks:
        registry.add(probe(name, check))
    return app


def probirka(setup: Setup) -> App:
    """Return its ASGI app on a Starlette route, with cached results; a failure for half as long as a success."""
    module = import_module("probirka")
    ttl = max(1, round(setup.interval))
    checks = module.Probirka(success_ttl=ttl, failed_ttl=max(1, ttl // 2))
    for name, check in setup.checks:
        checks.add(name=name, timeout=max(1, round(setup.timeout)))(check)
    live = module.make_asgi_app(module.Probirka(), return_results=False)
    ready = module.make_asgi_app(checks, return_results=setup.details)
    methods = ["GET", "HEAD"]
    return starlette_with(Route(READY, ready, methods=methods), Route(LIVE, live, methods=methods))


def fast_healthchecks(setup: Setup) -> App:
    """Return HealthcheckRouter, with a timeout for each check and for the probe. It has no cache."""
    module = import_module("fast_healthchecks")
    function = import_module("fast_healthchecks.checks.function")
    fastapi = import_module("fast_healthchecks.integrations.fastapi")
    base = import_module("fast_healthchecks.integrations.base")
    checks = [function.FunctionHealthCheck(func=run, name=name, timeout=setup.timeout) for name, run in setup.checks]
    probes = [module.Probe(name="ready", checks=checks), module.Probe(name="live", checks=[])]
    options = base.build_probe_route_options(timeout=setup.timeout, debug=setup.details, success_status=200)
    app = fastapi_app()
    app.include_router(fastapi.HealthcheckRouter(*probes, options=options))
    return app


def fastapi_health(setup: Setup) -> App:
    """Return conditions as dependencies of a route. It has neither cache nor timeouts."""
    health: Callable[[list[Any]], Callable[..., Awaitable[Any]]] = import_module("fastapi_health").health
    app = fastapi_app()
    app.add_api_route(READY, health([check for _, check in setup.checks]))
    app.add_api_route(LIVE, health([]))
    return app


def light_health(setup: Setup) -> App:
    """Return its ASGI app, mounted. It has neither cache nor timeouts."""
    registry = import_module("light_health.registry").AsyncHealthRegistry()
    status = import_module("light_health.status")
    health = import_module("light_health.asgi.health").HealthASGIApp

    def adapted(check: CheckFunction) -> Callable[[], Awaitable[Any]]:
        async def run() -> Any:
            state = status.HealthState.UP if await check() else status.HealthState.DOWN
            return status.HealthCheckResult(status=state)

        return run

    for name, check in setup.checks:
        registry.register_readiness(name, adapted(check))
    return starlette_with(Mount("/health", health(registry)))
