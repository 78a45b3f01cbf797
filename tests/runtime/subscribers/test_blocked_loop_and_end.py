"""What is delivered while the loop is blocked, and at the end of the app and the process."""

import logging
import subprocess
import sys
import threading
from textwrap import dedent
from typing import Any

import anyio
import pytest

from asgi_health import (
    Check,
    Health,
    HealthMiddleware,
    Listener,
    Probe,
    ProbeTransition,
    Status,
    Transition,
)
from asgi_health.health import engine_of
from asgi_health.testing import lifespan, settled

from ...support.app_thread import Blocked, running_app
from ...support.subscribers import app_with, run, words
from ...support.virtual_time import BACKENDS, clock_of, run_virtual
from ...support.waiting import wait_until

H, U = Status.HEALTHY, Status.UNHEALTHY


def test_the_last_transitions_are_delivered_where_a_scope_around_the_block_is_cancelled(loop: str, kind: str) -> None:
    received: list[Transition] = []

    async def receive(transition: Transition) -> None:
        await anyio.sleep(0.001)
        received.append(transition)

    health = Health()
    health.subscribe(receive if kind == "async" else received.append)

    async def main() -> None:
        with anyio.CancelScope() as scope:
            async with health.running():
                scope.cancel()
                await anyio.sleep_forever()

    run(loop, main)
    assert words(received)[-1] == "ready healthy-unhealthy stopped"


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_last_second_is_one_of_the_loop(backend: str, caplog: pytest.LogCaptureFixture) -> None:
    """Real seconds would be days of a loop whose time is virtual."""
    clock = clock_of(backend)
    health = Health(clock=clock)

    async def hang(_: Transition) -> None:
        await anyio.sleep_forever()

    health.subscribe(hang)

    async def main() -> float:
        async with lifespan(app_with(health, slow_loop=0)):
            before = clock()
        return clock() - before

    with caplog.at_level(logging.WARNING, "asgi_health"):
        assert run_virtual(backend, main) == pytest.approx(1.0)
    assert [record.getMessage() for record in caplog.records] == [
        "subscriber test_the_last_second_is_one_of_the_loop.<locals>.hang has 5 transitions left at the end, which"
        " waits for it no longer than 1 s"
    ]


def test_a_stall_is_delivered_while_it_lasts(loop: str) -> None:
    received: list[Transition] = []
    health = Health()
    app = app_with(health, listener=Listener("127.0.0.1:0", stall_ready=0.2, stall_live=60.0))
    with running_app(app, loop) as portal:
        health.subscribe(received.append)
        with Blocked(portal):
            wait_until(lambda: "ready healthy-unhealthy stalled" in words(received), "the stall is delivered")
        wait_until(lambda: "ready unhealthy-healthy stalled" in words(received), "its end is delivered")
    assert words(received)[:2] == ["ready healthy-unhealthy stalled", "ready unhealthy-healthy stalled"]


def test_a_stall_in_which_the_lifespan_crashes_ends() -> None:
    """The app serves on without one, and nothing of its loop watches the former stall."""
    received: list[Transition] = []
    stalled = threading.Event()
    health = Health()

    def receive(transition: Transition) -> None:
        received.append(transition)
        if isinstance(transition, ProbeTransition) and transition.cause == "stalled":
            stalled.set()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        stalled.wait(30.0)
        raise RuntimeError("the lifespan crashes")

    async def first_event() -> dict[str, str]:
        return {"type": "lifespan.startup"}

    async def ignore(_: Any) -> None:
        return None

    async def main() -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}}
        with pytest.raises(RuntimeError):
            await HealthMiddleware(app, health, listener=Listener("127.0.0.1:0", stall_ready=0.1))(
                scope, first_event, ignore
            )

    health.subscribe(receive)
    run("asyncio", main)
    assert "ready healthy-unhealthy stalled" in words(received)
    assert engine_of(health).known(Probe.READINESS).status is H  # delivered with the next request


def test_a_result_that_grows_stale_while_the_loop_is_blocked_is_delivered_then() -> None:
    received: list[Transition] = []

    async def passes() -> None:
        return None

    health = Health([Check("a", passes, interval=0.1, timeout=0.1, max_age=0.3)])
    with running_app(app_with(health)) as portal:
        portal.call(settled, health)
        health.subscribe(received.append)
        with Blocked(portal):
            wait_until(lambda: "ready healthy-unhealthy stale a" in words(received), "the decay is delivered")


SCRIPT = """
import asyncio, sys, time
from asgi_health import Check, Health, HealthMiddleware
from asgi_health.testing import probe

async def app(scope, receive, send): ...
async def passes(): ...

def hang_or_print(transition):
    if "hang" in sys.argv:
        time.sleep(60)
    if "slow" in sys.argv:
        time.sleep(0.05)
    print(type(transition).__name__, getattr(transition, "cause", ""), flush=True)

health = Health({"a": passes})
health.subscribe(hang_or_print)
asyncio.run(probe(HealthMiddleware(app, health), "/readyz"))
health.drain()
"""


@pytest.mark.processes
@pytest.mark.parametrize("how", ["slow", "hang"])
def test_the_end_of_the_interpreter_waits_a_second_for_the_last_transitions(how: str) -> None:
    result = subprocess.run(
        [sys.executable, "-c", dedent(SCRIPT), how], capture_output=True, text=True, timeout=30.0, check=True
    )
    printed = result.stdout.split("\n")[:-1]
    if how == "slow":
        assert printed[-1] == "ProbeTransition draining"
    else:
        assert printed == []
    assert result.stderr == ""


SHUTDOWN = """
import atexit, asyncio, time
atexit.register(lambda: print(time.monotonic(), flush=True))  # the first: called last
from asgi_health import Health

async def main():
    async with health.running():
        pass

health = Health()
health.subscribe(lambda _: time.sleep(60))
asyncio.run(main())
print(time.monotonic(), flush=True)
"""


@pytest.mark.processes
def test_the_end_of_the_interpreter_does_not_wait_a_second_time() -> None:
    """The end of the lifespan has waited for a second already."""
    result = subprocess.run(
        [sys.executable, "-c", dedent(SHUTDOWN)], capture_output=True, text=True, timeout=30.0, check=True
    )
    ended, exits = map(float, result.stdout.split())
    assert exits - ended < 1.0


UNCANCELLABLE = """
import sys, anyio
from asgi_health import Health, HealthMiddleware
from asgi_health.testing import lifespan, probe

async def app(scope, receive, send): ...

async def uncancellable(transition):
    print("called", flush=True)
    while True:
        try:
            await anyio.sleep(3600)
        except BaseException:
            pass

async def main():
    health = Health()
    health.subscribe(uncancellable, timeout=0.05)
    health_app = HealthMiddleware(app, health)
    if "lifespan" in sys.argv:
        async with lifespan(health_app):
            await anyio.sleep(0.2)
    else:
        await probe(health_app, "/readyz")
        await anyio.sleep(0.2)

anyio.run(main, backend=sys.argv[1])
print("ended", flush=True)
"""


@pytest.mark.processes
@pytest.mark.parametrize("how", ["lifespan", "without"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_an_async_subscriber_that_ignores_its_cancellation_does_not_keep_the_process(backend: str, how: str) -> None:
    command = [sys.executable, "-c", dedent(UNCANCELLABLE), backend, how]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30.0, check=True)
    assert result.stdout.split() == ["called", "ended"]
