"""The whole of it on both event loops: hundreds of async checks for hours behind a real middleware."""

import logging
from collections import Counter, deque
from random import Random

import anyio
import pytest
import trio

from asgi_health import Health, HealthMiddleware, Probe, Transition
from asgi_health.core.lifecycle import Phase

from ..support.virtual_time import BACKENDS, clock_of, run_virtual, stall
from .dependencies import SLACK, Dependency
from .moods import some_checks
from .server import Inner, Life, get
from .world import stalled_since

HOUR = 3600.0


class Scene:
    """An app with its dependencies, a prober that compares what it reads with what is known, and a loop that stalls."""

    def __init__(self, backend: str, random: Random) -> None:
        self.backend = backend
        self.random = random
        self.clock = clock_of(backend)
        templates = some_checks(random, 200, longest=300.0, critical=0.08)
        self.stalls: deque[tuple[float, float]] = deque(maxlen=20)
        self.dependencies = [
            Dependency(template, random, self.clock, lambda moment: stalled_since(self.stalls, moment))
            for template in templates
        ]
        checks = [each.check for each in self.dependencies]
        self.deciding = [
            each for each in self.dependencies if each.check.critical and Probe.READINESS in each.check.probes
        ]
        self.opening = [
            each for each in self.dependencies if each.check.critical and Probe.STARTUP in each.check.probes
        ]
        self.health = Health(checks, clock=self.clock, random=random.random)
        self.late_news: list[Transition] = []
        self.health.subscribe(self.hear)
        self.inner = Inner(self.on_shutdown)
        self.app = HealthMiddleware(self.inner, checks=self.health)
        self.opened = self.draining = self.stopping = False
        self.codes: Counter[int] = Counter()

    def on_shutdown(self) -> None:
        """No check may use what the app is about to close."""
        assert not [each for each in self.dependencies if each.busy and not each.deaf]

    def hear(self, transition: Transition) -> None:
        if self.health.phase is Phase.STOPPED:
            self.late_news.append(transition)

    async def live(self, *seconds: float) -> None:
        """Live lives of so many seconds, one after the other on one loop."""
        for each in seconds:
            await self.live_once(each)

    async def live_once(self, seconds: float) -> None:
        """Start the app, let it serve for so long, and shut it down."""
        self.opened = self.draining = self.stopping = False
        for each in self.dependencies:
            each.begin()
        life = Life(self.app)
        async with anyio.create_task_group() as others:
            async with anyio.create_task_group() as server:
                server.start_soon(life.run)
                await life.begun.wait()
                others.start_soon(self.probe_now_and_then)
                await life.complete.wait()
                others.start_soon(self.stall_now_and_then)
                await anyio.sleep(seconds)
                self.health.drain()
                self.draining = True
                for each in self.random.sample(self.dependencies, 40):
                    each.mood.stay("deaf")
                await anyio.sleep(330.0)
                self.look_at_startup()
                self.stopping = True
                life.stop()
            for each in self.dependencies:
                each.over = True
            asked = [each.asked for each in self.dependencies]
            await anyio.sleep(60.0)
            assert [each.asked for each in self.dependencies] == asked, "a check ran after the app had shut down"
            assert not any(each.asked_twice for each in self.dependencies), "two runs of one check at a time"
            assert not any(each.haunted for each in self.dependencies), "a run outlived its app"
            assert max(each.lateness for each in self.dependencies) <= SLACK
            assert self.late_news == [], "news of runs that were given up"
            others.cancel_scope.cancel()

    async def probe_now_and_then(self) -> None:
        while True:
            await self.probe()
            await anyio.sleep(self.random.expovariate(1 / 10))

    async def stall_now_and_then(self) -> None:
        while True:
            await anyio.sleep(self.random.expovariate(1 / 600))
            seconds = self.random.choice((0.5, 5.0, 50.0, 500.0, 2000.0))
            stale = any(each.check.stale_after <= seconds and not each.witness.done for each in self.deciding)
            begin = self.clock()
            stall(self.backend, seconds)
            self.stalls.append((begin, self.clock()))
            code = await get(self.app, "/readyz")
            assert code == 503 or not stale, "green on old evidence, right after a stall"

    def look_at_startup(self) -> None:
        if self.inner.serving and not self.stopping:
            self.opened |= all(each.witness.passed for each in self.opening)

    async def probe(self) -> None:
        """Ask, and compare the answer with what is known from outside."""
        code = await get(self.app, "/readyz")
        self.codes[code] += 1
        self.look_at_startup()
        if self.stalls and self.clock() - self.stalls[-1][1] < SLACK:
            return  # the runner has not had its turn since
        if code == 200:
            assert self.inner.serving
            assert self.opened
            assert not self.draining
            assert not self.stopping
            assert not [each.check for each in self.deciding if each.bad()]
        elif self.opened and not self.draining and not self.stopping:
            assert any(each.suspect() for each in self.deciding), "a false alarm"
        assert await get(self.app, "/startupz") == (200 if self.opened else 503)


@pytest.mark.parametrize("backend", BACKENDS)
def test_readiness_is_never_green_while_it_must_not_be(
    backend: str, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    trio._core._run._r.seed(seed)  # the order in which tasks have their turn
    scene = Scene(backend, Random(seed))
    with caplog.at_level(logging.ERROR):
        run_virtual(backend, lambda: scene.live(HOUR, 0.1 * HOUR))
        assert scene.health.phase is Phase.STOPPED
        assert sum(each.asked for each in scene.dependencies) > 2_000
        assert scene.codes[200] > 20, "a simulation that is never green proves nothing"
        run_virtual(backend, lambda: scene.live(0.1 * HOUR), start=scene.clock())
    assert [record.getMessage() for record in caplog.records] == []
