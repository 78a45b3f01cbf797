"""How late the event loop is."""

import time
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from asgi_health import Result, Status
from asgi_health.checks.loop import loop_lag
from tests.support.virtual_time import BACKENDS, run_virtual, stall

from .observe import expect

each_backend = pytest.mark.parametrize("backend", BACKENDS)


def run_while_blocked(backend: str, blocked: float, **options: Any) -> Result:
    """Return the result of one run, in virtual time, on a loop that is blocked for `blocked` seconds every 0.1 s."""

    async def block() -> None:
        while True:
            await anyio.sleep(0.1)
            stall(backend, blocked)

    results: list[Result] = []

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(block)
            results.append(await loop_lag(**options)())
            group.cancel_scope.cancel()

    run_virtual(backend, main)
    return results[0]


def lag(result: Result) -> float:
    value, unit = result.data["lag"]
    assert unit == "s"
    assert isinstance(value, float)
    return value


@each_backend
def test_an_idle_loop_is_not_late(backend: str) -> None:
    begin, end = 0.0, 0.0

    async def main() -> Result:
        nonlocal begin, end
        begin = anyio.current_time()
        result = await loop_lag()()
        end = anyio.current_time()
        return result

    result = run_virtual(backend, main)
    assert result.status is Status.HEALTHY
    assert lag(result) == pytest.approx(0.0, abs=1e-3)
    assert 0.2 <= end - begin < 0.25


@each_backend
def test_a_loop_blocked_for_less_than_the_limit_is_healthy_and_has_its_lag(backend: str) -> None:
    result = run_while_blocked(backend, 0.09)
    assert result.status is Status.HEALTHY
    assert lag(result) == pytest.approx(0.09, abs=0.011)


@each_backend
def test_a_loop_blocked_for_more_than_the_limit_fails(backend: str) -> None:
    result = run_while_blocked(backend, 0.5)
    assert result.status is Status.UNHEALTHY
    assert result.message.endswith(" s late, expected at most 0.1 s")
    assert lag(result) == pytest.approx(0.5, abs=0.011)


@each_backend
def test_max_lag_sets_the_limit(backend: str) -> None:
    assert run_while_blocked(backend, 0.5, max_lag=1.0).status is Status.HEALTHY
    assert run_while_blocked(backend, 0.05, max_lag=0.02).status is Status.UNHEALTHY


@pytest.mark.anyio
async def test_a_blocked_real_loop_fails() -> None:
    async def block() -> None:
        while True:
            await anyio.lowlevel.checkpoint()
            time.sleep(0.15)  # noqa: ASYNC251

    async with anyio.create_task_group() as group:
        group.start_soon(block)
        await expect(loop_lag(), Status.UNHEALTHY, r"^the event loop is \d+\.\d+ s late", timeout=30.0)
        group.cancel_scope.cancel()
    await expect(loop_lag(max_lag=20.0), Status.HEALTHY, "^$", timeout=30.0)


@pytest.mark.parametrize(("wrong", "error"), [(0, ValueError), (-1, ValueError), ("0.1", TypeError), (None, TypeError)])
def test_a_limit_that_is_no_positive_number_is_refused(wrong: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^loop_lag: max_lag must be"):
        loop_lag(max_lag=wrong)
