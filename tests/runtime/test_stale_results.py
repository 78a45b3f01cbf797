"""Results that grow stale do not become fresh again, and a check that stopped running can become healthy again."""

import anyio
import pytest

from asgi_health import Check, Health, HealthMiddleware, Probe, Status
from asgi_health.health import engine_of
from asgi_health.runtime.scheduler.runner import runner_of
from asgi_health.testing import lifespan, probe
from tests.apps import plain_app
from tests.support.virtual_time import BACKENDS, clock_of, run_virtual, stall


class Dependency:
    """A dependency that a test takes down."""

    def __init__(self) -> None:
        self.up = True

    async def __call__(self) -> None:
        if not self.up:
            raise ConnectionError("refused")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_failure_below_the_threshold_does_not_make_a_stale_pass_fresh(backend: str) -> None:
    dependency = Dependency()
    app = HealthMiddleware(plain_app, Health([Check("database", dependency)], clock=clock_of(backend)))

    async def main() -> list[int]:
        seen = [(await probe(app, "/readyz")).status]  # on demand: there is no lifespan
        stall(backend, 3600.0)
        dependency.up = False
        for _ in range(4):
            seen.append((await probe(app, "/readyz")).status)
            await anyio.sleep(2.0)
        dependency.up = True
        await anyio.sleep(20.0)
        return [*seen, (await probe(app, "/readyz")).status]

    assert run_virtual(backend, main) == [200, 503, 503, 503, 503, 200]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_that_was_suspended_during_a_stall_does_not_make_readiness_healthy(backend: str) -> None:
    slow = False

    async def database() -> None:
        if slow:
            await anyio.sleep(1.0)

    async def main() -> None:
        nonlocal slow
        health = Health([Check("database", database)], clock=clock_of(backend), random=lambda: 0.5)
        async with lifespan(HealthMiddleware(plain_app, health)):
            await anyio.sleep(5.0)
            slow = True
            await anyio.sleep(5.5)
            stall(backend, 600.0)
            assert health.report(Probe.READINESS).status is Status.UNHEALTHY
            await anyio.sleep(0.1)
            assert health.report(Probe.READINESS).status is Status.UNHEALTHY
            await anyio.sleep(4.0)
            assert health.report(Probe.READINESS).status is Status.HEALTHY

    run_virtual(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_startup_checks_alone_are_run_for_a_readiness_probe_on_demand(backend: str) -> None:
    dependency = Dependency()
    check = Check("migrations", dependency, probes=(Probe.STARTUP,))
    app = HealthMiddleware(plain_app, Health([check], clock=clock_of(backend)))

    async def main() -> int:
        return (await probe(app, "/readyz")).status

    assert run_virtual(backend, main) == 200


def test_after_the_runner_has_ended_an_unhealthy_check_becomes_healthy_on_demand() -> None:
    dependency = Dependency()
    health = Health([Check("database", dependency)], clock=clock_of("asyncio"))
    app = HealthMiddleware(plain_app, health)

    async def main() -> list[int]:
        dependency.up = False
        async with lifespan(app):
            await anyio.sleep(1.0)
            seen = [(await probe(app, "/readyz")).status]
            runner_of(engine_of(health)).cancel()
            dependency.up = True
            await anyio.sleep(20.0)
            seen.append((await probe(app, "/readyz")).status)
        return seen

    assert run_virtual("asyncio", main) == [503, 200]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_probe_does_not_wait_for_a_check_that_was_removed_meanwhile(backend: str) -> None:
    async def hang() -> None:
        try:
            await anyio.sleep_forever()
        except BaseException:
            await anyio.sleep(1.0)
            raise

    clock = clock_of(backend)
    health = Health([Check("hangs", hang, timeout=60.0)], clock=clock)
    app = HealthMiddleware(plain_app, health)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(probe, app, "/readyz")
            await anyio.sleep(1.0)
            health.remove("hangs")
            await probe(app, "/readyz")

    run_virtual(backend, main)
    assert clock() < 70.0
