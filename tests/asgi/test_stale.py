"""A stale result is never green, for whatever reason no newer one came."""

import time

import anyio
import pytest

from asgi_health import Check, Health, HealthMiddleware, Probe, healthy

from ..support.asgi_caller import ask, at_once, echo_nothing, get
from ..support.known_state import Clock, health_with, make_check, start_due
from ..support.lifespan_apps import lifespan_app
from ..support.lifespan_driver import serving
from ..support.virtual_time import BACKENDS, clock_of, run_virtual, stall


async def well() -> None:
    return None


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_first_probe_after_a_stall_of_the_loop_is_not_green(backend: str, method: str) -> None:
    app = HealthMiddleware(lifespan_app, Health([Check("a", well)], clock=clock_of(backend)))

    async def main() -> list[int]:
        async with serving(app):
            await anyio.sleep(1.0)
            seen = [(await ask(app, "/readyz", method)).status]
            stall(backend, 40.0)  # the timer of the runner is due, but the request is read before it
            seen.append(at_once(ask(app, "/readyz", method)).status)
            seen.append(at_once(ask(app, "/livez", method)).status)
            await anyio.sleep(0.1)
            seen.append((await ask(app, "/readyz", method)).status)
        return seen

    assert run_virtual(backend, main) == [200, 503, 200, 200]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_stall_shorter_than_max_age_changes_nothing(backend: str) -> None:
    app = HealthMiddleware(lifespan_app, Health([Check("a", well, max_age=60.0)], clock=clock_of(backend)))

    async def main() -> list[int]:
        async with serving(app):
            await anyio.sleep(1.0)
            stall(backend, 58.0)
            return [at_once(ask(app)).status]

    assert run_virtual(backend, main) == [200]


def test_a_result_is_stale_at_max_age_and_not_a_moment_before() -> None:
    clock = Clock()
    check = Check("a", well, interval=10.0, max_age=30.0)
    app = HealthMiddleware(echo_nothing, health_with(clock, (check, healthy())))
    clock.now += 12.0
    start_due(app.health, clock)  # they hang
    seen = []
    for age in (0.0, 29.999, 30.0, 1e9):
        clock.now = 1000.0 + age
        seen.append(app.health.report(Probe.READINESS).status.name)
    assert seen == ["HEALTHY", "HEALTHY", "UNHEALTHY", "UNHEALTHY"]


def test_a_prepared_answer_is_valid_until_its_results_are_stale() -> None:
    clock = Clock()
    app = HealthMiddleware(echo_nothing, health_with(clock, (make_check("a"), healthy())))
    clock.now += 31.0
    start_due(app.health, clock)
    assert [get(app).status for _ in range(3)] == [200] * 3
    clock.now += 1.0
    assert [get(app).status for _ in range(3)] == [503] * 3


@pytest.mark.parametrize("jump", [-1e9, -3600.0, 3600.0, 1e9])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_jump_of_the_wall_clock_changes_no_status(backend: str, jump: float, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[float] = []
    clock = clock_of(backend)

    async def counted() -> None:
        runs.append(clock())

    app = HealthMiddleware(lifespan_app, Health([Check("a", counted)], clock=clock), details=True)
    real = time.time

    async def main() -> list[int]:
        seen: list[int] = []
        async with serving(app):
            await anyio.sleep(1.0)
            for shift in (0.0, jump, 0.0):
                monkeypatch.setattr("time.time", lambda: real() + shift)  # noqa: B023
                seen += [(await ask(app, path, "GET", query)).status for path, query in ASKED]
                await anyio.sleep(5.0)
                seen += [(await ask(app, path, "GET", query)).status for path, query in ASKED]
        return seen

    assert set(run_virtual(backend, main)) == {200}
    assert len(runs) == 2  # at 0 and about 10 seconds, in a lifespan of 16


ASKED = [("/readyz", b""), ("/readyz", b"verbose"), ("/readyz", b"format=text"), ("/health", b""), ("/readyz/a", b"")]
