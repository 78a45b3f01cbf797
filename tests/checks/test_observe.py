"""What the tests' own `expect` does not let pass: a late run, except on a machine that is late itself.

The bounds are replaced by shorter ones, so that these tests need not wait for the real ones.
"""

import sys
import time
from collections.abc import Callable

import anyio
import pytest

from asgi_health import Result, Status, unhealthy

from . import observe
from .observe import TIMED_OUT, LagMeter, expect

pytestmark = pytest.mark.anyio


async def test_a_run_that_continues_after_its_deadline_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "ENDS", 0.1)

    async def linger() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            await anyio.sleep(0.3)

    with pytest.raises(AssertionError, match=r"^late"):
        await expect(linger, Status.UNHEALTHY, TIMED_OUT)


@pytest.mark.parametrize("lag", [0.0, 1.0])
async def test_a_late_failure_passes_once_only_where_the_machine_was_late_too(
    monkeypatch: pytest.MonkeyPatch, lag: float
) -> None:
    monkeypatch.setattr(LagMeter, "stop", stop_with(lag))
    monkeypatch.setattr(observe, "PROMPT", 0.0)
    monkeypatch.setattr(observe, "LATE", 0.3)
    seconds = [0.4]

    async def run() -> Result:
        await anyio.sleep(seconds.pop() if seconds else 0.0)
        return unhealthy("gone")

    if lag:
        await expect(run, Status.UNHEALTHY, "^gone$")
    else:
        with pytest.raises(AssertionError, match=r"^late, and the machine was not: "):
            await expect(run, Status.UNHEALTHY, "^gone$")


async def test_a_failure_that_is_late_each_time_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LagMeter, "stop", stop_with(10.0))
    monkeypatch.setattr(observe, "PROMPT", 0.0)
    monkeypatch.setattr(observe, "LATE", 0.0)

    async def run() -> Result:
        return unhealthy("gone")

    with pytest.raises(AssertionError, match=r"^late each time"):
        await expect(run, Status.UNHEALTHY, "^gone$")


def test_a_machine_that_runs_no_thread_is_late() -> None:
    lag_meter = LagMeter()
    # With a long interval, this thread keeps the interpreter's lock as long as a busy machine keeps the processor.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1.0)
    try:
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            pass
    finally:
        sys.setswitchinterval(interval)
    assert lag_meter.stop() > 0.1


def stop_with(lag: float) -> Callable[[LagMeter], float]:
    stop = LagMeter.stop

    def stop_and_return(lag_meter: LagMeter) -> float:
        stop(lag_meter)
        return lag

    return stop_and_return
