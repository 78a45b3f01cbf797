"""Without lifespan checks run on demand: once for all probes, within their deadlines, on the loop of the request."""

import asyncio
import logging
from collections.abc import Callable
from contextvars import ContextVar

import anyio
import pytest
import trio

from asgi_health import Check, Health, HealthMiddleware
from asgi_health.core.status import CHECK_PROBES

from ..support.asgi_caller import ask, echo_nothing, get
from ..support.known_state import Clock
from ..support.lifespan_apps import lifespan_app
from ..support.lifespan_driver import LifespanDriver
from ..support.recording_checks import Counted
from ..support.virtual_time import BACKENDS, clock_of, run_virtual, stall

RUNNERS: dict[str, Callable[[HealthMiddleware, str], int]] = {
    "asyncio": lambda app, method: asyncio.run(status(app, method)),
    "trio": lambda app, method: trio.run(status, app, method),
}


async def status(app: HealthMiddleware, method: str = "GET") -> int:
    return (await ask(app, "/readyz", method)).status


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_first_probe_waits_for_the_first_run_and_the_others_do_not(backend: str) -> None:
    checks = [Counted(0.5), Counted(1.5)]
    health = Health([Check(f"check-{n}", check) for n, check in enumerate(checks)], clock=clock_of(backend))
    app = HealthMiddleware(echo_nothing, health)
    answers: list[tuple[int, float]] = []

    async def probe() -> None:
        answers.append((await status(app), anyio.current_time()))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(probe)
        answers.append((await status(app), anyio.current_time()))

    run_virtual(backend, main)
    assert [check.runs for check in checks] == [1, 1]
    assert answers == [(503, 0.0)] * 49 + [(200, pytest.approx(1.5))] * 2


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_result_lasts_for_its_interval_and_then_one_probe_runs_the_check_again(backend: str, method: str) -> None:
    check = Counted(0.5)
    health = Health([Check("database", check)], clock=clock_of(backend), random=lambda: 0.5)
    app = HealthMiddleware(echo_nothing, health)
    runs: list[int] = []

    async def main() -> None:
        for _ in range(4):
            for _ in range(20):
                assert await status(app, method) == 200
            runs.append(check.runs)
            stall(backend, 9.9)
            assert await status(app, method) == 200
            runs.append(check.runs)
            stall(backend, 0.1)

    run_virtual(backend, main)
    assert runs == [1, 1, 2, 2, 3, 3, 4, 4]


@pytest.mark.parametrize("runner", RUNNERS.values(), ids=RUNNERS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_each_request_may_come_on_another_loop(runner: Callable[[HealthMiddleware, str], int], method: str) -> None:
    clock, check = Clock(), Counted()
    app = HealthMiddleware(echo_nothing, Health([Check("database", check)], clock=clock))
    for number in range(1, 6):
        assert [runner(app, method) for _ in range(3)] == [200] * 3
        assert check.runs == number
        clock.now += 12.0


def test_the_loops_may_be_of_asyncio_and_of_trio() -> None:
    clock, check = Clock(), Counted()
    app = HealthMiddleware(echo_nothing, Health([Check("database", check)], clock=clock))
    for number in range(6):
        assert RUNNERS[BACKENDS[number % 2]](app, "GET") == 200
        clock.now += 12.0
    assert check.runs == 6


@pytest.mark.parametrize("runner", RUNNERS.values(), ids=RUNNERS)
def test_a_plain_function_runs_on_demand_too(runner: Callable[[HealthMiddleware, str], int]) -> None:
    clock, runs = Clock(), []
    app = HealthMiddleware(echo_nothing, Health({"disk": lambda: runs.append(1)}, clock=clock))
    assert [runner(app, "GET") for _ in range(3)] == [200] * 3
    clock.now += 12.0
    assert runner(app, "GET") == 200
    assert len(runs) == 2


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_hung_check_delays_only_the_first_probe_until_its_deadline(backend: str) -> None:
    check = Counted(1000.0)
    health = Health([Check("database", check, timeout=2.0)], clock=clock_of(backend))
    app = HealthMiddleware(echo_nothing, health, details=True)
    ends: list[float] = []

    async def probe() -> None:
        assert (await ask(app)).status == 503
        ends.append(anyio.current_time())

    async def main() -> str:
        async with anyio.create_task_group() as group:
            group.start_soon(probe)
            for _ in range(10):
                await anyio.sleep(0.1)
                group.start_soon(probe)
        return (await ask(app, "/readyz", "GET", b"format=text")).text

    text = run_virtual(backend, main)
    assert ends == pytest.approx([number / 10 for number in range(1, 11)] + [2.0])
    assert "timed out after 2.0 s" in text
    assert check.runs == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_client_that_gives_up_does_not_stop_the_run(backend: str) -> None:
    check = Counted(1.0)
    health = Health([Check("database", check)], clock=clock_of(backend))
    app = HealthMiddleware(echo_nothing, health)

    async def main() -> list[int]:
        with anyio.move_on_after(0.5) as scope:
            await status(app)
        assert scope.cancelled_caught
        seen = [await status(app)]
        await anyio.sleep(1.0)
        seen.append(await status(app))
        return seen

    assert run_virtual(backend, main) == [503, 200]
    assert check.runs == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_after_a_client_that_gave_up_the_next_probe_runs_what_is_due(backend: str) -> None:
    check = Counted(1.0)
    health = Health([Check("database", check)], clock=clock_of(backend))
    app = HealthMiddleware(echo_nothing, health)

    async def main() -> list[int]:
        seen = []
        for _ in range(3):
            with anyio.move_on_after(0.5):
                await status(app)
            await anyio.sleep(1.0)
            seen.append(await status(app))
            stall(backend, 12.0)
        return seen

    assert run_virtual(backend, main) == [200] * 3
    assert check.runs == 3


@pytest.mark.parametrize("backend", BACKENDS)
def test_only_a_permitted_request_for_a_probe_with_checks_runs_them(backend: str) -> None:
    check = Counted(0.5)
    health = Health([Check("database", check)], clock=clock_of(backend))
    app = HealthMiddleware(echo_nothing, health, details=lambda scope: False)

    async def main() -> None:
        for path in ("/livez", "/startupz", "/", "/users", "/readyz/database"):
            await ask(app, path)
        for path in ("/readyz", "/health"):
            await ask(app, path, "POST")
        assert check.runs == 0
        await ask(app, "/health")
        assert check.runs == 1

    run_virtual(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("path", ["/livez", "/readyz", "/startupz", "/health", "/readyz/a", "/livez/a", "/startupz/a"])
def test_the_first_answer_of_each_probe_shows_the_result_of_its_check(backend: str, path: str) -> None:
    check = Counted(0.5)
    health = Health([Check("a", check, probes=CHECK_PROBES)], clock=clock_of(backend))
    app = HealthMiddleware(echo_nothing, health, details=True)

    async def main() -> str:
        word: str = (await ask(app, path)).json["status"]
        return word

    assert run_virtual(backend, main) == "pass"
    assert check.runs == 1


def test_without_checks_the_first_answer_comes_at_once() -> None:
    app = HealthMiddleware(echo_nothing)
    assert [get(app, path).status for path in ("/startupz", "/readyz", "/livez", "/health")] == [200] * 4


def test_the_mode_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    app = HealthMiddleware(echo_nothing, Health({"database": Counted()}, clock=clock))
    with caplog.at_level(logging.INFO, "asgi_health"):
        for number in range(6):
            RUNNERS[BACKENDS[number % 2]](app, "GET")
            clock.now += 12.0
    assert [record.getMessage() for record in caplog.records] == [
        "checks run on demand, when a probe asks: database; answered: "
        "/health/live /livez /health/ready /readyz /health/startup /startupz /health /healthz"
    ]


VALUE = ContextVar("VALUE", default="default")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_check_inherits_nothing_from_the_request_that_caused_it(backend: str) -> None:
    seen: list[str] = []

    async def read() -> None:
        seen.append(VALUE.get())

    app = HealthMiddleware(echo_nothing, Health({"database": read}, clock=clock_of(backend)))

    async def main() -> None:
        VALUE.set("of the request")
        await status(app)

    run_virtual(backend, main)
    assert seen == ["default"]


def test_checks_run_on_demand_after_the_task_of_the_runner_was_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    check = Counted()
    health = Health([Check("database", check)], clock=clock_of("asyncio"))
    app = HealthMiddleware(lifespan_app, health, slow_loop=0)  # 0: no heartbeat would start it again

    async def main() -> list[int]:
        server = LifespanDriver(app)
        seen: list[int] = []
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            await anyio.sleep(1.0)
            before = asyncio.all_tasks()
            await server.startup()
            await anyio.sleep(1.0)
            seen.append(await status(app))
            (runner,) = asyncio.all_tasks() - before
            runner.cancel("from outside")
            await anyio.sleep(100.0)
            assert check.runs == 1
            seen += [await status(app), await status(app)]
            await server.shutdown()
            seen.append(await status(app))
        return seen

    with caplog.at_level(logging.INFO, "asgi_health"):
        assert run_virtual("asyncio", main) == [200, 200, 200, 503]
    assert check.runs == 2
    modes = [record.getMessage().split(":")[0] for record in caplog.records if "checks run" in record.getMessage()]
    assert modes == ["checks run in the background", "checks run on demand, when a probe asks"]
