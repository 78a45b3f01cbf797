"""Contexts around the runs of checks: where they are entered, what they see, and that they change nothing."""

import asyncio
import gc
import logging
import sys
import threading
import time
import warnings
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from types import TracebackType
from typing import Any, NoReturn

import anyio
import anyio.lowlevel
import pytest

from asgi_health import Check, Health, HealthMiddleware, Result, RunInfo, Status, degraded
from asgi_health.testing import lifespan, probe, settled
from tests.apps import plain_app
from tests.support.recording_checks import Counted
from tests.support.virtual_time import BACKENDS, clock_of, run_virtual
from tests.support.waiting import wait_until_async

pytestmark = pytest.mark.anyio

BRISK: dict[str, Any] = {"interval": 0.05, "retry_interval": 0.02, "timeout": 5.0}

inside: ContextVar[str] = ContextVar("inside", default="")


@pytest.fixture(params=BACKENDS)
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Recorder:
    """A factory whose contexts record what they see: each becomes one entry of `entries`."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    @contextmanager
    def __call__(self, run: RunInfo) -> Iterator[None]:
        entry: dict[str, Any] = {"run": run, "before": run.result, "thread": threading.current_thread()}
        token = inside.set(f"around {run.check.name}")
        try:
            yield
        except BaseException as error:
            entry["error"] = error
            raise
        finally:
            inside.reset(token)  # raises in another context than the one in which it was set
            entry |= {"after": run.result, "left in": threading.current_thread()}
            self.entries.append(entry)

    @property
    def results(self) -> list[Result | None]:
        return [entry["after"] for entry in self.entries]


async def run_once(check: Check, *factories: Callable[[RunInfo], AbstractContextManager[object]]) -> Result:
    """Return the result of one run of `check` in an app, with contexts of `factories` around it."""
    health = Health([check])
    for factory in factories:
        health.around_runs(factory)
    async with lifespan(HealthMiddleware(plain_app, health)):
        await settled(health)
        result = health.report().checks[0].state.result
    assert result is not None
    return result


async def pass_async() -> None:
    """Pass."""


def pass_plain() -> None:
    """Pass."""


async def fail_async() -> NoReturn:
    raise ConnectionError("refused")


def fail_plain() -> NoReturn:
    raise ConnectionError("refused")


def degrade() -> Result:
    return degraded("slow")


async def test_an_async_function_runs_inside_of_the_context_in_its_task() -> None:
    seen: list[str] = []

    async def check() -> None:
        await anyio.lowlevel.checkpoint()
        seen.append(inside.get())

    recorder = Recorder()
    await run_once(Check("database", check), recorder)
    (entry,) = recorder.entries
    assert seen == ["around database"]
    assert entry["thread"] is entry["left in"] is threading.current_thread()


async def test_a_plain_function_runs_inside_of_the_context_in_its_thread() -> None:
    seen: list[tuple[str, threading.Thread]] = []
    recorder = Recorder()
    await run_once(Check("disk", lambda: seen.append((inside.get(), threading.current_thread()))), recorder)
    (entry,) = recorder.entries
    assert seen == [("around disk", entry["thread"])]
    assert entry["thread"] is entry["left in"] is not threading.current_thread()


@pytest.mark.parametrize("function", [pass_async, pass_plain, fail_async, fail_plain, degrade, lambda: 0])
async def test_the_context_sees_the_result_that_is_counted(function: Callable[[], object]) -> None:
    recorder = Recorder()
    result = await run_once(Check("database", function), recorder)
    (entry,) = recorder.entries
    assert entry["before"] is None
    assert entry["after"] == result
    assert ("error" in entry) is (function in (fail_async, fail_plain))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_that_is_cancelled_at_its_deadline_has_the_result_that_is_counted(backend: str) -> None:
    recorder = Recorder()
    health = Health([Check("slow", anyio.sleep_forever, failure_threshold=1)], clock=clock_of(backend))
    health.around_runs(recorder)

    async def main() -> None:
        async with lifespan(HealthMiddleware(plain_app, health)):
            await wait_until_async(lambda: bool(recorder.entries), "the run is cancelled")
            assert recorder.results == [health.report().checks[0].state.result]
            assert recorder.results == [Result(Status.UNHEALTHY, "timed out after 2.0 s")]

    run_virtual(backend, main)


async def test_a_plain_function_that_returns_after_its_deadline_has_timed_out() -> None:
    release = threading.Event()
    recorder = Recorder()
    health = Health([Check("slow", lambda: release.wait(30.0), timeout=0.05)])
    health.around_runs(recorder)
    async with lifespan(HealthMiddleware(plain_app, health)):
        await settled(health)
        release.set()
        await wait_until_async(lambda: bool(recorder.entries), "the function has returned")
    assert recorder.results == [Result(Status.UNHEALTHY, "timed out after 0.1 s")]


@pytest.mark.parametrize("end", ["removed", "stopped"])
async def test_a_run_that_does_not_count_has_no_result(end: str) -> None:
    recorder = Recorder()
    started = anyio.Event()

    async def hang() -> None:
        started.set()
        await anyio.sleep_forever()

    health = Health([Check("hang", hang, timeout=60.0)])
    health.around_runs(recorder)
    async with lifespan(HealthMiddleware(plain_app, health)):
        await started.wait()
        if end == "removed":
            health.remove("hang")
            health.add(Check("other", pass_async))
            await wait_until_async(lambda: len(recorder.entries) == 2, "the run has ended, and that of the other")
    names = {entry["run"].check.name: entry["after"] for entry in recorder.entries}
    assert names["hang"] is None


async def test_contexts_nest_in_the_order_of_their_registration() -> None:
    log: list[str] = []

    def named(name: str) -> Callable[[RunInfo], AbstractContextManager[object]]:
        @contextmanager
        def around(run: RunInfo) -> Iterator[None]:
            log.append(f"enter {name}")
            yield
            log.append(f"leave {name}")

        return around

    await run_once(Check("database", lambda: log.append("run")), named("first"), named("second"))
    assert log == ["enter first", "enter second", "run", "leave second", "leave first"]


async def test_checks_run_on_demand_have_the_context_too() -> None:
    recorder = Recorder()
    health = Health([Check("database", pass_async)])
    health.around_runs(recorder)
    assert (await probe(HealthMiddleware(plain_app, health), "/readyz")).status == 200
    assert len(recorder.entries) == 1


async def test_a_factory_that_is_removed_is_not_called_and_the_run_is_as_without_one() -> None:
    stacks: list[list[str]] = []

    async def check() -> None:
        frame: Any = sys._getframe()
        stacks.append([])
        while frame is not None:
            stacks[-1].append(frame.f_code.co_qualname)
            frame = frame.f_back

    health = Health([Check("database", check, **BRISK)])
    recorder = Recorder()
    remove_first, remove_second = health.around_runs(recorder), health.around_runs(lambda run: nullcontext())
    async with lifespan(HealthMiddleware(plain_app, health)):
        await settled(health)
        with_hooks = stacks[-1]
        remove_first()
        remove_second()
        remove_second()  # no effect
        count, runs = len(recorder.entries), len(stacks)
        await wait_until_async(lambda: len(stacks) >= runs + 2, "the check runs")
        assert len(recorder.entries) <= count + 1, "of a run that had begun"
    added = set(with_hooks) - set(stacks[-1])
    assert added == {"RunHooks._around_async"}


class Broken(AbstractContextManager[None]):
    """Raise `error` where `place` says: in the factory, which makes it, or in the context itself."""

    def __init__(self, place: str, error: BaseException) -> None:
        self.place = place
        self.error = error
        if place == "factory":
            raise error

    def __enter__(self) -> None:
        if self.place == "enter":
            raise self.error

    def __exit__(self, *_: object) -> None:
        if self.place == "exit":
            raise self.error


ERRORS = [ValueError("no"), SystemExit(3), asyncio.CancelledError()]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("place", ["factory", "enter", "exit"])
@pytest.mark.parametrize("function", [pass_async, fail_plain])
async def test_a_factory_or_context_that_raises_is_logged_once_and_changes_nothing(
    function: Callable[[], object], place: str, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def break_the_run(run: RunInfo) -> Broken:
        return Broken(place, error)

    recorder = Recorder()
    expected = await run_once(Check("database", function, **BRISK))
    health = Health([Check("database", function, **BRISK)])
    health.around_runs(break_the_run)
    health.around_runs(recorder)
    caplog.clear()
    async with lifespan(HealthMiddleware(plain_app, health)):
        await wait_until_async(lambda: len(recorder.entries) >= 3, "the check goes on")
        assert health.report().checks[0].state.result == expected
    assert set(recorder.results[:3]) == {expected}
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert "a context around the run of check 'database' failed" in record.getMessage()
    assert "break_the_run" in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[1] is error


class Swallows(AbstractContextManager[None]):
    """Say at the end of each run that its exception was handled."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        return True


@pytest.mark.parametrize("function", [fail_async, fail_plain])
async def test_a_context_that_swallows_the_exception_does_not_make_the_check_pass(
    function: Callable[[], object],
) -> None:
    result = await run_once(Check("database", function), lambda run: Swallows())
    assert result == Result(Status.UNHEALTHY, "ConnectionError: refused")


async def test_ctrl_c_in_a_context_reaches_the_main_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted: list[bool] = []
    monkeypatch.setattr(
        "asgi_health.runtime.scheduler.run_hooks.interrupt_main", lambda: interrupted.append(True), raising=True
    )
    result = await run_once(Check("database", pass_async), lambda run: Broken("enter", KeyboardInterrupt()))
    assert result.status is Status.HEALTHY
    assert interrupted == [True]


async def test_an_awaitable_of_a_plain_function_has_a_context_of_its_own_with_the_same_run() -> None:
    seen: list[str] = []

    async def ask() -> None:
        await anyio.lowlevel.checkpoint()
        seen.append(inside.get())

    recorder = Recorder()
    await run_once(Check("database", lambda: ask()), recorder)  # noqa: PLW0108  the subject of this test
    first, second = recorder.entries
    assert seen == ["around database"]
    assert first["run"] is second["run"]
    assert [first["after"], second["after"]] == [None, Result(Status.HEALTHY)]
    assert first["thread"] is first["left in"] is not threading.current_thread()
    assert second["thread"] is second["left in"] is threading.current_thread()


async def test_an_awaitable_that_comes_too_late_is_closed_without_a_warning() -> None:
    returned = threading.Event()

    async def never() -> None:
        raise AssertionError("awaited")

    def late() -> Awaitable[None]:
        time.sleep(0.2)
        returned.set()
        return never()

    recorder = Recorder()
    health = Health([Check("late", late, timeout=0.05, interval=60.0, retry_interval=60.0)])
    health.around_runs(recorder)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        async with lifespan(HealthMiddleware(plain_app, health)):
            await wait_until_async(returned.is_set, "the function returns")
            await wait_until_async(
                lambda: not any(each.name == "asgi-health check late" for each in threading.enumerate()),
                "its thread has ended",
            )
            await anyio.sleep(0.01)
        gc.collect()
    assert [each for each in caught if "never awaited" in str(each.message)] == []
    assert recorder.results == [None]


@pytest.mark.parametrize("factory", [None, "a name", 3])
def test_a_factory_that_cannot_be_called_is_refused(factory: Any) -> None:
    with pytest.raises(TypeError, match="around_runs takes a function"):
        Health().around_runs(factory)


def test_a_run_is_compared_by_identity_and_takes_no_other_attribute() -> None:
    check = Check("database", Counted())
    assert RunInfo(check) != RunInfo(check)
    with pytest.raises(AttributeError):
        RunInfo(check).started = 1.0  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Generator[None]:
    """Wait for the threads of plain functions at the end of each test."""
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("asgi-health check"):
            thread.join(10.0)
