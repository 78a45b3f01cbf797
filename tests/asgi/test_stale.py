"""Old evidence is never green, whatever held up whoever should have renewed it."""

import time

import anyio
import pytest

from asgi_health import Check, Health, HealthMiddleware, Probe, healthy

from ..support.asgi_caller import ask, at_once, echo_nothing, get
from ..support.known_state import Clock, a_check, known
from ..support.lifespan_apps import speaks
from ..support.lifespan_driver import serving
from ..support.virtual_time import BACKENDS, clock_of, run_virtual, stall


async def well() -> None:
    return None


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_first_probe_after_a_stall_of_the_loop_is_not_green(backend: str, method: str) -> None:
    app = HealthMiddleware(speaks, Health([Check("a", well)], clock=clock_of(backend)))

    async def main() -> list[int]:
        async with serving(app):
            await anyio.sleep(1.0)
            seen = [(await ask(app, "/readyz", method)).status]
            stall(backend, 40.0)  # a timer of the runner has long been due, but the request is read before
            seen.append(at_once(ask(app, "/readyz", method)).status)
            seen.append(at_once(ask(app, "/livez", method)).status)
            await anyio.sleep(0.1)
            seen.append((await ask(app, "/readyz", method)).status)
        return seen

    assert run_virtual(backend, main) == [200, 503, 200, 200]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_stall_shorter_than_max_age_changes_nothing(backend: str) -> None:
    app = HealthMiddleware(speaks, Health([Check("a", well, max_age=60.0)], clock=clock_of(backend)))

    async def main() -> list[int]:
        async with serving(app):
            await anyio.sleep(1.0)
            stall(backend, 58.0)
            return [at_once(ask(app)).status]

    assert run_virtual(backend, main) == [200]


def test_a_result_is_stale_at_max_age_and_not_a_moment_before() -> None:
    clock = Clock()
    check = Check("a", well, interval=10.0, max_age=30.0)
    app = HealthMiddleware(echo_nothing, known(clock, (check, healthy())))
    app.health.due(clock.now + 12.0)  # taken up, never to return; the deadline is beyond the staleness of this test
    seen = []
    for age in (0.0, 29.999, 30.0, 1e9):
        clock.now = 1000.0 + age
        seen.append(app.health.outlook(Probe.READINESS).at(clock.now).name)
    assert seen == ["HEALTHY", "HEALTHY", "UNHEALTHY", "UNHEALTHY"]


def test_the_prepared_answer_ends_with_the_evidence() -> None:
    clock = Clock()
    app = HealthMiddleware(echo_nothing, known(clock, (a_check("a"), healthy())))
    clock.now += 31.0
    app.health.due(clock.now)
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

    app = HealthMiddleware(speaks, Health([Check("a", counted)], clock=clock), details=True)
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
    assert len(runs) == 2  # at 0 and about 10 seconds, in a life of 16


ASKED = [("/readyz", b""), ("/readyz", b"verbose"), ("/readyz", b"format=text"), ("/health", b""), ("/readyz/a", b"")]
