"""The tests' own eyes: what they wait for, and what they do not let pass."""

import threading

import anyio
import pytest

from asgi_health import Result, Status, degraded, unhealthy

from .observe import TIMED_OUT, expect, observe, recovers, threads_ended

pytestmark = pytest.mark.anyio


async def test_a_plain_function_that_the_deadline_left_behind_is_waited_for() -> None:
    release, ended = threading.Event(), threading.Event()

    def run() -> None:
        release.wait()
        ended.set()

    assert (await observe(run, 0.02)).result.status is Status.UNHEALTHY
    threading.Timer(0.1, release.set).start()
    await threads_ended()
    assert ended.is_set()


async def test_a_run_that_lingers_after_its_deadline_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.checks.observe.ENDS", 0.1)

    async def linger() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            await anyio.sleep(0.3)

    with pytest.raises(AssertionError, match=r"^late each time"):
        await expect(linger, Status.UNHEALTHY, TIMED_OUT)


async def test_a_pool_that_nobody_occupies_must_not_be_exhausted_on_the_way() -> None:
    results = iter([unhealthy("gone"), degraded("pool exhausted: 2 of 2 in use")])

    async def run() -> Result:
        return next(results)

    with pytest.raises(AssertionError, match=r"^nobody occupies it, and yet: .*pool exhausted"):
        await recovers(run)
