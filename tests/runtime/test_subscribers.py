"""Subscribers: what they receive, on every loop, and that none of them harms the app, a check or another subscriber."""

import asyncio
import gc
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from textwrap import dedent
from typing import Any

import anyio
import pytest

from asgi_health import (
    Check,
    CheckTransition,
    Health,
    HealthMiddleware,
    Listener,
    Probe,
    Status,
    Subscription,
    Transition,
)
from asgi_health.health import engine_of
from asgi_health.testing import lifespan, probe, settled
from tests.apps import plain_app

from ..support.app_thread import LOOPS, Blocked, our_threads, running_app
from ..support.waiting import wait_until, wait_until_async

H, U = Status.HEALTHY, Status.UNHEALTHY


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(params=["plain", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = our_threads()
    yield
    wait_until(lambda: our_threads() <= before, "the threads of the subscribers have ended")


def run(loop: str, main: Callable[[], Any]) -> None:
    backend, options = LOOPS[loop]
    anyio.run(main, backend=backend, backend_options=options)


def callback_of(kind: str, function: Callable[[Transition], object]) -> Callable[[Transition], object]:
    """Return `function` itself, or an async function that calls it."""
    if kind == "plain":
        return function

    async def call(transition: Transition) -> None:
        function(transition)

    return call


def words(transitions: list[Transition]) -> list[str]:
    """Return one short text for each transition of a check or of readiness."""
    return [
        f"{each.name} {_word(each.old)}-{_word(each.new)}"
        if isinstance(each, CheckTransition)
        else f"ready {_word(each.old)}-{_word(each.new)} {each.cause} {','.join(each.checks)}".rstrip()
        for each in transitions
        if isinstance(each, CheckTransition) or each.probe is Probe.READINESS
    ]


def _word(status: Status | None) -> str:
    return "none" if status is None else status.name.lower()


def app_with(health: Health, **options: Any) -> HealthMiddleware:
    return HealthMiddleware(plain_app, health, **options)


class Switch:
    """A check that fails while it is off."""

    def __init__(self) -> None:
        self.on = True

    async def __call__(self) -> bool:
        return self.on


def switch_check(switch: Switch) -> Check:
    return Check("a", switch, interval=0.05, retry_interval=0.01, timeout=0.04, failure_threshold=1)


def test_a_subscriber_receives_everything_in_order_up_to_the_stop(loop: str, kind: str) -> None:
    received: list[Transition] = []
    switch = Switch()
    health = Health([switch_check(switch)])
    health.subscribe(callback_of(kind, received.append))
    at_shutdown: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                at_shutdown.extend(words(received))
                return

    async def main() -> None:
        async with lifespan(HealthMiddleware(app, health)):
            await settled(health)
            switch.on = False
            await wait_until_async(lambda: "ready healthy-unhealthy check a" in words(received), "it fails")
            switch.on = True
            await wait_until_async(lambda: "ready unhealthy-healthy check" in words(received), "it recovers")
            health.drain()

    run(loop, main)
    assert words(received) == [
        "a none-healthy",
        "ready unhealthy-healthy started",
        "a healthy-unhealthy",
        "ready healthy-unhealthy check a",
        "a unhealthy-healthy",
        "ready unhealthy-healthy check",
        "ready healthy-unhealthy draining",
        "ready unhealthy-unhealthy stopped",
    ]
    assert at_shutdown == words(received), "the last transitions come before the app's own shutdown"


def test_a_plain_function_runs_outside_of_the_loop_and_an_async_one_in_it(loop: str, kind: str) -> None:
    threads: set[threading.Thread] = set()
    health = Health()
    health.subscribe(callback_of(kind, lambda _: threads.add(threading.current_thread())))

    async def main() -> None:
        async with lifespan(app_with(health)):
            await wait_until_async(lambda: bool(threads), "it is called")

    run(loop, main)
    assert (threads == {threading.main_thread()}) is (kind == "async")
    assert len(threads) == 1


def test_a_subscriber_that_comes_while_the_app_runs_receives_what_follows(loop: str, kind: str) -> None:
    received: list[Transition] = []
    health = Health()

    async def main() -> None:
        async with lifespan(app_with(health)):
            health.subscribe(callback_of(kind, received.append))
            health.drain()

    run(loop, main)
    assert words(received) == ["ready healthy-unhealthy draining", "ready unhealthy-unhealthy stopped"]


def test_a_second_lifespan_is_delivered_too(loop: str, kind: str) -> None:
    received: list[Transition] = []
    health = Health()
    health.subscribe(callback_of(kind, received.append))

    async def main() -> None:
        for _ in range(2):
            async with lifespan(app_with(health)):
                pass

    run(loop, main)
    assert words(received) == [
        "ready unhealthy-healthy started",
        "ready healthy-unhealthy stopped",
        "ready unhealthy-unhealthy starting",
        "ready unhealthy-healthy started",
        "ready healthy-unhealthy stopped",
    ]


def test_without_a_lifespan_the_transitions_are_delivered_too(loop: str, kind: str) -> None:
    received: list[Transition] = []

    async def passes() -> None:
        return None

    health = Health({"a": passes})
    subscription = health.subscribe(callback_of(kind, received.append))

    async def main() -> None:
        assert (await probe(app_with(health), "/readyz")).status == 200
        await wait_until_async(lambda: len(words(received)) == 2, lambda: str(words(received)))

    run(loop, main)
    assert words(received) == ["a none-healthy", "ready unhealthy-healthy started"]
    subscription.cancel()  # where there is no lifespan, nothing else ends its thread


def test_the_thread_of_a_subscriber_ends_with_its_health() -> None:
    async def main() -> None:
        health = Health()
        health.subscribe(print)
        assert (await probe(app_with(health), "/readyz")).status == 200
        assert any("subscriber print" in thread.name for thread in our_threads())

    run("asyncio", main)
    gc.collect()


# -- hostile subscribers


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_a_subscriber_that_raises_is_logged_and_is_called_again(
    error: type[BaseException], loop: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    health = Health()
    received: list[Transition] = []

    def broken(transition: Transition) -> None:
        raise error("broken subscriber")

    subscription = health.subscribe(callback_of(kind, broken))
    health.subscribe(callback_of(kind, received.append))

    async def main() -> None:
        async with lifespan(app_with(health)):
            health.drain()

    with caplog.at_level(logging.ERROR, "asgi_health"):
        run(loop, main)
    assert words(received)[-1] == "ready unhealthy-unhealthy stopped"
    assert subscription.statistics().failed == subscription.statistics().delivered == len(received)
    assert {type(record.exc_info[1]) for record in caplog.records if record.exc_info} == {error}


def test_a_subscriber_that_hangs_delays_nothing_and_loses_its_oldest_transitions(loop: str, kind: str) -> None:
    gate = threading.Event()
    switch = Switch()
    health = Health([switch_check(switch)])
    received: list[Transition] = []

    def hang(_: Transition) -> None:
        gate.wait(60.0)

    async def never(_: Transition) -> None:
        await anyio.sleep_forever()

    hanging = health.subscribe(never if kind == "async" else hang, queue=2)
    health.subscribe(callback_of(kind, received.append))
    app = app_with(health)

    async def main() -> None:
        async with lifespan(app):
            await settled(health)
            assert (await probe(app, "/readyz")).status == 200
            switch.on = False
            await wait_until_async(lambda: "a healthy-unhealthy" in words(received), "the other one is called")
            assert (await probe(app, "/readyz")).status == 503

    run(loop, main)
    statistics = hanging.statistics()
    gate.set()
    cancelled = 1 if kind == "async" else 0  # the call in progress, at the end
    assert (statistics.delivered, statistics.failed) == (cancelled, cancelled)
    assert (statistics.dropped, statistics.waiting) == (len(received) - 3, 3 - cancelled)


def test_an_async_subscriber_that_is_late_is_cancelled_and_is_called_again(
    loop: str, caplog: pytest.LogCaptureFixture
) -> None:
    health = Health()
    received: list[Transition] = []

    async def slow_at_first(transition: Transition) -> None:
        received.append(transition)
        if len(received) == 1:
            await anyio.sleep_forever()

    subscription = health.subscribe(slow_at_first, timeout=0.05)

    async def main() -> None:
        async with lifespan(app_with(health)):
            await wait_until_async(lambda: subscription.statistics().waiting == 0, "all are delivered")

    with caplog.at_level(logging.WARNING, "asgi_health"):
        run(loop, main)
    assert words(received)[-1] == "ready healthy-unhealthy stopped"
    assert subscription.statistics().late == 1
    assert [record.message for record in caplog.records if "timeout" in record.message] == [
        "subscriber test_an_async_subscriber_that_is_late_is_cancelled_and_is_called_again.<locals>.slow_at_first"
        " has not returned within its timeout of 0.05 s; it receives nothing until it does"
    ]


def test_a_plain_subscriber_that_is_late_is_logged_while_it_hangs(caplog: pytest.LogCaptureFixture) -> None:
    gate = threading.Event()
    health = Health()
    subscription = health.subscribe(lambda _: gate.wait(60.0), timeout=0.05)

    async def main() -> None:
        async with lifespan(app_with(health)):
            await wait_until_async(lambda: subscription.statistics().late == 1, "it is logged")
            gate.set()

    with caplog.at_level(logging.WARNING, "asgi_health"):
        run("asyncio", main)
    assert "has not returned within its timeout of 0.05 s" in caplog.text


def test_a_subscriber_may_change_the_health_and_subscribe_others(loop: str, kind: str) -> None:
    health = Health()
    added: list[Transition] = []
    received: list[Transition] = []
    subscriptions: list[Subscription] = []

    async def passes() -> None:
        return None

    def change(transition: Transition) -> None:
        received.append(transition)
        if len(received) == 1:
            health.add(Check("fallback", passes))
            subscriptions.append(health.subscribe(callback_of(kind, added.append)))
        if isinstance(transition, CheckTransition) and transition.new is H:
            health.remove("fallback")
            health.drain()

    health.subscribe(callback_of(kind, change))

    async def main() -> None:
        async with lifespan(app_with(health)):
            await wait_until_async(lambda: "ready healthy-unhealthy draining" in words(added), "it drains")

    run(loop, main)
    assert health.checks == ()
    assert words(added)[-2:] == ["ready healthy-unhealthy draining", "ready unhealthy-unhealthy stopped"]
    assert words(received)[-2:] == words(added)[-2:]


def test_a_subscriber_may_cancel_its_own_subscription(loop: str, kind: str) -> None:
    health = Health()
    received: list[Transition] = []

    def once(transition: Transition) -> None:
        received.append(transition)
        subscription.cancel()
        subscription.cancel()

    subscription = health.subscribe(callback_of(kind, once))

    async def main() -> None:
        async with lifespan(app_with(health)):
            await wait_until_async(lambda: bool(received), "it is called")
            health.drain()

    run(loop, main)
    assert len(received) == 1
    assert subscription.statistics().failed == 0


def test_a_plain_function_that_returns_a_coroutine_is_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    async def notify(_: Transition) -> None:
        raise AssertionError("it is never awaited")

    health = Health()
    subscription = health.subscribe(lambda transition: notify(transition))  # noqa: PLW0108  a plain function

    async def main() -> None:
        async with lifespan(app_with(health)):
            pass

    with caplog.at_level(logging.ERROR, "asgi_health"):
        run("asyncio", main)
    assert subscription.statistics().failed == subscription.statistics().delivered > 0
    assert "it returned coroutine; subscribe an async function itself" in caplog.text


def test_an_app_that_cancels_every_task_does_not_end_the_delivery() -> None:
    health = Health()
    received: list[Transition] = []

    async def receive(transition: Transition) -> None:
        received.append(transition)

    health.subscribe(receive)

    async def main() -> None:
        async with lifespan(app_with(health)):
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                if "asgi-health" in task.get_name():
                    task.cancel()
            await asyncio.sleep(0.01)
            health.drain()

    run("asyncio", main)
    assert words(received)[-2:] == ["ready healthy-unhealthy draining", "ready unhealthy-unhealthy stopped"]


def test_a_flood_of_transitions_is_bounded_and_the_newest_are_kept(loop: str, kind: str) -> None:
    health = Health()
    received: list[Transition] = []
    gate = threading.Event()
    subscription = health.subscribe(callback_of(kind, received.append), queue=5)
    if kind == "plain":
        subscription.cancel()

        def first_waits(transition: Transition) -> None:
            gate.wait(60.0)
            received.append(transition)

        subscription = health.subscribe(first_waits, queue=5)

    async def main() -> None:
        async with lifespan(app_with(health)):
            for n in range(1000):
                engine_of(health).set_temporary_drain(n % 2 == 0, float(n))
            assert subscription.statistics().waiting <= 6
            gate.set()

    run(loop, main)
    statistics = subscription.statistics()
    assert statistics.dropped >= 1900
    assert statistics.delivered == len(received)
    assert words(received)[-1] == "ready healthy-unhealthy stopped"


# -- the blocked loop, and the end of the process


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


def test_a_result_that_grows_stale_while_the_loop_is_blocked_is_delivered_then() -> None:
    received: list[Transition] = []

    async def passes() -> None:
        return None

    health = Health([Check("a", passes, interval=0.1, timeout=0.1, max_age=0.3)])
    app = app_with(health, listener=Listener("127.0.0.1:0", stall_ready=60.0, stall_live=60.0))
    with running_app(app) as portal:
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
