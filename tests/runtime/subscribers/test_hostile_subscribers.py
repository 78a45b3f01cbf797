"""No subscriber harms the app, a check, another subscriber or the log."""

import asyncio
import logging
import threading

import anyio
import pytest

from asgi_health import (
    Check,
    CheckTransition,
    Health,
    Status,
    Subscription,
    Transition,
)
from asgi_health.health import engine_of
from asgi_health.testing import lifespan, probe, settled

from ...support.subscribers import Switch, app_with, callback_of, run, switch_check, words
from ...support.waiting import wait_until_async

H, U = Status.HEALTHY, Status.UNHEALTHY


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
        " has not returned within its timeout of 0.05 s; the call is cancelled"
    ]
    assert "failed" not in caplog.text


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


def test_a_flood_while_the_loop_is_blocked_wakes_an_async_subscriber_once() -> None:
    """Each waking would wait in the loop until it runs again: 200,000 of them take 50 MB."""

    async def ignore(_: Transition) -> None:
        return None

    health = Health()
    health.subscribe(ignore)

    async def main() -> None:
        async with lifespan(app_with(health)):
            await anyio.sleep(0.01)  # what the start has scheduled is done
            thread = threading.Thread(target=flood)
            thread.start()
            thread.join()  # blocks the loop
            ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
            assert len(ready) < 10

    def flood() -> None:
        for n in range(100):
            engine_of(health).set_temporary_drain(n % 2 == 0, float(n))

    run("asyncio", main)


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


def test_the_traceback_of_a_subscriber_that_fails_is_cleaned(caplog: pytest.LogCaptureFixture) -> None:
    health = Health()

    def broken(_: Transition) -> None:
        raise ValueError("first\nWARNING forged\x1b[31m")

    health.subscribe(broken)

    async def main() -> None:
        async with lifespan(app_with(health)):
            pass

    with caplog.at_level(logging.ERROR, "asgi_health"):
        run("asyncio", main)
    first, *traceback = logging.Formatter("%(levelname)s %(message)s").format(caplog.records[0]).split("\n")
    assert first.startswith("ERROR subscriber ")
    assert all(line.startswith("  ") and line.isprintable() for line in traceback)
