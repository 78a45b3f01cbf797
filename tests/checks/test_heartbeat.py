"""The heartbeat of a background task."""

import asyncio
import inspect
import textwrap
import threading
from functools import partial
from typing import Any

import pytest

from asgi_health import Check, Result, Status
from asgi_health.checks.heartbeat import Heartbeat

from ..support.virtual_time import clock_of, run_virtual
from .observe import expect

pytestmark = pytest.mark.anyio


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_a_task_that_has_never_beaten_fails(clock: Clock) -> None:
    assert await Heartbeat(30, clock=clock).check() == Result(Status.UNHEALTHY, "it has not beaten yet")


async def test_a_beat_is_healthy_for_max_age_and_the_next_beat_recovers(clock: Clock) -> None:
    beat = Heartbeat(max_age=30, clock=clock)
    beat()
    clock.now += 30.0
    result = await beat.check()
    assert result.status is Status.HEALTHY
    assert result.data == {"age": (30.0, "s")}
    clock.now += 0.1
    result = await beat.check()
    assert result.status is Status.UNHEALTHY
    assert result.message == "the last beat was 30.1 s ago, expected at most 30 s"
    beat()
    assert (await beat.check()).data == {"age": (0.0, "s")}


def test_the_example_of_the_docs_is_healthy_while_its_queue_is_empty_and_handles_items() -> None:
    doc = inspect.getdoc(Heartbeat)
    assert doc is not None
    text = doc.partition("\nArgs:")[0]
    example = textwrap.dedent("".join(line for line in text.splitlines(keepends=True) if line[:4] in ("    ", "\n")))
    handled = list[str]()

    async def handle(item: str) -> None:
        handled.append(item)

    async def main() -> set[Status]:
        queue = asyncio.Queue[str]()
        names: dict[str, Any] = {"asyncio": asyncio, "Check": Check, "queue": queue, "handle": handle}
        names["Heartbeat"] = partial(Heartbeat, clock=clock_of("asyncio"))
        exec(example, names)
        task = asyncio.ensure_future(names["consume"]())
        seen = set[Status]()
        for _ in range(1000):
            await asyncio.sleep(1.0)
            seen.add((await names["beat"].check()).status)
        await queue.put("work")
        await asyncio.sleep(1.0)
        task.cancel()
        await asyncio.wait([task])
        return seen

    assert run_virtual("asyncio", main) == {Status.HEALTHY}
    assert handled == ["work"]


async def test_a_thread_may_call_beat() -> None:
    beat = Heartbeat(max_age=60)
    check = Check("worker", beat.check)
    await expect(check.run, Status.UNHEALTHY, "^it has not beaten yet$", timeout=10.0)
    thread = threading.Thread(target=beat)
    thread.start()
    thread.join()
    await expect(check.run, Status.HEALTHY, "^$", timeout=10.0)


def test_it_costs_no_thread() -> None:
    assert Check("worker", Heartbeat(max_age=60).check).is_async


async def test_a_check_that_runs_the_beat_itself_is_never_healthy() -> None:
    await expect(Heartbeat(max_age=60), Status.UNHEALTHY, "a Check runs the heartbeat's `check`", timeout=10.0)


@pytest.mark.parametrize(("wrong", "error"), [(0, ValueError), (-1, ValueError), ("30", TypeError), (None, TypeError)])
def test_an_age_that_is_no_positive_number_is_refused(wrong: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^Heartbeat: max_age must be"):
        Heartbeat(max_age=wrong)
