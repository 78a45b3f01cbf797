"""Subscribing and cancelling: from threads, while the loop is blocked, for a Health that goes away."""

import asyncio
import gc
import sys
import threading
import weakref
from collections.abc import Callable, Iterator

import anyio
import pytest

from asgi_health import (
    Health,
    Status,
    Subscription,
    Transition,
)
from asgi_health.testing import lifespan, probe

from ...support.app_thread import Blocked, our_threads, running_app
from ...support.subscribers import app_with, callback_of, run, words
from ...support.waiting import wait_until, wait_until_async

H, U = Status.HEALTHY, Status.UNHEALTHY


@pytest.fixture
def many_switches() -> Iterator[None]:
    """Threads are interrupted at almost every instruction."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def in_threads(job: Callable[[], object], count: int) -> None:
    """Call `job` in `count` threads that begin together."""
    gate = threading.Barrier(count)

    def work() -> None:
        gate.wait()
        job()

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_subscriptions_from_many_threads_are_all_kept_and_all_cancelled(many_switches: None) -> None:
    health = Health()
    called: list[Transition] = []
    subscriptions: list[Subscription] = []

    def subscribe() -> None:
        subscriptions.extend([health.subscribe(callback_of("async", called.append)) for _ in range(100)])

    def cancel() -> None:
        for _ in range(100):
            subscriptions.pop().cancel()

    async def main() -> None:
        async with lifespan(app_with(health)):
            pass

    in_threads(subscribe, 8)
    in_threads(cancel, 8)
    run("asyncio", main)
    assert called == [], "none is called after its cancellation"
    in_threads(subscribe, 8)
    run("asyncio", main)
    assert all(each.statistics().delivered for each in subscriptions), "each is called"


def test_a_transition_on_its_way_to_a_subscription_that_is_cancelled_is_not_delivered(kind: str) -> None:
    health = Health()
    received: list[Transition] = []
    subscription = health.subscribe(callback_of(kind, received.append))
    # Called between the two steps of a delivery: another subscription, of the engine itself, cancels this one.
    waiting = subscription.queue
    original = waiting.put

    def cancel_first(transition: Transition) -> None:
        subscription.cancel()
        original(transition)

    waiting.put = cancel_first  # type: ignore[method-assign]

    async def main() -> None:
        async with lifespan(app_with(health)):
            await anyio.sleep(0.01)

    run("asyncio", main)
    assert received == []


def test_a_plain_subscriber_that_comes_while_the_loop_is_blocked_is_called_at_once() -> None:
    received: list[Transition] = []
    health = Health()
    with running_app(app_with(health)) as portal, Blocked(portal):
        health.subscribe(received.append)
        health.drain()
        wait_until(lambda: words(received) == ["ready healthy-unhealthy draining"], "it is called")


@pytest.mark.parametrize("starts", [False, True], ids=["unused", "used"])
def test_a_health_to_which_its_subscriber_refers_is_collected(starts: bool, kind: str) -> None:
    reference = weakref.ref(subscribed_health(kind, starts))
    wait_until(lambda: not our_threads(), "its thread has ended")
    gc.collect()
    assert reference() is None


def subscribed_health(kind: str, starts: bool) -> Health:
    health = Health()
    health.subscribe(callback_of(kind, lambda _: health.report()))

    async def main() -> None:
        async with lifespan(app_with(health)):
            pass

    if starts:
        run("asyncio", main)
    return health


def test_a_second_loop_is_served_although_the_first_is_not_closed(kind: str) -> None:
    """Each request has a loop of its own, and there is no lifespan: adapters of serverless platforms do this."""
    received: list[Transition] = []

    async def passes() -> None:
        return None

    health = Health({"a": passes})
    subscription = health.subscribe(callback_of(kind, received.append))
    app = app_with(health)
    loops = [asyncio.new_event_loop() for _ in range(2)]

    async def request() -> None:
        assert (await probe(app, "/readyz?format=text")).status == 200

    async def request_and_drain() -> None:
        await request()
        health.drain()
        await wait_until_async(lambda: subscription.statistics().waiting == 0, "everything is delivered")

    loops[0].run_until_complete(request())
    loops[1].run_until_complete(request_and_drain())
    assert words(received)[-1] == "ready healthy-unhealthy draining"
    subscription.cancel()
    for loop in loops:
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
