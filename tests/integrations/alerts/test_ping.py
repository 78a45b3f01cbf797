"""Ping: when it sends, in virtual time, and that it goes silent, against a real receiver."""

import asyncio
import gc
import logging
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import anyio
import pytest

from asgi_health import Check, Health, HealthMiddleware, Listener, Probe, Result, degraded
from asgi_health.health import engine_of
from asgi_health.integrations.alerts import Ping, ping
from asgi_health.integrations.alerts.ping import Schedule
from asgi_health.testing import lifespan, settled
from asgi_health.testing import probe as ask
from tests.apps import plain_app
from tests.servers.process import ROOT
from tests.support.hosts import FAILS, join, worker
from tests.support.waiting import wait_until, wait_until_async

from .raw_receiver import RawReceiver, hang, raw_receiver, status

BRISK: dict[str, Any] = {"interval": 0.02, "retry_interval": 0.02, "failure_threshold": 1}
INTERVAL = 0.04


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it ping many times a second, and not through a proxy."""
    monkeypatch.setattr(ping, "MIN_INTERVAL", INTERVAL)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


class Switch:
    """A dependency that fails while `broken`."""

    def __init__(self) -> None:
        self.broken = False

    async def __call__(self) -> bool:
        return not self.broken


async def pass_() -> None:
    """Pass."""


@asynccontextmanager
async def pinging(receiver: RawReceiver, health: Health, **options: Any) -> AsyncGenerator[Health]:
    """Run an app with a Ping."""
    each = Ping(receiver.url("/uuid?status=up"), interval=INTERVAL, probe=options.pop("probe", Probe.READINESS))
    async with lifespan(HealthMiddleware(plain_app, health, integrations=[each], **options)):
        await settled(health)
        yield health


async def wait_for_more(receiver: RawReceiver, count: int = 3) -> None:
    expected = len(receiver.received) + count
    await wait_until_async(lambda: len(receiver.received) >= expected, "more pings")


async def is_silent(receiver: RawReceiver) -> bool:
    """Return whether no ping comes for many intervals, except one that may be on its way."""
    before = len(receiver.received)
    await anyio.sleep(12 * INTERVAL)
    return len(receiver.received) <= before + 1


def threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith("asgi-health ping")]


# -- the schedule


def moments(schedule: Schedule, *, healthy_from: float = 0.0, until: float = 200.0, took: float = 0.0) -> list[float]:
    """Return when pings are sent by a caller whose requests take `took` seconds."""
    now = 0.0
    sent: list[float] = []
    while (now := max(now, schedule.due)) < until:
        if schedule.step(now, healthy=now >= healthy_from):
            sent.append(now)
            now += took
    return sent


def test_a_healthy_probe_is_one_ping_per_interval() -> None:
    assert moments(Schedule(60.0, 0.0)) == [0.0, 60.0, 120.0, 180.0]


def test_the_time_of_the_requests_does_not_add_up() -> None:
    assert moments(Schedule(60.0, 0.0), took=10.0) == [0.0, 60.0, 120.0, 180.0]


def test_the_ping_follows_within_a_second_after_the_recovery() -> None:
    assert moments(Schedule(60.0, 0.0), healthy_from=30.5, until=100.0) == [31.0, 91.0]


def test_after_a_suspension_there_is_one_ping_and_not_one_per_missed_interval() -> None:
    schedule = Schedule(60.0, 0.0)
    assert schedule.step(0.0, healthy=True)
    assert schedule.step(3600.0, healthy=True)
    assert schedule.due == 3660.0


# -- when it is silent


@pytest.mark.anyio
async def test_a_healthy_app_pings_again_and_again_by_get() -> None:
    with raw_receiver(status(200)) as receiver:
        async with pinging(receiver, Health({"database": pass_})):
            await wait_for_more(receiver)
    assert {each.line for each in receiver.received} == {"GET /uuid?status=up HTTP/1.1"}


@pytest.mark.anyio
async def test_a_failing_check_silences_it_until_the_recovery() -> None:
    database = Switch()
    with raw_receiver(status(200)) as receiver:
        async with pinging(receiver, Health([Check("database", database, **BRISK)])) as health:
            await wait_for_more(receiver)
            database.broken = True
            await wait_until_async(lambda: health.report().status.name == "UNHEALTHY", "it fails")
            assert await is_silent(receiver)
            database.broken = False
            await wait_for_more(receiver)


@pytest.mark.anyio
async def test_a_degraded_probe_is_healthy() -> None:
    async def slow() -> Result:
        return degraded("slow")

    with raw_receiver(status(200)) as receiver:
        async with pinging(receiver, Health({"database": slow})) as health:
            assert health.report(Probe.READINESS).status.name == "DEGRADED"
            await wait_for_more(receiver)


@pytest.mark.anyio
@pytest.mark.parametrize("by", ["lateness", "stale results"])
async def test_a_blocked_event_loop_silences_it_until_it_runs_again(by: str) -> None:
    listener, checks = Listener("127.0.0.1:0", stall_ready=0.3), []
    if by == "stale results":
        listener = Listener("127.0.0.1:0", stall_ready=60.0, stall_live=60.0)
        checks = [Check("database", pass_, interval=0.02, timeout=0.02, max_age=0.1)]
    with raw_receiver(status(200)) as receiver:
        async with pinging(receiver, Health(checks), listener=listener):
            await wait_for_more(receiver)
            time.sleep(0.8)  # noqa: ASYNC251  blocks the loop
            before = len(receiver.received)
            time.sleep(12 * INTERVAL)  # noqa: ASYNC251
            assert len(receiver.received) <= before + 1
            await wait_for_more(receiver)


@pytest.mark.anyio
async def test_a_clock_that_raises_silences_it_until_it_works_again(caplog: pytest.LogCaptureFixture) -> None:
    broken = threading.Event()

    def clock() -> float:
        if broken.is_set() and threading.current_thread().name.startswith("asgi-health ping"):
            raise OSError("no clock")
        return monotonic()

    with raw_receiver(status(200)) as receiver:
        async with pinging(receiver, Health({"a": pass_}, clock=clock)):
            await wait_for_more(receiver)
            broken.set()
            assert await is_silent(receiver)
            broken.clear()
            await wait_for_more(receiver)
    assert caplog.text.count("the probe has no status") == 1


@pytest.mark.anyio
async def test_with_a_board_the_leader_alone_pings_and_while_the_host_is_healthy() -> None:
    with raw_receiver(status(200)) as receiver:
        async with pinging(receiver, Health({"a": pass_})) as health:
            engine = engine_of(health)
            join(engine, monotonic(), worker(1), leader="w1")
            assert await is_silent(receiver)
            join(engine, monotonic(), worker(1), leader="own")
            await wait_for_more(receiver)
            join(engine, monotonic(), worker(1, readiness=FAILS), leader="own")
            assert await is_silent(receiver)


@pytest.mark.anyio
async def test_a_maintenance_of_the_app_silences_it() -> None:
    with raw_receiver(status(200)) as receiver:
        async with pinging(receiver, Health({"database": pass_})) as health:
            await wait_for_more(receiver)
            end_maintenance = health.maintain(None, 60.0, "a new disk")
            assert await is_silent(receiver)
            end_maintenance()
            await wait_for_more(receiver)


@pytest.mark.anyio
async def test_a_drain_and_the_end_of_the_app_silence_it_and_its_thread_ends() -> None:
    with raw_receiver(status(200)) as receiver:
        async with pinging(receiver, Health({"database": pass_})) as health:
            await wait_for_more(receiver)
            health.drain()
            assert await is_silent(receiver)
        wait_until(lambda: not threads(), "the thread ends")


@pytest.mark.anyio
async def test_liveness_pings_while_a_check_of_readiness_fails() -> None:
    database = Switch()
    database.broken = True
    with raw_receiver(status(200)) as receiver:
        async with pinging(receiver, Health({"database": database}), probe=Probe.LIVENESS):
            await wait_for_more(receiver)


@pytest.mark.anyio
async def test_an_app_that_has_not_started_sends_nothing() -> None:
    starting = asyncio.Event()

    async def slow_app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await starting.wait()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    with raw_receiver(status(200)) as receiver:
        app = HealthMiddleware(slow_app, integrations=[Ping(receiver.url(), interval=INTERVAL)])

        async def run() -> None:
            async with lifespan(app):
                await wait_for_more(receiver)

        task = asyncio.create_task(run())
        await anyio.sleep(6 * INTERVAL)
        assert receiver.received == []
        starting.set()
        await task


@pytest.mark.anyio
async def test_each_lifespan_pings_with_one_thread() -> None:
    with raw_receiver(status(200)) as receiver:
        app = HealthMiddleware(plain_app, integrations=[Ping(receiver.url(), interval=INTERVAL)])
        for _ in range(3):
            async with lifespan(app):
                await wait_for_more(receiver)
                await wait_until_async(lambda: len(threads()) == 1, "one thread")
        wait_until(lambda: not threads(), "the thread ends")


def test_without_lifespan_it_begins_with_the_first_request_and_ends_with_its_loop() -> None:
    def serve_and_close_the_loop(receiver: RawReceiver) -> None:
        app = HealthMiddleware(plain_app, slow_loop=0.0, integrations=[Ping(receiver.url(), interval=INTERVAL)])

        async def serve() -> None:
            await ask(app, "/readyz")
            await wait_for_more(receiver)

        asyncio.run(serve())
        assert asyncio.run(is_silent(receiver))  # another loop, in which the app is not

    def thread_has_ended() -> bool:
        gc.collect()  # another thread of the app holds it for a moment longer
        return not threads()

    with raw_receiver(status(200)) as receiver:
        serve_and_close_the_loop(receiver)
        wait_until(thread_has_ended, "the thread ends with the Health")


# -- receivers that misbehave


@pytest.mark.anyio
async def test_a_receiver_that_fails_is_logged_once_per_streak_and_asked_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with raw_receiver(status(200)) as receiver, caplog.at_level(logging.INFO, "asgi_health"):
        async with pinging(receiver, Health()):
            for code in (500, 302):
                receiver.answer = status(code)
                await wait_for_more(receiver, 5)
                receiver.answer = status(200)
                await wait_for_more(receiver, 5)
    lines = [each.getMessage() for each in caplog.records if each.getMessage().startswith("ping ")]
    name = f"ping 127.0.0.1:{receiver.port}"
    assert lines == [
        f"{name} failed: answered 500; it is sent again every 0.04 s",
        f"{name} works again",
        f"{name} failed: answered 302, a redirect, which is not followed; it is sent again every 0.04 s",
        f"{name} works again",
    ]
    assert "uuid" not in caplog.text


@pytest.mark.anyio
async def test_a_receiver_that_hangs_delays_neither_a_probe_nor_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ping, "MIN_INTERVAL", 1.0)
    with raw_receiver(hang) as receiver:
        app = HealthMiddleware(plain_app, integrations=[Ping(receiver.url(), interval=60.0)])
        began = monotonic()
        async with lifespan(app):
            await wait_until_async(lambda: len(receiver.received) == 1, "the ping is on its way")
            assert (await ask(app, "/readyz")).status == 200
        assert monotonic() - began < 5.0  # the request has 10 s
        assert len(threads()) == 1  # a daemon thread, which keeps no process from its end
        assert threads()[0].daemon


def test_a_request_on_its_way_does_not_delay_the_end_of_the_process() -> None:
    program = (
        "import asyncio, sys\n"
        "from asgi_health import Health\n"
        "from asgi_health.integrations.alerts import Ping\n"
        "async def main():\n"
        "    async with Health().running(integrations=[Ping(sys.argv[1])]):\n"
        "        await asyncio.to_thread(sys.stdin.read)\n"
        "asyncio.run(main())\n"
    )
    with raw_receiver(hang) as receiver:
        command = [sys.executable, "-c", program, receiver.url()]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE) as process:
            receiver.wait_for(1)
            began = monotonic()
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(60) == 0
            assert monotonic() - began < 5.0  # the request has 10 s


# -- arguments


def test_an_argument_that_cannot_work_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ping, "MIN_INTERVAL", 1.0)
    with pytest.raises(ValueError, match=r"^ping: url must be http://host/path or "):
        Ping("hc-ping.com/uuid")
    with pytest.raises(ValueError, match=r"^ping: interval must be at least 1 s, not 0\.5"):
        Ping("https://hc-ping.invalid/uuid", interval=0.5)
    with pytest.raises(ValueError, match=r"^ping: interval must be a positive"):
        Ping("https://hc-ping.invalid/uuid", interval=float("nan"))
    with pytest.raises(TypeError, match=r"^ping: probe must be of type Probe"):
        Ping("https://hc-ping.invalid/uuid", probe="readiness")  # type: ignore[arg-type]


def test_its_repr_shows_the_host_alone() -> None:
    shown = repr(Ping("https://hc-ping.invalid/uuid", interval=60))
    assert shown == "Ping('https://hc-ping.invalid', interval=60.0, probe=Probe.READINESS)"
