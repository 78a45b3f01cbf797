"""When a drain begins and ends: on virtual time, without a real signal."""

from math import inf

import pytest

from asgi_health import Drain, Health, Probe, Status
from asgi_health.core.lifecycle import Phase
from asgi_health.core.logger import logger
from asgi_health.runtime.drain.controller import Drainer

from ..support.virtual_time import BACKENDS, clock_of, run_virtual


class Lab:
    """A drainer on a clock of the test's own, and what it does to the process."""

    def __init__(self, drain: Drain) -> None:
        self.now = 0.0
        self.passed_on = 0
        self.woken = 0
        self.health = Health(clock=lambda: self.now, random=lambda: 0.5)
        self.drainer = Drainer(self.health, drain, self._wake, self._pass_on)
        self.health.begin()
        self.health.serve()

    def _wake(self) -> None:
        self.woken += 1

    def _pass_on(self) -> None:
        self.passed_on += 1

    def look(self, now: float) -> float:
        self.now = now
        return self.drainer.look(now)

    @property
    def ready(self) -> bool:
        return self.health.outlook(Probe.READINESS).at(self.now) is Status.HEALTHY


def test_the_first_signal_is_passed_on_when_the_delay_is_over_and_not_before() -> None:
    lab = Lab(Drain(delay=5.0))
    lab.now = 100.0
    assert lab.drainer.hold()
    assert (lab.ready, lab.woken) == (False, 1)
    assert lab.look(100.0) == 105.0
    assert lab.look(104.9) == pytest.approx(105.0)
    assert lab.passed_on == 0
    assert lab.look(105.0) == inf
    assert lab.passed_on == 1
    assert not lab.drainer.hold()  # which is that very signal
    assert lab.look(110.0) == inf
    assert lab.passed_on == 1


def test_a_second_signal_goes_through() -> None:
    lab = Lab(Drain(delay=5.0))
    assert lab.drainer.hold()
    assert not lab.drainer.hold()


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.STOPPED])
def test_a_signal_to_an_app_that_does_not_serve_goes_through(phase: Phase) -> None:
    lab = Lab(Drain(delay=5.0))
    lab.health.stop()
    if phase is Phase.STARTING:
        lab.health.end()
        lab.health.begin()
    assert lab.health.phase is phase
    assert not lab.drainer.hold()


@pytest.mark.parametrize("passed", [0.0, 2.0, 4.9])
def test_a_drain_that_began_before_the_signal_shortens_the_wait(passed: float) -> None:
    lab = Lab(Drain(delay=5.0))
    lab.health.drain()
    lab.now = passed
    assert lab.drainer.hold()
    assert lab.look(passed) == pytest.approx(5.0)


def test_a_signal_after_a_drain_that_is_over_goes_through() -> None:
    lab = Lab(Drain(delay=5.0))
    lab.health.drain()
    lab.now = 5.0
    assert not lab.drainer.hold()


def test_once_the_server_stops_nothing_is_passed_on() -> None:
    lab = Lab(Drain(delay=5.0))
    assert lab.drainer.hold()
    lab.drainer.cancel()
    assert lab.look(10.0) == inf
    assert lab.passed_on == 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_who_asks_for_a_drain_waits_until_it_is_over(backend: str) -> None:
    clock = clock_of(backend)
    health = Health(clock=clock)
    drainer = Drainer(health, Drain(delay=5.0, path="/drain", allow=True), lambda: None, lambda: None)

    async def main() -> tuple[float, float]:
        health.begin()
        health.serve()
        start = clock()
        await drainer.drain()
        first = clock() - start
        await drainer.drain()
        return first, clock() - start

    assert run_virtual(backend, main) == pytest.approx((5.0, 5.0))
    assert health.phase is Phase.DRAINING


def test_a_signal_that_went_through_is_not_passed_on_once_more() -> None:
    lab = Lab(Drain(delay=5.0))
    assert lab.drainer.hold()
    assert not lab.drainer.hold()
    assert lab.look(10.0) == inf
    assert lab.passed_on == 0


def test_once_cancelled_it_holds_nothing_and_the_next_signal_goes_through() -> None:
    lab = Lab(Drain(delay=5.0))
    assert lab.drainer.hold()
    lab.drainer.cancel()
    assert not lab.drainer.holding
    assert not lab.drainer.hold()  # the server stops already


def test_released_it_passes_on_at_once_and_only_once() -> None:
    lab = Lab(Drain(delay=5.0))
    lab.drainer.release()
    assert lab.passed_on == 0
    assert lab.drainer.hold()
    for _ in range(2):
        lab.drainer.release()
    assert lab.look(10.0) == inf
    assert lab.passed_on == 1


@pytest.mark.parametrize("late", [0.0, 5.0])
def test_a_log_that_fails_keeps_no_signal_from_passing(late: float, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab(Drain(delay=5.0))
    monkeypatch.setattr(logger, "info", broken)
    assert lab.drainer.hold()
    with pytest.raises(OSError, match="disk"):
        lab.look(late)
    lab.look(5.0)
    assert lab.passed_on == 1


def broken(*_: object) -> None:
    raise OSError("the disk of the log is full")
