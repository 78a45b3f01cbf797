"""docs/reference/phases.md: what the four probes answer in each phase, in virtual time. See also tests/servers."""

import json
from collections.abc import Awaitable, Callable

import anyio
import pytest

from asgi_health import Check, Drain, Health, HealthMiddleware, Probe
from asgi_health.core.engine import Engine
from asgi_health.core.stalls import StallTimes
from asgi_health.formats.answer import Answer, minimal
from asgi_health.health import engine_of

from ..support.asgi_caller import ask
from ..support.host_simulation import Host
from ..support.lifespan_apps import ReceiveEvent, SendEvent, make_app
from ..support.lifespan_driver import LifespanDriver
from ..support.virtual_time import clock_of, run_virtual, stall
from .phase_tables import DRAIN, PATHS, PROBES, SHUTDOWN, START, answers

BACKEND = "asyncio"
LONG = 100.0  # seconds of virtual time


async def passes() -> bool:
    return True


async def fails() -> bool:
    return False


async def hangs() -> None:
    await anyio.sleep_forever()


def check(run: Callable[[], Awaitable[object]], *probes: Probe, critical: bool = True) -> list[Check]:
    return [Check("a", run, probes=probes or (Probe.READINESS,), critical=critical, timeout=50.0, failure_threshold=1)]


async def slow(receive: ReceiveEvent, send: SendEvent) -> None:
    """Need a long time for the startup and for the shutdown."""
    for event in ("startup", "shutdown"):
        assert await receive() == event
        await anyio.sleep(LONG)
        await send(f"{event}.complete")


async def crashes(receive: ReceiveEvent, send: SendEvent) -> None:
    await receive()
    raise RuntimeError("the app's own")


def shown(status: int, body: bytes) -> str:
    document = json.loads(body)
    return f"{status} {document.get('notes', [document['status']])[0]}"


async def asked(app: HealthMiddleware) -> list[str]:
    """Return what the four probes are answered."""
    return [shown(reply.status, reply.body) for reply in [await ask(app, path) for path in PATHS]]


def known(engine: Engine, now: float, seconds: float = 0.0) -> list[str]:
    """Return what the listener answers whose event loop has been blocked for `seconds`."""

    def answer(probe: Probe) -> Answer:
        status = engine.probe_status(probe)
        return minimal(status.at(now), StallTimes().stall(probe, seconds), status.reason_at(now))

    return [shown(each.status, each.body) for each in map(answer, Probe)]


async def during(
    checks: list[Check],
    then: Callable[[Health], object] = lambda health: None,
    *,
    after: float = LONG + 10.0,
    shutdown: bool = False,
) -> list[str]:
    """Return the answers `after` seconds of an app whose startup needs `LONG` seconds."""
    health = Health(checks, clock=clock_of(BACKEND))
    app = HealthMiddleware(make_app(slow), health, drain=Drain(delay=1.0))
    server = LifespanDriver(app)
    found: list[str] = []
    async with anyio.create_task_group() as group:
        group.start_soon(server.run)
        server.send("startup")
        await anyio.sleep(after)
        then(health)
        if shutdown:
            server.send("shutdown")
            await anyio.sleep(1.0)
        found = await asked(app)
        group.cancel_scope.cancel()
    return found


async def blocked(seconds: float) -> list[str]:
    engine = Engine(lambda: 0.0, lambda: 0.5)
    engine.start(engine, 0.0)
    engine.serve(0.0)
    return known(engine, 0.0, seconds)


async def imports() -> list[str]:
    return known(engine_of(Health()), 0.0)


async def on_board(*, broken: bool) -> list[str]:
    host = Host()
    workers = [host.start(), host.start()]
    host.advance(5.0)
    workers[1].sick = True
    host.advance(5.0)
    host.store.broken = broken
    if broken:
        host.advance(30.0)
    return known(workers[0].engine, host.now)


async def crashed() -> list[str]:
    health = Health(check(passes), clock=clock_of(BACKEND))
    app = HealthMiddleware(make_app(crashes), health)
    server = LifespanDriver(app)
    server.send("startup")
    await server.run()
    return await asked(app)


async def without_lifespan() -> list[str]:
    return await asked(HealthMiddleware(make_app(slow), Health(check(passes), clock=clock_of(BACKEND))))


PHASES: dict[str, Callable[[], Awaitable[list[str]]]] = {
    "the server imports the app, after listen_early": imports,
    "lifespan.startup runs": lambda: during(check(passes), after=LONG / 2),
    "started; a startup check has no result yet": lambda: during(check(hangs, Probe.STARTUP)),
    "started; a startup check fails": lambda: during(check(fails, Probe.STARTUP)),
    "started; a readiness check has no result yet": lambda: during(check(hangs)),
    "all checks pass": lambda: during(check(passes)),
    "a check with critical=False fails": lambda: during(check(fails, critical=False)),
    "a critical readiness check fails": lambda: during(check(fails)),
    "its result is older than max_age": lambda: during(check(passes), lambda health: stall(BACKEND, 1000.0)),
    "a liveness check fails": lambda: during(check(fails, Probe.LIVENESS)),
    "the app is in maintenance": lambda: during(check(passes), lambda health: health.maintain(None, 60.0)),
    "a check that fails is in maintenance": lambda: during(check(fails), lambda health: health.maintain("a", 60.0)),
    "another worker of the board fails": lambda: on_board(broken=False),
    "the board cannot be used, and the own checks pass": lambda: on_board(broken=True),
    "the event loop is blocked for stall_ready": lambda: blocked(StallTimes().ready),
    "the event loop is blocked for stall_live": lambda: blocked(StallTimes().live),
    "SIGTERM came, and the delay of the drain runs": lambda: during(check(passes), Health.drain),
    "the server has got the signal, and waits for requests": lambda: during(check(passes), Health.drain),
    "lifespan.shutdown runs": lambda: during(check(passes), Health.drain, shutdown=True),
    "no lifespan; the first probe, which runs the checks": without_lifespan,
    "the app's lifespan failed after receive(), and the server goes on": crashed,
}


def test_the_table_has_the_phases_that_are_tested() -> None:
    assert list(PHASES) == list(PROBES)


@pytest.mark.parametrize("phase", PHASES)
def test_the_four_probes_answer_as_the_table_says(phase: str) -> None:
    assert run_virtual(BACKEND, PHASES[phase]) == answers(phase)


def test_each_table_of_the_servers_has_all_of_them() -> None:
    assert list(START) == list(DRAIN) == list(SHUTDOWN)
