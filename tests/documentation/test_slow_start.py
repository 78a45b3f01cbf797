"""docs/how-to/slow-start.md: what the probes answer while the program loads, afterwards, and when loading fails."""

import threading
from collections.abc import Callable
from typing import Any

import anyio

from asgi_health import Health, HealthMiddleware, Probe
from asgi_health.testing import lifespan, probe, settled

from ..support.waiting import wait_until_async
from .blocks import blocks

PROBES = ("/health/live", "/health/startup", "/health/ready")


def program(load: Callable[[], object]) -> tuple[HealthMiddleware, Health]:
    source, *_ = blocks("python", "how-to/slow-start.md")
    assert "interval=1.0" in source
    names: dict[str, Any] = {"__name__": __name__, "load_catalogue": load}
    exec(compile(source.replace("interval=1.0", "interval=0.01, retry_interval=0.01"), "slow-start.md", "exec"), names)
    return names["app"], names["health"]


async def statuses(app: HealthMiddleware) -> list[int]:
    return [(await probe(app, path)).status for path in PROBES]


def test_while_it_loads_it_is_live_and_neither_started_nor_ready() -> None:
    loaded = threading.Event()
    app, health = program(loaded.wait)

    async def main() -> None:
        async with lifespan(app):
            await settled(health)
            assert await statuses(app) == [200, 503, 503]
            loaded.set()
            await wait_until_async(lambda: health.report(Probe.STARTUP).status.name == "HEALTHY", "it has started")
            assert await statuses(app) == [200, 200, 200]

    anyio.run(main)


def test_where_loading_fails_the_check_says_why() -> None:
    def fail() -> None:
        raise FileNotFoundError("catalogue.json is missing")

    app, health = program(fail)

    def output() -> str:
        return health.report().checks[0].output

    async def main() -> None:
        async with lifespan(app):
            await wait_until_async(lambda: output() == "FileNotFoundError: catalogue.json is missing", output)
            assert await statuses(app) == [200, 503, 503]

    anyio.run(main)
