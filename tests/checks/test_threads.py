"""How many threads are free for blocking functions."""

import threading
from typing import Any

import anyio
import anyio.to_thread
import pytest

from asgi_health import Result, Status
from asgi_health.checks.threads import thread_limiter
from tests.support.waiting import wait_until_async

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


class Busy:
    """Blocking functions in the threads of a limiter, and others that wait for a thread."""

    def __init__(self, limiter: anyio.CapacityLimiter | None, count: int) -> None:
        self._limiter = limiter
        self._count = count
        self._release = threading.Event()
        self._group = anyio.create_task_group()

    async def __aenter__(self) -> None:
        await self._group.__aenter__()
        for _ in range(self._count):
            self._group.start_soon(self._run)
        state = (self._limiter or anyio.to_thread.current_default_thread_limiter()).statistics
        await wait_until_async(
            lambda: state().borrowed_tokens + state().tasks_waiting == self._count, "all have come", 30.0
        )

    async def __aexit__(self, *error: Any) -> None:
        self._release.set()
        await self._group.__aexit__(*error)

    async def _run(self) -> None:
        await anyio.to_thread.run_sync(self._release.wait, limiter=self._limiter)


def outcome(result: Result) -> tuple[Status, str]:
    return result.status, result.message


async def test_a_limiter_with_free_tokens_is_healthy_and_has_the_numbers() -> None:
    limiter = anyio.CapacityLimiter(3)
    async with Busy(limiter, 2):
        result = await thread_limiter(limiter)()
    assert result.status is Status.HEALTHY
    assert result.data == {"threads_in_use": (2, ""), "threads": (3, ""), "tasks_waiting": (0, "")}


async def test_a_limiter_with_all_tokens_in_use_is_degraded_until_one_is_free() -> None:
    limiter = anyio.CapacityLimiter(2)
    check = thread_limiter(lambda: limiter)
    async with Busy(limiter, 5):
        assert outcome(await check()) == (Status.DEGRADED, "threads exhausted: 2 of 2 in use, 3 tasks wait for one")
    assert (await check()).status is Status.HEALTHY


async def test_without_a_limiter_it_is_anyio_s_default_limiter() -> None:
    check = thread_limiter()
    total = int(anyio.to_thread.current_default_thread_limiter().total_tokens)
    assert (await check()).data["threads"] == (total, "")
    async with Busy(None, total + 1):
        message = f"threads exhausted: {total} of {total} in use, 1 tasks wait for one"
        assert outcome(await check()) == (Status.DEGRADED, message)


async def test_a_limiter_without_a_limit_is_never_exhausted() -> None:
    limiter = anyio.CapacityLimiter(float("inf"))
    async with Busy(limiter, 2):
        assert (await thread_limiter(limiter)()).status is Status.HEALTHY


@pytest.mark.parametrize("wrong", [0, 40, "40", object(), anyio.Semaphore(1), anyio.CapacityLimiter])
async def test_another_kind_of_limiter_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"^thread_limiter: expected anyio\.CapacityLimiter"):
        thread_limiter(wrong)


def test_it_can_be_made_before_there_is_a_loop() -> None:
    limiter = anyio.CapacityLimiter(1)

    async def main() -> Result:
        return await check()

    check = thread_limiter(limiter)
    assert anyio.run(main).status is Status.HEALTHY
