"""The tests' own eyes: what they wait for, and what they do not let pass."""

import sys
import threading
import time
from collections.abc import Callable

import anyio
import pytest

from asgi_health import Result, Status, degraded, unhealthy

from .observe import TIMED_OUT, Naps, expect, observe, recovers, threads_ended

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

    with pytest.raises(AssertionError, match=r"^late"):
        await expect(linger, Status.UNHEALTHY, TIMED_OUT)


@pytest.mark.parametrize("lag", [0.0, 1.0])
async def test_a_failure_that_comes_late_the_first_time_passes_only_where_the_machine_was_late_too(
    monkeypatch: pytest.MonkeyPatch, lag: float
) -> None:
    monkeypatch.setattr("tests.checks.observe.Naps.end", ended(lag))
    monkeypatch.setattr("tests.checks.observe.PROMPT", 0.0)
    monkeypatch.setattr("tests.checks.observe.LATE", 0.3)
    seconds = [0.4]

    async def run() -> Result:
        await anyio.sleep(seconds.pop() if seconds else 0.0)
        return unhealthy("gone")

    if lag:
        await expect(run, Status.UNHEALTHY, "^gone$")
    else:
        with pytest.raises(AssertionError, match=r"^late, and the machine was not: "):
            await expect(run, Status.UNHEALTHY, "^gone$")


async def test_a_failure_that_is_late_each_time_does_not_pass_on_any_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.checks.observe.Naps.end", ended(10.0))
    monkeypatch.setattr("tests.checks.observe.PROMPT", 0.0)
    monkeypatch.setattr("tests.checks.observe.LATE", 0.0)

    async def run() -> Result:
        return unhealthy("gone")

    with pytest.raises(AssertionError, match=r"^late each time"):
        await expect(run, Status.UNHEALTHY, "^gone$")


def test_a_machine_that_lets_nobody_work_is_late() -> None:
    naps = Naps()
    # Holds the lock of the interpreter, as a machine that has no time does the processor.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1.0)
    try:
        busy_for(0.5)
    finally:
        sys.setswitchinterval(interval)
    assert naps.end() > 0.1


async def test_a_pool_that_nobody_occupies_must_not_be_exhausted_on_the_way() -> None:
    results = iter([unhealthy("gone"), degraded("pool exhausted: 2 of 2 in use")])

    async def run() -> Result:
        return next(results)

    with pytest.raises(AssertionError, match=r"^nobody occupies it, and yet: .*pool exhausted"):
        await recovers(run)


def ended(lag: float) -> Callable[[Naps], float]:
    real = Naps.end

    def end(naps: Naps) -> float:
        real(naps)
        return lag

    return end


def busy_for(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
