"""The whole package on both event loops: hundreds of async checks for hours behind a real middleware."""

import logging
from collections import Counter, deque
from collections.abc import Callable
from random import Random

import anyio
import pytest
import trio

from asgi_health import CheckTransition, Health, HealthMiddleware, Probe, Transition
from asgi_health.asgi.types import Receive, Scope, Send
from asgi_health.core.lifecycle import Phase
from asgi_health.health import engine_of

from ..support.asgi_caller import ask
from ..support.core_cases import replay, replayed
from ..support.lifespan_driver import serving
from ..support.virtual_time import BACKENDS, clock_of, run_virtual, stall
from .behaviour import random_checks, seconds_stalled_since
from .dependencies import SLACK, Dependency

HOUR = 3600.0


class SlowApp:
    """The app inside of the middleware: slow to start and slow to stop."""

    def __init__(self, on_shutdown: Callable[[], None]) -> None:
        self.started = anyio.Event()
        """Set when the lifespan has begun."""
        self.is_serving = False
        self._on_shutdown = on_shutdown

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan", "a probe has reached the app"
        assert (await receive())["type"] == "lifespan.startup"
        self.started.set()
        await anyio.sleep(3.0)
        self.is_serving = True
        await send({"type": "lifespan.startup.complete"})
        assert (await receive())["type"] == "lifespan.shutdown"
        self._on_shutdown()
        self.is_serving = False
        await anyio.sleep(1.0)
        await send({"type": "lifespan.shutdown.complete"})


class Simulation:
    """An app with its dependencies, a prober that compares its answers with them, and a loop that stalls."""

    def __init__(self, backend: str, random: Random) -> None:
        self.backend = backend
        self.random = random
        self.clock = clock_of(backend)
        self.stalls: deque[tuple[float, float]] = deque(maxlen=20)
        self.dependencies = [
            Dependency(template, random, self.clock, lambda moment: seconds_stalled_since(self.stalls, moment))
            for template in random_checks(random, 200, longest=300.0, critical=0.08)
        ]
        critical = [each for each in self.dependencies if each.check.critical]
        self.critical_for_readiness = [each for each in critical if Probe.READINESS in each.check.probes]
        self.critical_for_startup = [each for each in critical if Probe.STARTUP in each.check.probes]
        self.health = Health((each.check for each in self.dependencies), clock=self.clock, random=random.random)
        self.replay = replayed(engine_of(self.health))
        self.transitions = 0
        engine_of(self.health).on_transition(self.on_transition)
        self.transitions_after_stop: list[Transition] = []
        self.slow_app = SlowApp(self.on_shutdown)
        self.app = HealthMiddleware(self.slow_app, checks=self.health)
        self.startup_passed = self.draining = self.stopping = False
        self.codes: Counter[int] = Counter()

    @property
    def phase(self) -> Phase:
        return engine_of(self.health).phase

    def on_shutdown(self) -> None:
        """Check that no check uses what the app is about to close."""
        assert not [each for each in self.dependencies if each.is_running and not each.ignores_cancel]

    def on_transition(self, transition: Transition) -> None:
        replay(self.replay, [transition])  # fails where one was lost or invented
        self.transitions += 1
        if self.phase is Phase.STOPPED and isinstance(transition, CheckTransition):
            self.transitions_after_stop.append(transition)

    async def run_lifespans(self, *seconds: float) -> None:
        """Run one lifespan after the other on one loop, of these durations."""
        for each in seconds:
            await self.run_lifespan(each)

    async def run_lifespan(self, seconds: float) -> None:
        """Start the app, let it serve for `seconds`, drain it, and shut it down."""
        self.startup_passed = self.draining = self.stopping = False
        self.slow_app.started = anyio.Event()
        for each in self.dependencies:
            each.start_lifespan()
        async with anyio.create_task_group() as background:
            background.start_soon(self.probe_at_random)
            async with serving(self.app):
                background.start_soon(self.stall_at_random)
                await anyio.sleep(seconds)
                self.health.drain()
                self.draining = True
                for each in self.random.sample(self.dependencies, 40):
                    each.behaviour.keep("uncancellable")
                await anyio.sleep(330.0)
                self.update_startup()
                self.stopping = True
            for each in self.dependencies:
                each.app_has_ended = True
            runs = [each.runs for each in self.dependencies]
            await anyio.sleep(60.0)
            assert [each.runs for each in self.dependencies] == runs, "a check ran after the app had shut down"
            assert not any(each.ran_twice_at_a_time for each in self.dependencies), "two runs of one check at a time"
            assert not any(each.outlived_its_app for each in self.dependencies), "a run outlived its app"
            assert max(each.lateness for each in self.dependencies) <= SLACK
            assert self.transitions_after_stop == [], "an abandoned run was counted"
            assert self.replay == replayed(engine_of(self.health)), "a transition was lost"
            assert self.transitions > len(self.dependencies)
            background.cancel_scope.cancel()

    async def probe_at_random(self) -> None:
        await self.slow_app.started.wait()
        while True:
            await self.probe()
            await anyio.sleep(self.random.expovariate(1 / 10))

    async def stall_at_random(self) -> None:
        while True:
            await anyio.sleep(self.random.expovariate(1 / 600))
            seconds = self.random.choice((0.5, 5.0, 50.0, 500.0, 2000.0))
            stale = any(
                each.check.stale_after <= seconds and not each.expected.is_finished
                for each in self.critical_for_readiness
            )
            begin = self.clock()
            stall(self.backend, seconds)
            self.stalls.append((begin, self.clock()))
            code = (await ask(self.app, "/readyz")).status
            assert code == 503 or not stale, "ready on stale results, right after a stall"

    def update_startup(self) -> None:
        if self.slow_app.is_serving and not self.stopping:
            self.startup_passed |= all(each.expected.has_passed for each in self.critical_for_startup)

    async def probe(self) -> None:
        """Compare the answers to readiness and startup with what the dependencies have done."""
        code = (await ask(self.app, "/readyz")).status
        self.codes[code] += 1
        self.update_startup()
        if self.stalls and self.clock() - self.stalls[-1][1] < SLACK:
            return  # the runner has not run since the stall
        if code == 200:
            assert self.slow_app.is_serving
            assert self.startup_passed
            assert not self.draining
            assert not self.stopping
            assert not [each.check for each in self.critical_for_readiness if each.must_not_pass()]
        elif self.startup_passed and not self.draining and not self.stopping:
            assert any(each.may_fail() for each in self.critical_for_readiness), "not ready without a reason"
        assert (await ask(self.app, "/startupz")).status == (200 if self.startup_passed else 503)


@pytest.mark.parametrize("backend", BACKENDS)
def test_readiness_passes_only_while_it_may(backend: str, seed: int, caplog: pytest.LogCaptureFixture) -> None:
    # Private, because trio has no public way to repeat the order in which its tasks run.
    trio._core._run._r.seed(seed)
    simulation = Simulation(backend, Random(seed))
    with caplog.at_level(logging.ERROR):
        run_virtual(backend, lambda: simulation.run_lifespans(HOUR, 0.1 * HOUR))
        assert simulation.phase is Phase.STOPPED
        assert sum(each.runs for each in simulation.dependencies) > 2_000
        assert simulation.codes[200] > 20, "a simulation that never passes shows nothing"
        run_virtual(backend, lambda: simulation.run_lifespans(0.1 * HOUR), start=simulation.clock())
    assert [record.getMessage() for record in caplog.records] == []
