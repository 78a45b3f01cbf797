"""The background task of the runner: when it is cancelled, when it crashes, when the loop is blocked."""

import asyncio
import contextvars
import gc
import logging
import weakref

import anyio
import pytest
import trio

from asgi_health import Check, Health, HealthMiddleware, Probe, Status
from asgi_health.core.check import CheckFunction
from asgi_health.core.engine import Engine
from asgi_health.core.schedule import DueRuns
from asgi_health.core.stalls import StallTimes
from asgi_health.core.workers import Worker, combine
from asgi_health.health import engine_of
from asgi_health.runtime.scheduler.runner import Runner, runner_of
from asgi_health.testing import lifespan, probe, settled
from tests.apps import plain_app
from tests.support.virtual_time import clock_of, run_virtual, stall
from tests.support.waiting import wait_until_async

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
variable = contextvars.ContextVar("variable", default="nothing")


def healthy_check() -> Check:
    async def passes() -> None:
        pass

    return Check("passes", passes)


@BACKENDS
def test_the_first_probe_after_a_stall_is_not_healthy_by_stale_results(backend: str) -> None:
    async def main() -> None:
        health = Health([Check("passes", healthy_check().run, max_age=14.0)], clock=clock_of(backend))
        app = HealthMiddleware(plain_app, health)
        async with lifespan(app):
            await settled(health)
            assert (await probe(app, "/readyz")).status == 200
            stall(backend, 30.0)
            assert (await probe(app, "/readyz")).status == 503
            assert (await probe(app, "/livez")).status == 200
            await anyio.sleep(0.1)
            assert (await probe(app, "/readyz")).status == 200

    run_virtual(backend, main)


@BACKENDS
def test_a_result_that_the_loop_receives_after_the_deadline_counts_as_late(backend: str) -> None:
    async def main() -> None:
        async def quick() -> None:
            await anyio.sleep(0.5)

        health = Health([Check("quick", quick, timeout=1.0)], clock=clock_of(backend))
        app = HealthMiddleware(plain_app, health)
        async with lifespan(app):
            await anyio.sleep(0.1)
            stall(backend, 5.0)
            await anyio.sleep(0.01)
            assert health.report().checks[0].output == "timed out after 1.0 s"

    run_virtual(backend, main)


def test_a_run_that_another_worker_takes_over_before_the_loop_begins_it_does_not_call_its_function() -> None:
    called: list[str] = []

    async def main() -> None:
        async def first() -> None:
            called.append("first")
            # As the board's thread does while this one blocks the loop.
            own, other = (worker(engine, key, leads=key == "other") for key in ("own", "other"))
            engine.set_host(combine(own, (other,), 0.0, leader="other"), 0.0)

        async def second() -> None:
            called.append("second")

        checks = [Check("first", first), Check("second", second, scope="host")]
        health = Health(checks, clock=clock_of("asyncio"))
        engine = engine_of(health)
        async with health.running():
            await anyio.sleep(5.0)

    run_virtual("asyncio", main)
    assert called == ["first"]


def worker(engine: Engine, key: str, *, leads: bool) -> Worker:
    return engine.own_worker(key, 1, 0.0, started=0.0, beat=0.0, stall_times=StallTimes(), leads=leads)


def test_after_a_runner_was_cancelled_from_outside_its_results_grow_stale() -> None:
    async def main() -> None:
        health = Health([healthy_check()], clock=clock_of("asyncio"))
        app = HealthMiddleware(plain_app, health, slow_loop=0)  # no heartbeat starts it again
        async with lifespan(app):
            await settled(health)
            (runner,) = (task for task in asyncio.all_tasks() if task.get_name() == "asgi-health runner")
            runner.cancel()
            await asyncio.sleep(31.0)
            assert health.report(Probe.READINESS).status is Status.HEALTHY
            await asyncio.sleep(1.5)
            assert health.report(Probe.READINESS).status is Status.UNHEALTHY
            # A probe that finds a stale result runs the check on demand, as without lifespan.
            assert (await probe(app, "/readyz")).status == 200

    run_virtual("asyncio", main)


@BACKENDS
def test_a_runner_that_crashes_is_logged_and_starts_again_after_growing_pauses(
    backend: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = clock_of(backend)
    crashes: list[float] = []
    due = Engine.due

    def broken(self: Engine, now: float, *, at_most: int = 1) -> DueRuns:
        if len(crashes) < 4:
            crashes.append(now)
            raise RuntimeError("an error of the engine")
        return due(self, now, at_most=at_most)

    monkeypatch.setattr(Engine, "due", broken)  # only an error of our own can make the runner crash

    async def main() -> None:
        health = Health([healthy_check()], clock=clock)
        app = HealthMiddleware(plain_app, health)
        async with lifespan(app):
            await anyio.sleep(14.0)
            assert health.report(Probe.READINESS).status is Status.UNHEALTHY
            await anyio.sleep(2.0)
            assert (await probe(app, "/readyz")).status == 200

    with caplog.at_level(logging.ERROR, "asgi_health"):
        run_virtual(backend, main)
    assert [later - crashes[0] for later in crashes] == pytest.approx([0.0, 1.0, 3.0, 7.0], abs=0.05)
    assert [record.message for record in caplog.records] == [
        f"the runner of the checks crashed; it starts again in {seconds} s" for seconds in (1, 2, 4, 8)
    ]


@BACKENDS
def test_a_check_does_not_inherit_the_context_of_the_task_that_started_it(backend: str) -> None:
    seen: list[str] = []

    async def in_a_task() -> None:
        seen.append(variable.get())

    def in_a_thread() -> None:
        seen.append(variable.get())

    async def main() -> None:
        variable.set("the span of a request")
        health = Health([Check("task", in_a_task), Check("thread", in_a_thread)])
        async with lifespan(HealthMiddleware(plain_app, health)):
            await settled(health)

    anyio.run(main, backend=backend)
    assert seen == ["nothing", "nothing"]


@BACKENDS
def test_after_the_shutdown_no_task_is_left(backend: str) -> None:
    async def hang() -> None:
        await anyio.sleep_forever()

    async def count() -> int:
        return len(asyncio.all_tasks()) if backend == "asyncio" else trio.lowlevel.current_statistics().tasks_living

    async def main() -> None:
        clock = clock_of(backend)
        checks = [Check(f"hang-{number}", hang) for number in range(20)]
        # The first lifespan starts the one task that the trio backend keeps until the end of the loop.
        async with lifespan(HealthMiddleware(plain_app, Health(clock=clock))):
            pass
        await anyio.sleep(0.1)
        before = await count()
        async with lifespan(HealthMiddleware(plain_app, Health(checks, clock=clock))):
            await anyio.sleep(100.0)
            assert await count() > before
        await anyio.sleep(0.1)
        assert await count() == before

    run_virtual(backend, main)


class Connection:
    """A connection that a check used when it failed."""


CONNECTIONS: list[weakref.ref[Connection]] = []


async def fail() -> None:
    connection = Connection()
    CONNECTIONS.append(weakref.ref(connection))
    raise ConnectionError("lost")


def fail_in_a_thread() -> None:
    connection = Connection()
    CONNECTIONS.append(weakref.ref(connection))
    raise ConnectionError("lost")


@BACKENDS
@pytest.mark.parametrize("function", [fail, fail_in_a_thread])
def test_the_objects_of_failed_runs_are_released(backend: str, function: CheckFunction) -> None:
    """An exception refers to its frames, and these to the connection that was in use: it must not be kept."""
    CONNECTIONS.clear()
    check = Check("fail", function, interval=0.001, retry_interval=0.001, timeout=60.0)

    async def main() -> None:
        async with lifespan(HealthMiddleware(plain_app, Health([check]))):
            await wait_until_async(lambda: len(CONNECTIONS) >= 100, "the check has run a hundred times", 30.0)

    logger = logging.getLogger("asgi_health")
    logger.addFilter(_refuse)  # caplog keeps every record, and with it the exception
    gc.disable()
    try:
        anyio.run(main, backend=backend)
        assert sum(ref() is not None for ref in CONNECTIONS) <= 1
    finally:
        gc.enable()
        logger.removeFilter(_refuse)


def _refuse(record: logging.LogRecord) -> bool:
    return False


@BACKENDS
def test_checks_that_are_added_and_removed_at_run_time_are_run_and_cancelled_at_once(backend: str) -> None:
    clock = clock_of(backend)
    ended: list[float] = []

    async def hang() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(clock())

    async def main() -> None:
        health = Health([healthy_check()], clock=clock)
        app = HealthMiddleware(plain_app, health)
        async with lifespan(app):
            await anyio.sleep(5.0)
            health.add(Check("hang", hang, timeout=60.0))
            assert (await probe(app, "/readyz")).status == 503
            await anyio.sleep(1.0)
            health.remove("hang")
            assert (await probe(app, "/readyz")).status == 200
            await anyio.sleep(0.1)
            assert ended == pytest.approx([6.0], abs=0.05)

    run_virtual(backend, main)


def test_an_engine_has_one_runner() -> None:
    first, second = (engine_of(Health()) for _ in range(2))
    assert isinstance(runner_of(first), Runner)
    assert runner_of(first) is runner_of(first)
    assert runner_of(first) is not runner_of(second)
