"""A scrape of the metrics: its processor time, and for how long at a time it keeps the event loop from other work."""

import asyncio
import time
from importlib.util import find_spec
from typing import Any

from asgi_health import Check, Health, HealthMiddleware, Paths, healthy
from asgi_health.testing import lifespan, settled

from .apps import limit
from .figures import Figure, Results
from .plan import Plan, Progress
from .setup import Setup
from .stats import ratios, spread

OURS = "asgi-health"
SIZES = (100, 1000)
PATH = "/metrics"
FORMATS = {"text": b"text/plain", "OpenMetrics": b"application/openmetrics-text;version=1.0.0"}


def measure(plan: Plan, progress: Progress) -> Results:
    """Measure scrapes of an app whose checks have run, in process."""
    results = Results()
    for size in SIZES:
        progress.step(f"scrape: {size:,} checks")
        asyncio.run(_measure(size, plan.times(50, 10), results))
    if find_spec("prometheus_client") is None:
        results.skip("scrape: prometheus_client is not installed")
    return results


async def _measure(size: int, times: int, results: Results) -> None:
    async def check() -> Any:
        return healthy(data={"pool_in_use": 3, "pool_size": 10})

    health = Health([Check(f"check-{number:04d}", check, interval=3600.0) for number in range(size)])
    app = HealthMiddleware(limit.app(Setup()), health, paths=Paths(metrics=PATH), allow_metrics=True)
    async with lifespan(app):
        await settled(health)
        ours: dict[str, list[float]] = {}
        for name, accept in FORMATS.items():
            taken = ours[name] = []
            longest: list[float] = []
            for _ in range(times):
                began = time.process_time()
                await _scrape(app, accept)
                taken.append(time.process_time() - began)
                longest.append(await _longest_step(app, accept))
            case = f"{size:,} checks, {name}"
            results.add(Figure("scrape", case, OURS, "ms", spread([1000 * each for each in taken])))
            results.add(Figure("step", case, OURS, "ms", spread([1000 * each for each in longest])))
        if find_spec("prometheus_client") is not None:
            theirs = [_by_client(health) for _ in range(times)]
            results.add(
                Figure(
                    "scrape",
                    f"{size:,} checks, text",
                    "prometheus_client",
                    "ms",
                    spread([1000 * each for each in theirs]),
                    ratios(theirs, ours["text"]),
                    OURS,
                )
            )


async def _scrape(app: HealthMiddleware, accept: bytes) -> None:
    statuses: list[int] = []

    async def receive() -> Any:
        raise RuntimeError("a scrape has no body")

    async def send(message: Any) -> None:
        statuses.append(message.get("status", 200))

    scope = {"type": "http", "method": "GET", "path": PATH, "root_path": "", "query_string": b""}
    await app({**scope, "headers": [(b"accept", accept)]}, receive, send)
    if statuses != [200, 200]:
        raise RuntimeError(f"the scrape was answered by {statuses}")


async def _longest_step(app: HealthMiddleware, accept: bytes) -> float:
    """Return the longest time for which another task of the loop waits during a scrape (seconds)."""
    scrape = asyncio.create_task(_scrape(app, accept))
    longest, before = 0.0, time.perf_counter()
    while not scrape.done():
        await asyncio.sleep(0)
        now = time.perf_counter()
        longest, before = max(longest, now - before), now
    await scrape
    return longest


def _by_client(health: Health) -> float:
    """Return the processor time of the same scrape through prometheus_client (seconds)."""
    from prometheus_client import CollectorRegistry, generate_latest

    from asgi_health.integrations.prometheus import HealthCollector

    registry = CollectorRegistry()
    registry.register(HealthCollector(health))
    began = time.process_time()
    generate_latest(registry)
    return time.process_time() - began
