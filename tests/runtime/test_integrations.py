"""When the integrations of an app start and stop, and that none of them harms the app or another one."""

import logging
import multiprocessing
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection

import anyio
import anyio.to_thread
import pytest

from asgi_health import CannotListen, Health, HealthMiddleware, Integration, ProbeTransition, Subscription, Transition
from asgi_health.asgi.types import App
from asgi_health.core.stalls import StallTimes
from asgi_health.runtime import loop_services

from ..support.app_thread import LOOPS, Blocked, running_app
from ..support.asgi_caller import ask, echo_nothing
from ..support.lifespan_apps import ReceiveEvent, SendEvent, lifespan_app, make_app
from ..support.lifespan_driver import LifespanDriver, serving
from ..support.services import stop_services
from ..support.waiting import wait_until, wait_until_async


class Recorder:
    """An integration that logs what happens to it, and the transitions of readiness."""

    def __init__(self, log: list[str], name: str = "it", *, fails: Exception | None = None) -> None:
        self.log = log
        self.name = name
        self.fails = fails
        self.health: Health | None = None
        self.subscription: Subscription | None = None

    def start(self, health: Health, /) -> None:
        self.log.append(f"{self.name} starts")
        if self.fails is not None:
            raise self.fails
        self.health = health
        self.subscription = health.subscribe(self.receive)

    def receive(self, transition: Transition) -> None:
        if isinstance(transition, ProbeTransition) and transition.probe.value == "readiness":
            self.log.append(f"{self.name} receives {transition.cause}")

    def stop(self) -> None:
        self.log.append(f"{self.name} stops")
        if self.subscription is not None:
            self.subscription.cancel()
        if self.fails is not None:
            raise self.fails


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Callable[..., object]:
    backend, options = LOOPS[request.param]
    return lambda main: anyio.run(main, backend=backend, backend_options=options)


def logging_app(log: list[str]) -> App:
    async def script(receive: ReceiveEvent, send: SendEvent) -> None:
        await receive()
        log.append("app starts")
        await send("startup.complete")
        await receive()
        log.append("app stops")
        await send("shutdown.complete")

    return make_app(script)


def test_it_starts_before_the_app_and_stops_after_the_last_transition_in_each_lifespan(
    run: Callable[..., object],
) -> None:
    log: list[str] = []
    it = Recorder(log)
    app = HealthMiddleware(logging_app(log), {"a": lambda: True}, integrations=[it])

    async def main() -> None:
        async with serving(app):
            assert it.health is app.health
            await wait_until_async(lambda: "it receives started" in log, "the transitions come")

    for _ in range(2):
        log.clear()
        run(main)
        assert log == [
            "it starts", "app starts", "it receives started", "it receives stopped", "app stops", "it stops",
        ]  # fmt: skip


def test_a_program_without_a_server_has_integrations_too(run: Callable[..., object]) -> None:
    log: list[str] = []

    async def main() -> None:
        async with Health({"a": lambda: True}).running(integrations=[Recorder(log)]):
            await wait_until_async(lambda: "it receives started" in log, "the transitions come")

    run(main)
    assert log == ["it starts", "it receives started", "it receives stopped", "it stops"]


def test_without_lifespan_it_starts_with_the_first_request_and_the_checks_run(run: Callable[..., object]) -> None:
    log: list[str] = []
    runs: list[int] = []

    def check() -> bool:
        runs.append(1)
        return True

    app = HealthMiddleware(echo_nothing, {"a": check}, integrations=[Recorder(log)])

    async def main() -> None:
        assert (await ask(app, "/ordinary")).from_app
        await wait_until_async(lambda: log == ["it starts", "it receives started"], "the checks have run")
        stop_services(app)

    assert log == []
    run(main)
    assert runs


def test_one_that_cannot_listen_keeps_the_app_from_starting(run: Callable[..., object]) -> None:
    log: list[str] = []
    fails = CannotListen("grpc: cannot listen on 127.0.0.1:50051: in use")
    integrations = [Recorder(log, "a", fails=fails), Recorder(log, "b")]
    app = HealthMiddleware(logging_app(log), integrations=integrations)

    async def main() -> None:
        server = LifespanDriver(app)
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            await server.startup()
        assert server.received == ["startup.failed"]

    run(main)
    assert log == ["a starts", "b starts", "b stops", "a stops"]


def test_without_lifespan_one_that_cannot_listen_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    fails = CannotListen("grpc: cannot listen on 127.0.0.1:50051: in use")
    app = HealthMiddleware(echo_nothing, integrations=[Recorder([], fails=fails)])

    async def main() -> None:
        assert (await ask(app, "/ordinary")).from_app
        assert (await ask(app)).status == 200
        stop_services(app)

    anyio.run(main)
    assert ("asgi_health", logging.ERROR, str(fails)) in caplog.record_tuples


def test_one_that_fails_harms_neither_the_app_nor_another(
    run: Callable[..., object], caplog: pytest.LogCaptureFixture
) -> None:
    log: list[str] = []
    integrations = [Recorder(log, "a", fails=LookupError("x")), Recorder(log, "b")]
    app = HealthMiddleware(logging_app(log), {"a": lambda: True}, integrations=integrations)

    async def main() -> None:
        async with serving(app):
            await wait_until_async(lambda: "b receives started" in log, "the transitions come")
            assert (await ask(app)).status == 200

    run(main)
    assert log[-2:] == ["b stops", "a stops"]
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR] == [
        "integration Recorder cannot start, and the app starts without it",
        "integration Recorder failed to stop",
    ]


def test_another_app_cannot_take_one_away_that_is_in_use(
    run: Callable[..., object], caplog: pytest.LogCaptureFixture
) -> None:
    log: list[str] = []
    it = Recorder(log)

    async def main() -> None:
        first, second = Health(), Health()
        async with first.running(integrations=[it]):
            async with second.running(integrations=[it]):
                assert second.report().phase == first.report().phase
            assert it.health is first
            assert log.count("it starts") == 1
            assert "it stops" not in log
        async with second.running(integrations=[it]):
            assert it.health is second

    run(main)
    assert log.count("it stops") == 2
    assert caplog.text.count("RuntimeError: another app uses it at the moment; make one for each app") == 1


def test_one_whose_app_has_ended_without_a_shutdown_is_free_for_another(run: Callable[..., object]) -> None:
    it = Recorder([])
    former = HealthMiddleware(echo_nothing, integrations=[it])
    second = Health()

    async def serve() -> None:
        assert (await ask(former, "/ordinary")).from_app
        assert it.health is former.health

    async def main() -> None:
        async with second.running(integrations=[it]):
            assert it.health is second

    run(serve)
    run(main)


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_the_end_of_a_forked_child_stops_nothing_of_its_parent() -> None:
    log: list[str] = []
    app = HealthMiddleware(echo_nothing, integrations=[Recorder(log)])

    def child(up: Connection) -> None:
        stop_services(app)
        up.send("it stops" in log)

    async def main() -> bool:
        assert (await ask(app, "/ordinary")).from_app
        fork = multiprocessing.get_context("fork")
        here, there = fork.Pipe()
        process = fork.Process(target=child, args=(there,))
        process.start()
        stopped = bool(await anyio.to_thread.run_sync(here.recv))
        process.join()
        stop_services(app)
        return stopped

    assert not anyio.run(main)
    assert "it stops" in log


def test_it_receives_a_stall_without_a_listener(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_services, "StallTimes", partial(StallTimes, 0.2, 60.0))  # in place of five seconds
    log: list[str] = []
    with running_app(HealthMiddleware(lifespan_app, integrations=[Recorder(log)]), "asyncio") as portal:
        with Blocked(portal):
            wait_until(lambda: log[-1] == "it receives stalled", "the stall is delivered")
        wait_until(lambda: log.count("it receives stalled") == 2, "its end is delivered")


class WithAsyncMethods:
    async def start(self, health: Health, /) -> None: ...

    async def stop(self) -> None: ...


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (Recorder([]), "not <"),
        ("systemd", "not 'systemd'"),
        (None, "not None"),
        ([Recorder], "not the class Recorder: call it to make one"),
        (["a"], "str has no plain methods start"),
        ([WithAsyncMethods()], "WithAsyncMethods has no plain methods start"),
    ],
    ids=["itself", "string", "none", "class", "strings", "async"],
)
def test_what_is_no_integration_is_refused(wrong: object, expected: str) -> None:
    with pytest.raises(TypeError, match=f"integrations: expected a list of integrations.*{expected}"):
        HealthMiddleware(echo_nothing, integrations=wrong)  # type: ignore[arg-type]


def test_the_same_twice_is_refused_and_an_iterator_is_taken() -> None:
    it = Recorder([])
    with pytest.raises(ValueError, match="integrations: the same Recorder is given twice"):
        HealthMiddleware(echo_nothing, integrations=[it, it])
    expected: tuple[Integration, ...] = (it,)
    assert HealthMiddleware(echo_nothing, integrations=iter([it])).integrations == expected
