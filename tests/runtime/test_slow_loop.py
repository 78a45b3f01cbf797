"""`slow_loop` in a running app: what blocked the loop, and how often; no thread and no task where it is off."""

import asyncio
import logging
import re
import time
from functools import partial

import pytest
import trio
from anyio.from_thread import BlockingPortal

from asgi_health import Health, HealthMiddleware
from asgi_health.asgi.types import App

from ..support.app_thread import LOOPS, loop_of, our_threads, running_app
from ..support.asgi_caller import ask
from ..support.lifespan_apps import ReceiveEvent, SendEvent, lifespan_app, make_app
from ..support.lifespan_driver import heartbeat_tasks, serving, tasks_and_threads
from ..support.waiting import wait_until

SLOW = 0.6  # longer than a busy machine delays a loop


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def records(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def slow_handler() -> None:
    slow_query()


def slow_query() -> None:
    time.sleep(SLOW + 0.6)


def notes(portal: BlockingPortal, app: App, path: str) -> str:
    body: str = portal.call(partial(ask, app, path, query=b"verbose")).text
    return body


def test_each_stall_is_one_record_and_is_counted(loop: str, caplog: pytest.LogCaptureFixture) -> None:
    app = HealthMiddleware(lifespan_app, details=True, slow_loop=SLOW)
    with running_app(app, loop) as portal:
        assert "blocked" not in notes(portal, app, "/livez")
        portal.call(slow_handler)
        wait_until(lambda: len(records(caplog)) == 1, "it is logged")
        first, *stack = records(caplog)[0].split("\n")
        assert re.fullmatch(
            rf"the event loop was blocked for \d\.\d s by slow_query \({re.escape(__file__)}:\d+\)", first
        )
        assert [line.rpartition(" ")[2] for line in stack if line.startswith("  File")][-2:] == [
            "slow_handler",
            "slow_query",
        ]
        assert "    time.sleep(SLOW + 0.6)" in stack
        (longest,) = re.findall(r"blocked 1 time, for (\d\.\d) s at most", notes(portal, app, "/livez"))
        assert float(longest) >= 0.3
        assert "blocked" not in notes(portal, app, "/readyz")
        assert "blocked 1 time" in notes(portal, app, "/health")
        portal.call(slow_handler)
        wait_until(lambda: "blocked 2 times" in notes(portal, app, "/livez"), "it is counted")
        assert len(records(caplog)) == 1  # the second comes too soon after the first


def test_a_startup_that_blocks_the_loop_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def script(receive: ReceiveEvent, send: SendEvent) -> None:
        await receive()
        slow_query()
        await send("startup.complete")
        await receive()
        await send("shutdown.complete")

    app = HealthMiddleware(make_app(script), details=True, slow_loop=SLOW)
    with running_app(app) as portal:
        portal.call(slow_handler)
        wait_until(lambda: len(records(caplog)) > 0, "the later stall is logged")
        assert "in slow_handler" in records(caplog)[0]
        assert "blocked 1 time" in notes(portal, app, "/livez")


def test_of_two_middlewares_one_counts_a_stall(caplog: pytest.LogCaptureFixture) -> None:
    health = Health()
    app = HealthMiddleware(HealthMiddleware(lifespan_app, health, slow_loop=SLOW), health, details=True, slow_loop=SLOW)
    with running_app(app) as portal:
        portal.call(slow_handler)
        wait_until(lambda: "blocked 1 time" in notes(portal, app, "/livez"), "it is counted once")
    assert len(records(caplog)) == 1


def test_a_second_lifespan_counts_from_zero(caplog: pytest.LogCaptureFixture) -> None:
    app = HealthMiddleware(lifespan_app, details=True, slow_loop=SLOW)
    with running_app(app) as portal:
        portal.call(slow_handler)
        wait_until(lambda: "blocked 1 time" in notes(portal, app, "/livez"), "it is counted")
    with running_app(app) as portal:
        assert "blocked" not in notes(portal, app, "/livez")


def test_turned_off_it_starts_no_thread_and_no_task(loop: str) -> None:
    with loop_of(loop) as portal:
        for _ in range(2):
            assert portal.call(while_it_runs, SLOW) == {
                "asgi-health runner",
                "asgi-health heartbeat",
                "asgi-health monitor",
            }
            assert portal.call(while_it_runs, 0.0) == {"asgi-health runner"}


async def while_it_runs(slow: float) -> set[str]:
    """Return the names of the tasks and threads of asgi_health while an app runs."""
    tasks_and_threads()
    others = our_threads()
    async with serving(HealthMiddleware(lifespan_app, slow_loop=slow)):
        names = {thread.name for thread in our_threads() - others} | tasks()
    return {name for name in names if name.startswith("asgi-health") and name != "asgi-health end of trio"}


def tasks() -> set[str]:
    if not trio.lowlevel.in_trio_run():
        return {task.get_name() for task in asyncio.all_tasks() | heartbeat_tasks()}
    names: set[str] = set()
    waiting = [trio.lowlevel.current_root_task()]
    while waiting:
        task = waiting.pop()
        if task is not None:
            names.add(task.name)
            waiting += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
    return names
