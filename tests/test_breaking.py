"""asgi_health.testing: a check that a test breaks, and the assertions about readiness."""

import threading
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette

from asgi_health import Check, CheckTransition, Health, HealthMiddleware, Status, Transition, testing, unhealthy
from asgi_health.testing import assert_not_ready, assert_ready, break_check, health_of, lifespan, probe, settled

from .support.app_thread import running_app
from .support.waiting import wait_until, wait_until_async

ANY: Any = testing  # untyped: a type checker refuses these calls


class Dependency:
    """Counts the runs of its check, which passes unless `down`."""

    def __init__(self) -> None:
        self.runs = 0
        self.down = False

    def plain(self) -> object:
        self.runs += 1
        return unhealthy("down by itself") if self.down else None

    async def asynchronous(self) -> object:
        return self.plain()


def frequent(name: str, run: Callable[[], object], **options: Any) -> Check:
    return Check(name, run, interval=0.01, retry_interval=0.01, max_age=60.0, **options)


def run_app(test: Callable[[HealthMiddleware], Awaitable[None]], *checks: Check, backend: str = "asyncio") -> None:
    async def main() -> None:
        app = HealthMiddleware(Starlette(), checks)
        async with lifespan(app):
            await settled(app.health)
            await test(app)

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("kind", ["plain", "asynchronous"])
def test_a_broken_check_fails_at_once_and_however_it_runs_and_is_repaired_at_once(backend: str, kind: str) -> None:
    dependency = Dependency()
    seen: list[Transition] = []

    async def test(app: HealthMiddleware) -> None:
        app.health.subscribe(seen.append)
        assert_ready(app.health)
        with break_check(app.health, "database", "the cable is out"):
            assert_not_ready(app.health, because="database")
            assert (await probe(app, "/readyz")).status == 503
            assert (await probe(app, "/livez")).status == 200
            runs = dependency.runs
            await wait_until_async(lambda: dependency.runs >= runs + 3, "its own function runs meanwhile, and passes")
            assert_not_ready(app.health, because="database")
            assert app.health.report().checks[0].output.endswith("the cable is out")
        assert_ready(app.health)
        assert (await probe(app, "/readyz")).status == 200
        runs = dependency.runs
        await wait_until_async(lambda: dependency.runs >= runs + 2, "it runs again")
        assert_ready(app.health)

    run_app(test, frequent("database", getattr(dependency, kind)), backend=backend)
    changes = [each.new for each in seen if isinstance(each, CheckTransition)]
    assert changes == [Status.UNHEALTHY, Status.HEALTHY]


def test_without_a_lifespan_it_fails_on_demand() -> None:
    dependency = Dependency()
    app = HealthMiddleware(Starlette(), [frequent("database", dependency.plain)])

    async def main() -> None:
        with break_check(app.health, "database"):
            assert (await probe(app, "/readyz")).status == 503
            assert_not_ready(app.health, because="database")
        # It has had no other result, so it has none now, and the next probe runs it.
        assert (await probe(app, "/readyz")).status == 200

    anyio.run(main)


def test_it_is_repaired_while_its_dependency_is_down_and_the_next_run_shows_that() -> None:
    dependency = Dependency()

    async def test(app: HealthMiddleware) -> None:
        broken = break_check(app.health, "database")
        dependency.down = True
        broken.repair()
        await wait_until_async(lambda: "down by itself" in app.health.report().checks[0].output, "a run has failed")
        broken.repair()  # without effect
        await wait_until_async(lambda: app.health.report().status is Status.UNHEALTHY, "the threshold is reached")

    run_app(test, frequent("database", dependency.plain))


def test_a_check_that_is_broken_twice_is_repaired_with_the_outer_one() -> None:
    async def test(app: HealthMiddleware) -> None:
        with break_check(app.health, "database", "outer"):
            with break_check(app.health, "database", "inner"):
                assert app.health.report().checks[0].output.endswith("inner")
            assert_not_ready(app.health, because="database")
        assert_ready(app.health)

    run_app(test, frequent("database", Dependency().plain))


def test_a_break_that_outlasts_a_lifespan_holds_in_the_next_one() -> None:
    app = HealthMiddleware(Starlette(), [frequent("database", Dependency().plain)])

    async def main() -> None:
        async with lifespan(app):
            await settled(app.health)
            broken = break_check(app.health, "database")
        async with lifespan(app):
            await settled(app.health)
            assert_not_ready(app.health, because="database")
            broken.repair()
            await settled(app.health)
            assert_ready(app.health)

    anyio.run(main)


def test_it_can_be_broken_from_another_thread_than_that_of_the_app() -> None:
    app = HealthMiddleware(Starlette(), [frequent("database", Dependency().asynchronous)])
    with running_app(app):
        wait_until(lambda: app.health.report().status is Status.HEALTHY, "the app is ready")
        assert threading.current_thread() is threading.main_thread()
        with break_check(app.health, "database"):
            assert_not_ready(app.health, because="database")
        assert_ready(app.health)


def test_the_assertions_say_what_is_the_case() -> None:
    async def test(app: HealthMiddleware) -> None:
        health = app.health
        with pytest.raises(AssertionError, match=r"^the app is ready$"):
            assert_not_ready(health)
        with pytest.raises(AssertionError, match=r"^the app is ready, expected cache, database to make it not ready$"):
            assert_not_ready(health, because=("database", "cache"))
        with break_check(health, "database", "refused"), break_check(health, "search"):
            assert_not_ready(health)
            with pytest.raises(AssertionError, match=r"^the app is not ready: check; check 'database': .*refused$"):
                assert_ready(health)
            with pytest.raises(AssertionError, match=r"^the app is not ready, but not because of search: check; check"):
                assert_not_ready(health, because=["database", "search"])
        health.drain()
        assert_not_ready(health, because="draining")
        with break_check(health, "database"):
            assert_not_ready(health, because=("database", "draining"))

    run_app(
        test,
        frequent("database", Dependency().plain),
        frequent("search", Dependency().plain, critical=False),
    )


def test_a_check_without_a_result_is_no_reason_but_the_start_is() -> None:
    health = Health({"database": Dependency().plain})
    assert_not_ready(health, because="starting")
    with pytest.raises(AssertionError, match=r"not because of database: starting; check 'database': no result yet$"):
        assert_not_ready(health, because="database")


def test_wrong_arguments_are_refused() -> None:
    health = Health({"database": Dependency().plain, "cache": Dependency().plain})
    with pytest.raises(KeyError, match="break_check: there is no check 'databse'; the checks are: database, cache"):
        break_check(health, "databse")
    with pytest.raises(TypeError, match="break_check: health"):
        ANY.break_check(HealthMiddleware(Starlette(), health), "database")
    for function in (assert_ready, assert_not_ready):
        with pytest.raises(TypeError, match=f"{function.__name__}: health"):
            getattr(ANY, function.__name__)(None)


def test_the_health_of_an_app_is_found_around_it_and_inside_of_it() -> None:
    health = Health({"database": Dependency().plain})
    added = FastAPI()
    added.add_middleware(HealthMiddleware, checks=health)
    for app in (health, HealthMiddleware(Starlette(), health), added):
        assert health_of(app) is health
    with pytest.raises(ValueError, match="Starlette has no HealthMiddleware around it"):
        health_of(Starlette())
    with pytest.raises(ValueError, match="HealthMiddleware has 2 HealthMiddlewares around it"):
        health_of(HealthMiddleware(HealthMiddleware(Starlette())))
