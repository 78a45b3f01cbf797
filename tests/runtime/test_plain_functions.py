"""Checks that are plain functions: real threads and real loops."""

import inspect
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from typing import Any, NoReturn

import anyio
import pytest

from asgi_health import Check, Health, HealthMiddleware, Result, Status
from asgi_health.core.report import CheckReport
from asgi_health.testing import check_once, lifespan, probe, settled
from tests.apps import plain_app
from tests.support.waiting import wait_until_async

pytestmark = pytest.mark.anyio

BRISK = {"interval": 0.05, "retry_interval": 0.02, "timeout": 0.1, "failure_threshold": 2}


@pytest.fixture(params=["asyncio", "asyncio+uvloop", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    name, _, loop = request.param.partition("+")
    return name, ({"use_uvloop": bool(loop)} if name == "asyncio" else {})


@pytest.fixture(autouse=True)
def gate() -> Generator[threading.Event]:
    """What hung threads wait for. Set at the end, so that none of them outlives its test."""
    event = threading.Event()
    others = set(threading.enumerate())
    yield event
    event.set()
    for thread in check_threads() - others:
        thread.join(10.0)


def check_threads(name: str = "") -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith(f"asgi-health check {name}")}


def only(health: Health) -> CheckReport:
    return health.report().checks[0]


async def test_a_thread_that_never_returns_fails_at_the_deadline_and_gets_no_second_thread(
    gate: threading.Event,
) -> None:
    health = Health([Check("stuck", gate.wait, **BRISK)])  # type: ignore[arg-type]
    app = HealthMiddleware(plain_app, health)
    async with lifespan(app):
        await wait_until_async(lambda: "still running after" in only(health).output, "the run is late")
        assert (await probe(app, "/readyz")).status == 503
        assert (await probe(app, "/livez")).status == 200
        assert len(check_threads("stuck")) == 1
        gate.set()
        await wait_until_async(lambda: only(health).status is Status.HEALTHY, "the check passes")
        assert (await probe(app, "/readyz")).status == 200


async def test_sixty_hung_threads_delay_neither_the_threads_of_the_app_nor_other_checks(
    gate: threading.Event,
) -> None:
    runs = 0

    def steady() -> None:
        nonlocal runs
        runs += 1

    stuck = [Check(f"stuck-{number}", gate.wait, critical=False, timeout=0.1) for number in range(60)]
    health = Health([*stuck, Check("steady", steady, interval=0.02, timeout=5.0)])
    async with lifespan(HealthMiddleware(plain_app, health)):
        await settled(health)
        before = runs
        with anyio.fail_after(10):
            assert await anyio.to_thread.run_sync(lambda: "the app's own thread") == "the app's own thread"
        await wait_until_async(lambda: runs >= before + 5, "the check runs")


async def test_checks_leave_no_thread_behind() -> None:
    runs = 0

    def count() -> None:
        nonlocal runs
        runs += 1

    health = Health([Check("count", count, interval=0.001, timeout=5.0)])
    async with lifespan(HealthMiddleware(plain_app, health)):
        await wait_until_async(lambda: runs >= 200, "the check runs")
        await wait_until_async(lambda: len(check_threads("count")) <= 1, "the threads end")
    await wait_until_async(lambda: not check_threads("count"), "the last thread has ended")


async def test_a_plain_function_that_returns_an_awaitable_has_it_awaited_on_the_loop() -> None:
    threads: list[threading.Thread] = []

    async def second() -> bool:
        threads.append(threading.current_thread())
        return True

    def first() -> Coroutine[Any, Any, bool]:
        threads.append(threading.current_thread())
        return second()

    assert (await check_once(Check("two", first))).status is Status.HEALTHY
    assert threads[0] is not threading.main_thread()
    assert threads[1] is threading.main_thread()


async def test_a_lambda_that_returns_a_failing_coroutine_fails() -> None:
    async def ping() -> None:
        raise ConnectionError("refused")

    result = await check_once(Check("ping", lambda: ping()))  # noqa: PLW0108  the subject of this test
    assert result.status is Status.UNHEALTHY
    assert result.message == "ConnectionError: refused"


async def test_an_awaitable_that_comes_too_late_is_closed_and_not_awaited() -> None:
    made: list[Coroutine[Any, Any, None]] = []

    async def never() -> None:
        raise AssertionError("awaited")

    def late() -> Awaitable[None]:
        time.sleep(0.2)
        made.append(never())
        return made[-1]

    health = Health([Check("late", late, timeout=0.05, interval=60.0, retry_interval=60.0)])
    async with lifespan(HealthMiddleware(plain_app, health)):
        await wait_until_async(
            lambda: bool(made) and inspect.getcoroutinestate(made[0]) == inspect.CORO_CLOSED, "the coroutine is closed"
        )
        assert only(health).output == "timed out after 0.1 s" or "still running" in only(health).output


def raise_connection_error() -> NoReturn:
    raise ConnectionError("refused")


def raise_system_exit() -> NoReturn:
    raise SystemExit(2)


def raise_base_group() -> NoReturn:
    raise BaseExceptionGroup("both", [SystemExit(1), OSError("disk")])


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (raise_connection_error, "ConnectionError: refused"),
        (raise_system_exit, "SystemExit: 2"),
        (raise_base_group, "BaseExceptionGroup: SystemExit: 1; OSError: disk"),
        (lambda: 0, "returned int 0, expected"),
        (lambda: "", "returned str '', expected"),
        (list, "returned list [], expected"),
        (lambda: False, "returned False"),
    ],
)
async def test_an_exception_or_a_wrong_return_value_of_a_plain_function_is_a_failure(
    function: Callable[[], object], message: str
) -> None:
    result: Result = await check_once(Check("plain", function))
    assert result.status is Status.UNHEALTHY
    assert message in result.message


async def test_when_no_thread_can_be_started_the_check_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("asgi_health.runtime.scheduler.executor.Thread.start", refuse)
    result = await check_once(Check("plain", lambda: True))
    assert result.message == "RuntimeError: can't start new thread"


async def agen() -> AsyncGenerator[None]:
    yield


async def test_a_function_that_returns_an_async_generator_fails() -> None:
    result = await check_once(Check("generator", agen))
    assert result.status is Status.UNHEALTHY
    assert "returned async_generator" in result.message


async def test_a_check_that_is_removed_and_added_again_while_it_hangs_does_not_collect_threads(
    gate: threading.Event,
) -> None:
    health = Health()
    async with lifespan(HealthMiddleware(plain_app, health)):
        for _ in range(20):
            health.add(Check("stuck", lambda: gate.wait() and None, **BRISK))  # type: ignore[arg-type]
            await anyio.sleep(0.03)
            health.remove("stuck")
        assert 1 <= len(check_threads("stuck")) <= 2
        health.add(Check("stuck", lambda: None, **BRISK))  # type: ignore[arg-type]
        gate.set()
        await wait_until_async(lambda: only(health).status is Status.HEALTHY, "the check passes")
