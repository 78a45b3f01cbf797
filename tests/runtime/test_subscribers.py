"""Subscribers: what they receive, on every loop, and that none of them harms the app, a check or another subscriber."""

import asyncio
import gc
import logging
import subprocess
import sys
import threading
import weakref
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
    ProbeTransition,
    Status,
    Subscription,
    Transition,
)
from asgi_health.health import engine_of
from asgi_health.testing import lifespan, probe, settled
from tests.apps import plain_app

from ..support.app_thread import LOOPS, Blocked, our_threads, running_app
from ..support.virtual_time import BACKENDS, clock_of, run_virtual
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


# -- subscribing and cancelling


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


# -- the blocked loop, and the end of the process


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
