"""What a check function may do, on virtual time, behind a real middleware."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import NoReturn

import anyio
import anyio.lowlevel
import pytest

from asgi_health import Check, Health, HealthMiddleware, Status
from asgi_health.asgi.types import Message
from asgi_health.core.lifecycle import Phase
from asgi_health.health import engine_of
from asgi_health.testing import lifespan, probe, settled
from tests.apps import plain_app
from tests.support.virtual_time import clock_of, run_virtual

CheckFunction = Callable[[], object]


class Unreadable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


async def hang() -> None:
    await anyio.sleep_forever()


async def hang_and_swallow_cancellation() -> None:
    while True:
        try:
            await anyio.sleep_forever()
        except BaseException:
            pass


async def raise_cancelled() -> NoReturn:
    raise asyncio.CancelledError("from a library")


async def cancel_itself() -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await anyio.lowlevel.checkpoint()
    raise ConnectionError("after a cancellation of its own")


async def raise_system_exit() -> NoReturn:
    raise SystemExit(3)


async def raise_generator_exit() -> NoReturn:
    raise GeneratorExit


async def raise_group() -> NoReturn:
    raise ExceptionGroup("several", [ConnectionError("first"), OSError("second")])


async def raise_base_group() -> NoReturn:
    raise BaseExceptionGroup("several", [SystemExit(1), asyncio.CancelledError()])


async def raise_unreadable() -> NoReturn:
    raise Unreadable


async def return_zero() -> int:
    return 0


async def return_forgotten_coroutine() -> object:
    return hang_never_awaited()


async def hang_never_awaited() -> None:
    raise AssertionError("it is never awaited")


async def await_object_of_another_library() -> None:
    await _Foreign()


class _Foreign:
    def __await__(self):  # type: ignore[no-untyped-def]
        yield "not a future of any loop"


HOSTILE: dict[str, tuple[CheckFunction, str]] = {
    "hangs": (hang, "timed out after 2.0 s"),
    "ignores its cancellation": (hang_and_swallow_cancellation, "timed out after 2.0 s"),
    "raises CancelledError": (raise_cancelled, "CancelledError: from a library"),
    "uses a scope of its own": (cancel_itself, "ConnectionError: after a cancellation of its own"),
    "raises SystemExit": (raise_system_exit, "SystemExit: 3"),
    "raises GeneratorExit": (raise_generator_exit, "GeneratorExit"),
    "raises an ExceptionGroup": (raise_group, "ExceptionGroup: ConnectionError: first; OSError: second"),
    "raises a BaseExceptionGroup": (raise_base_group, "BaseExceptionGroup: SystemExit: 1; CancelledError"),
    "raises an exception without text": (raise_unreadable, "Unreadable (its text cannot be read: __str__ raised)"),
    "returns 0": (return_zero, "returned int 0, expected None"),
    "returns a forgotten coroutine": (return_forgotten_coroutine, "returned coroutine"),
    "awaits an object of another library": (await_object_of_another_library, ""),
}


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(("function", "message"), HOSTILE.values(), ids=HOSTILE.keys())
def test_readiness_says_503_by_the_deadline_and_everything_else_goes_on(
    backend: str, function: CheckFunction, message: str
) -> None:
    steady_runs: list[float] = []
    clock = clock_of(backend)

    async def steady() -> None:
        steady_runs.append(clock())

    async def main() -> None:
        checks = [Check("hostile", function), Check("steady", steady, interval=1.0)]
        health = Health(checks, clock=clock, random=lambda: 0.5)
        app = HealthMiddleware(plain_app, health)
        async with lifespan(app):
            await anyio.sleep(2.05)
            assert (await probe(app, "/readyz")).status == 503
            assert (await probe(app, "/livez")).status == 200
            assert (await probe(app, "/anything")).body == b"the app"
            (hostile, steady_report) = health.report().checks
            assert hostile.status is Status.UNHEALTHY
            assert message in hostile.output
            assert steady_report.status is Status.HEALTHY
            await anyio.sleep(58.0)
            assert (await probe(app, "/readyz")).status == 503
        assert health.report().phase is Phase.STOPPED

    run_virtual(backend, main)
    pauses = [later - earlier for earlier, later in pairwise(steady_runs)]
    assert len(steady_runs) >= 59
    assert max(pauses) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(("function", "message"), HOSTILE.values(), ids=HOSTILE.keys())
def test_no_hostile_check_runs_twice_at_a_time_or_delays_the_shutdown(
    backend: str, function: CheckFunction, message: str
) -> None:
    clock = clock_of(backend)
    running = 0
    most = 0

    async def counted() -> object:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            result = function()
            return await result if isinstance(result, Awaitable) else result
        finally:
            running -= 1

    async def main() -> None:
        app = HealthMiddleware(plain_app, Health([Check("hostile", counted, interval=1.0)], clock=clock))
        async with lifespan(app):
            await anyio.sleep(100.0)
            before = clock()
        assert clock() - before <= 0.6

    run_virtual(backend, main)
    assert most == 1


def test_a_check_that_takes_ten_times_its_interval_runs_one_after_the_other(backend: str) -> None:
    clock = clock_of(backend)
    starts: list[float] = []

    async def slow() -> None:
        starts.append(clock())
        await anyio.sleep(1.0)

    async def main() -> None:
        health = Health([Check("slow", slow, interval=0.1)], clock=clock, random=lambda: 0.5)
        app = HealthMiddleware(plain_app, health)
        async with lifespan(app):
            await anyio.sleep(11.5)
            assert (await probe(app, "/readyz")).status == 200

    run_virtual(backend, main)
    assert starts == pytest.approx([1.1 * run for run in range(11)], abs=0.05)


def test_a_check_that_swallowed_its_cancellation_is_healthy_again_when_it_ends_and_the_next_run_passes(
    backend: str,
) -> None:
    clock = clock_of(backend)
    runs = 0

    async def stubborn_once() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            until = clock() + 30.0
            while clock() < until:
                try:
                    await anyio.sleep(until - clock())
                except BaseException:
                    pass

    async def main() -> None:
        health = Health([Check("stubborn", stubborn_once)], clock=clock)
        app = HealthMiddleware(plain_app, health)
        async with lifespan(app):
            await anyio.sleep(20.0)
            assert runs == 1
            assert "still running after" in health.report().checks[0].output
            await anyio.sleep(25.0)
            assert runs >= 2
            assert (await probe(app, "/readyz")).status == 200

    run_virtual(backend, main)


def test_a_hundred_thousand_probes_cause_no_run(backend: str) -> None:
    clock = clock_of(backend)
    runs = 0

    async def count() -> None:
        nonlocal runs
        runs += 1

    async def drop(message: Message) -> None:
        pass

    async def many(app: HealthMiddleware, path: str, probes: int) -> None:
        scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "root_path": "", "headers": []}
        for number in range(probes):
            if number % 100 == 0:
                await anyio.lowlevel.checkpoint()
            await app(dict(scope), never, drop)

    async def main() -> None:
        health = Health([Check("count", count, interval=3600.0)], clock=clock)
        app = HealthMiddleware(plain_app, health, details=True)
        async with lifespan(app):
            await settled(health)
            for path in ("/livez", "/readyz", "/startupz", "/health"):
                await many(app, path, 12_500)
            async with anyio.create_task_group() as tasks:
                for path in ("/livez", "/readyz", "/startupz", "/health"):
                    for _ in range(125):
                        tasks.start_soon(many, app, path, 100)
            assert runs == 1

    run_virtual(backend, main)


async def never() -> Message:
    raise AssertionError("a probe has no body to wait for")


def test_with_a_thousand_checks_a_probe_does_not_call_the_engine(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def passes() -> None:
        pass

    def refuse(*args: object, **options: object) -> NoReturn:
        raise AssertionError("a probe calls the engine")

    async def main() -> None:
        health = Health([Check(f"check-{number}", passes) for number in range(1000)], clock=clock_of(backend))
        app = HealthMiddleware(plain_app, health)
        async with lifespan(app):
            await settled(health)
            with monkeypatch.context() as patch:
                for name in ("report", "probe_status", "due", "record", "next_wake", "next_start"):
                    patch.setattr(engine_of(health), name, refuse)
                for path in ("/livez", "/readyz", "/startupz", "/health"):
                    assert (await probe(app, path)).status == 200

    run_virtual(backend, main)
