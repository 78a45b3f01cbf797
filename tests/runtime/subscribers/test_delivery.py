"""What subscribers receive, on every loop, with and without a lifespan."""

import gc
import threading
from typing import Any

from asgi_health import (
    Health,
    HealthMiddleware,
    Status,
    Transition,
)
from asgi_health.testing import lifespan, probe, settled

from ...support.app_thread import our_threads
from ...support.subscribers import Switch, app_with, callback_of, run, switch_check, words
from ...support.waiting import wait_until_async

H, U = Status.HEALTHY, Status.UNHEALTHY


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
