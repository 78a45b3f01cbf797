"""When a drain begins and ends: on virtual time, with real signals to this process."""

import signal
import socket
from collections.abc import Iterator
from math import inf

import pytest

from asgi_health import Drain, Probe, Status
from asgi_health.core.engine import Engine
from asgi_health.core.lifecycle import Phase
from asgi_health.core.logger import logger
from asgi_health.runtime.drain.controller import DrainController
from asgi_health.runtime.watchdog.loop_heartbeat import PERIOD, LoopHeartbeat
from asgi_health.runtime.watchdog.monitor_thread import MonitorThread

from ..support.virtual_time import BACKENDS, clock_of, run_virtual


class StubHeartbeat(LoopHeartbeat):
    """The heartbeat of a loop that runs until a test says that it has ended."""

    loop_runs = True

    @property
    def alive(self) -> bool:
        return self.loop_runs


class StubMonitor(MonitorThread):
    """Counts the calls of `wake`; the test calls `poll` in place of its thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.wakes = 0

    def wakeup_fileno(self) -> int:
        return self._descriptor

    def wake(self) -> None:
        self.wakes += 1


class Process:
    """A process whose server has a handler of SIGTERM, and whose app drains for 5 seconds."""

    def __init__(self, descriptor: int) -> None:
        self.now = 0.0
        self.received: list[int] = []
        """The signals that have reached the server."""
        self.disarms_when_time_is_read = False
        self.engine = Engine(self._clock, lambda: 0.5)
        self.heartbeat = StubHeartbeat()
        self.monitor = StubMonitor(descriptor)
        self.controller = DrainController(self.engine, Drain(delay=5.0), self.heartbeat, self.monitor)

    def _clock(self) -> float:
        if self.disarms_when_time_is_read:
            self.controller.disarm()
        return self.now

    def serve(self) -> None:
        self.engine.start("lifespan", self.now)
        self.engine.serve(self.now)

    def poll(self, now: float) -> float:
        self.now = now
        return self.controller.poll(now)

    @property
    def ready(self) -> bool:
        return self.engine.probe_status(Probe.READINESS).at(self.now) is Status.HEALTHY


@pytest.fixture
def process() -> Iterator[Process]:
    reading, writing = socket.socketpair()
    writing.setblocking(False)  # as signal.set_wakeup_fd requires
    with reading, writing:
        process = Process(writing.fileno())
        process.serve()
        before = signal.signal(signal.SIGTERM, lambda number, frame: process.received.append(number))
        process.controller.arm()
        yield process
        process.controller.disarm()
        signal.signal(signal.SIGTERM, before)


def sigterm() -> None:
    signal.raise_signal(signal.SIGTERM)


def test_the_first_signal_is_passed_on_once_when_the_delay_is_over_and_not_before(process: Process) -> None:
    process.now = 100.0
    sigterm()
    assert (process.ready, process.monitor.wakes) == (False, 1)
    assert process.poll(100.0) == 100.0 + PERIOD
    assert process.poll(104.9) == pytest.approx(105.0)
    assert process.received == []
    assert process.poll(105.0) == inf
    assert process.received == [signal.SIGTERM]
    assert process.poll(110.0) == inf
    assert process.received == [signal.SIGTERM]


def test_a_second_signal_goes_through_and_the_first_is_not_passed_on_as_well(process: Process) -> None:
    sigterm()
    assert process.received == []
    sigterm()
    assert process.received == [signal.SIGTERM]
    assert process.poll(10.0) == inf
    assert process.received == [signal.SIGTERM]


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.STOPPED])
def test_a_signal_to_an_app_that_does_not_serve_goes_through(phase: Phase, process: Process) -> None:
    process.engine.stop(0.0)
    if phase is Phase.STARTING:
        process.engine.finish("lifespan")
        process.engine.start("second lifespan", 0.0)
    assert process.engine.phase is phase
    sigterm()
    assert process.received == [signal.SIGTERM]


@pytest.mark.parametrize("passed", [0.0, 2.0, 4.9])
def test_the_delay_counts_from_the_beginning_of_the_drain(passed: float, process: Process) -> None:
    process.engine.drain(0.0)
    process.now = passed
    sigterm()
    process.poll(4.95)
    assert process.received == []
    process.poll(5.0)
    assert process.received == [signal.SIGTERM]


def test_a_signal_after_a_drain_that_is_over_goes_through(process: Process) -> None:
    process.engine.drain(0.0)
    process.now = 5.0
    sigterm()
    assert process.received == [signal.SIGTERM]


def test_a_signal_makes_a_temporary_drain_permanent_and_counts_from_its_beginning(process: Process) -> None:
    process.engine.set_temporary_drain(True, 10.0)
    process.now = 12.0
    sigterm()
    process.engine.set_temporary_drain(False, 13.0)
    process.poll(14.9)
    assert (process.ready, process.received) == (False, [])
    process.poll(15.0)
    assert process.received == [signal.SIGTERM]


def test_once_disarmed_a_delayed_signal_waits_for_pass_on_signal(process: Process) -> None:
    sigterm()
    process.controller.disarm()
    assert not process.controller.delays_signal
    assert process.poll(10.0) == inf
    assert process.received == []
    for _ in range(2):
        process.controller.pass_on_signal()
    assert process.received == [signal.SIGTERM]


def test_a_poll_that_is_interrupted_by_disarm_passes_no_signal_on(process: Process) -> None:
    """The server stops in the moment in which the delay ends: the app shuts down first."""
    sigterm()
    process.disarms_when_time_is_read = True
    process.poll(10.0)
    assert process.received == []
    process.controller.pass_on_signal()
    assert process.received == [signal.SIGTERM]


def test_once_disarmed_a_signal_goes_through(process: Process) -> None:
    process.controller.disarm()
    sigterm()
    assert process.received == [signal.SIGTERM]
    assert process.ready


def test_when_the_loop_has_ended_a_delayed_signal_is_passed_on_at_once_and_only_once(process: Process) -> None:
    sigterm()
    process.heartbeat.loop_runs = False
    assert process.poll(0.1) == inf
    assert process.received == [signal.SIGTERM]
    assert process.poll(10.0) == inf
    assert process.received == [signal.SIGTERM]


def test_when_the_loop_has_ended_a_signal_goes_through(process: Process) -> None:
    process.heartbeat.loop_runs = False
    sigterm()
    assert process.received == [signal.SIGTERM]


def test_once_a_signal_was_let_through_the_monitor_need_not_listen_to_signals(process: Process) -> None:
    assert process.controller.handles_signals
    sigterm()
    assert process.controller.handles_signals
    sigterm()
    assert not process.controller.handles_signals


@pytest.mark.parametrize("late", [0.0, 5.0])
def test_a_failing_log_does_not_keep_a_signal_back(
    late: float, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logger, "info", broken)
    sigterm()
    with pytest.raises(OSError, match="disk"):
        process.poll(late)
    process.poll(5.0)
    assert process.received == [signal.SIGTERM]


def broken(*_: object, **__: object) -> None:
    raise OSError("the disk of the log is full")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_drain_that_a_request_asks_for_returns_when_it_is_over(backend: str, process: Process) -> None:
    clock = clock_of(backend)
    engine = Engine(clock, lambda: 0.5)
    drain = Drain(delay=5.0, path="/drain", allow=True)
    controller = DrainController(engine, drain, process.heartbeat, process.monitor)

    async def main() -> tuple[float, float]:
        engine.start("lifespan", clock())
        engine.serve(clock())
        start = clock()
        await controller.drain()
        first = clock() - start
        await controller.drain()
        return first, clock() - start

    assert run_virtual(backend, main) == pytest.approx((5.0, 5.0))
    assert engine.phase is Phase.DRAINING
