"""The status of each probe in each situation of an app that runs in a lifespan."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import pytest

from asgi_health import Check, Health, HealthMiddleware, Probe, Result, degraded, healthy, unhealthy
from asgi_health.asgi.types import Receive, Scope, Send

from ..support.asgi_caller import PATHS, ask, statuses, with_token
from ..support.lifespan_driver import LifespanDriver
from ..support.virtual_time import BACKENDS, clock_of, run_virtual, stall

LIVE, READY, START = Probe.LIVENESS, Probe.READINESS, Probe.STARTUP


class SlowApp:
    """An app whose startup takes `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan"
        await receive()
        await anyio.sleep(self.seconds)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})


def check(name: str, result: Result | None, *probes: Probe, critical: bool = True) -> Check:
    """Return a check with that result; None: it never ends."""

    async def run() -> Result:
        if result is None:
            await anyio.sleep_forever()
            raise AssertionError("unreachable")
        return result

    return Check(name, run, probes=probes or (READY,), critical=critical, timeout=5.0)


@dataclass(frozen=True)
class Situation:
    """A situation, and the statuses of live, ready, startup and health in it."""

    name: str
    expected: str
    checks: list[Check] = field(default_factory=list)
    startup: float = 0.0
    then: Callable[[str, Health], None] | None = None
    shutdown: bool = False


def become_stale(backend: str, health: Health) -> None:
    stall(backend, 1000.0)


OK, DOWN, SLOW = healthy(), unhealthy("down"), degraded("slow")
SITUATIONS = [
    Situation("starting, no checks", "pass fail fail fail", startup=100.0),
    Situation("starting, checks given", "pass fail fail fail", [check("a", OK)], startup=100.0),
    Situation("starting, liveness check given", "warn fail fail fail", [check("a", OK, LIVE)], startup=100.0),
    Situation("startup check fails", "pass fail fail fail", [check("a", DOWN, START)]),
    Situation(
        "startup check fails, the other passes", "pass fail fail fail", [check("a", DOWN, START), check("b", OK)]
    ),
    Situation("startup check passes", "pass pass pass pass", [check("a", OK, START)]),
    Situation("startup check is degraded", "pass pass pass warn", [check("a", SLOW, START)]),
    Situation("optional startup check fails", "pass pass pass warn", [check("a", DOWN, START, critical=False)]),
    Situation("no result yet, readiness", "pass fail pass fail", [check("a", None)]),
    Situation("no result yet, optional", "pass warn pass warn", [check("a", None, critical=False)]),
    Situation("no result yet, startup", "pass fail fail fail", [check("a", None, START)]),
    Situation("no result yet, liveness", "warn pass pass fail", [check("a", None, LIVE)]),
    Situation("no result yet, all probes", "warn fail fail fail", [check("a", None, LIVE, READY, START)]),
    Situation("no result yet from one of two", "pass fail pass fail", [check("a", OK), check("b", None)]),
    Situation("no checks", "pass pass pass pass"),
    Situation("all pass", "pass pass pass pass", [check("a", OK), check("b", OK, LIVE, READY, START)]),
    Situation("optional check fails", "pass warn pass warn", [check("a", DOWN, critical=False), check("b", OK)]),
    Situation("critical check degraded", "pass warn pass warn", [check("a", SLOW)]),
    Situation("optional check degraded", "pass warn pass warn", [check("a", SLOW, critical=False)]),
    Situation("optional liveness check fails", "warn pass pass warn", [check("a", DOWN, LIVE, critical=False)]),
    Situation("critical check fails", "pass fail pass fail", [check("a", DOWN), check("b", OK)]),
    Situation("both fail", "pass fail pass fail", [check("a", DOWN), check("b", DOWN, critical=False)]),
    Situation("stale", "pass fail pass fail", [check("a", OK)], then=become_stale),
    Situation("stale, optional", "pass warn pass warn", [check("a", OK, critical=False)], then=become_stale),
    Situation("stale, liveness", "warn pass pass fail", [check("a", OK, LIVE)], then=become_stale),
    Situation("stale, startup alone", "pass pass pass pass", [check("a", OK, START)], then=become_stale),
    Situation("stale, startup too", "pass fail pass fail", [check("a", OK, START, READY)], then=become_stale),
    Situation("draining", "pass fail pass fail", [check("a", OK)], then=lambda _, health: health.drain()),
    Situation("draining without checks", "pass fail pass fail", then=lambda _, health: health.drain()),
    Situation("liveness check fails", "fail pass pass fail", [check("a", DOWN, LIVE)]),
    Situation("liveness and readiness check fails", "fail fail pass fail", [check("a", DOWN, LIVE, READY)]),
    Situation("shutting down", "pass fail pass fail", [check("a", OK)], shutdown=True),
    Situation("shutting down before startup passed", "pass fail fail fail", [check("a", DOWN, START)], shutdown=True),
]
WAYS = {
    "plain": {},
    "with a query": {"query": b"t=1"},
    "options": {"method": "OPTIONS"},
    "below a root path": {"root_path": "/api"},
    "authorised": {"headers": with_token(b"secret")},
    "verbose": {"headers": with_token(b"secret"), "query": b"verbose"},
}


@asynccontextmanager
async def in_situation(backend: str, situation: Situation) -> AsyncIterator[HealthMiddleware]:
    health = Health(situation.checks, clock=clock_of(backend))
    secret = (b"authorization", b"Bearer secret")
    app = HealthMiddleware(SlowApp(situation.startup), health, details=lambda scope: secret in scope["headers"])
    server = LifespanDriver(app)
    async with anyio.create_task_group() as group:
        group.start_soon(server.run)
        server.send("startup")
        await anyio.sleep(1.0)
        if situation.shutdown:
            await server.shutdown()
        if situation.then is not None:
            situation.then(backend, health)
        yield app  # nothing waits from here on: the answers must show the situation at once
        group.cancel_scope.cancel()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
def test_each_situation_has_the_statuses_of_the_table(situation: Situation, backend: str) -> None:
    async def main() -> dict[str, str]:
        async with in_situation(backend, situation) as app:
            seen: dict[str, str] = {}
            for way, options in WAYS.items():
                replies = [await ask(app, path, **options) for path in PATHS]  # type: ignore[arg-type]
                seen[way] = " ".join(reply.json["status"] for reply in replies)
                assert [reply.status for reply in replies] == [
                    503 if reply.json["status"] == "fail" else 200 for reply in replies
                ]
        return seen

    assert run_virtual(backend, main) == dict.fromkeys(WAYS, situation.expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_startup_stays_passed(backend: str) -> None:
    results = iter([OK])

    async def fails_later() -> Result:
        return next(results, DOWN)

    check = Check("a", fails_later, probes=(START, READY))
    app = HealthMiddleware(SlowApp(10.0), Health([check], clock=clock_of(backend)))

    async def main() -> list[list[int]]:
        server = LifespanDriver(app)
        seen: list[list[int]] = []
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            server.send("startup")
            for moment in (5.0, 6.0, 100.0):
                await anyio.sleep(moment)
                seen.append(await statuses(app))
            await server.shutdown()
        return [*seen, await statuses(app)]

    assert run_virtual(backend, main) == [
        [200, 503, 503, 503],
        [200, 200, 200, 200],
        [200, 503, 200, 503],
        [200, 503, 200, 503],
    ]


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_app_is_ready_as_soon_as_startup_has_passed(backend: str) -> None:
    passes_at = 20.0
    clock = clock_of(backend)

    async def migrated() -> bool:
        return clock() > passes_at

    async def well() -> None:
        return None

    checks = [Check("migrations", migrated, probes=(START,)), Check("database", well)]
    app = HealthMiddleware(SlowApp(0.0), Health(checks, clock=clock))

    async def main() -> list[int]:
        server = LifespanDriver(app)
        seen: list[int] = []
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            server.send("startup")
            await anyio.sleep(passes_at - 0.5)
            seen.append((await ask(app, "/readyz")).status)
            await anyio.sleep(12.0)
            seen.append((await ask(app, "/readyz")).status)
            await server.shutdown()
        return seen

    assert run_virtual(backend, main) == [503, 200]
