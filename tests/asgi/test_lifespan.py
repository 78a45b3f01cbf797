"""The messages between a server and an app, and when the checks run, for everything that an app does in a lifespan."""

from collections.abc import Sequence
from dataclasses import dataclass

import anyio
import pytest

from asgi_health import Check, Health, HealthMiddleware
from asgi_health.asgi.types import Message, Receive, Scope, Send

from ..support import lifespan_apps as scripts
from ..support.lifespan_apps import ERROR, Script, make_app
from ..support.lifespan_driver import LifespanDriver, tasks_and_threads
from ..support.virtual_time import BACKENDS, clock_of, run_virtual

STARTUP = ("server sends startup", "app receives startup")
STARTED = (*STARTUP, "app sends startup.complete", "server receives startup.complete")
STARTED_WITHOUT_THE_APP = ("server sends startup", "server receives startup.complete")
STOPPING = ("server sends shutdown", "check ends")
STOPPED = ("app receives shutdown", "app sends shutdown.complete", "server receives shutdown.complete")
STOPPED_WITHOUT_THE_APP = "server receives shutdown.complete"
FAILED_TO_START = (*STARTUP, "app sends startup.failed", "server receives startup.failed")
FAILED_TO_STOP = ("app receives shutdown", "app sends shutdown.failed", "server receives shutdown.failed")
BEGINS, END = "check begins", "lifespan ends"


@dataclass(frozen=True)
class Row:
    """What happens in the lifespan of one app.

    Attributes:
        script: What the app does.
        log: All events in order.
        error: Whether the server gets the exception of the app.
    """

    script: Script
    log: Sequence[str]
    error: bool = False


ROWS = [
    Row(scripts.supports_lifespan, [*STARTED, BEGINS, *STOPPING, *STOPPED, END]),
    Row(scripts.lingers_when_stopped, [*STARTED, BEGINS, *STOPPING, *STOPPED, END]),
    # It does not support lifespan: the middleware answers the server.
    *(
        Row(script, [*STARTED_WITHOUT_THE_APP, BEGINS, *STOPPING, STOPPED_WITHOUT_THE_APP, END])
        for script in (scripts.raises_at_once, scripts.raises_before_it_receives, scripts.returns_at_once)
    ),
    # It returns early: the middleware answers the server from then on.
    Row(
        scripts.returns_before_startup_is_complete,
        [*STARTUP, "server receives startup.complete", BEGINS, *STOPPING, STOPPED_WITHOUT_THE_APP, END],
    ),
    *(
        Row(script, [*STARTED, BEGINS, *STOPPING, STOPPED_WITHOUT_THE_APP, END])
        for script in (scripts.returns_when_started, scripts.returns_later)
    ),
    Row(
        scripts.returns_before_shutdown_is_complete,
        [*STARTED, BEGINS, *STOPPING, "app receives shutdown", STOPPED_WITHOUT_THE_APP, END],
    ),
    # It does not start: no check ever runs.
    Row(scripts.fails_to_start, [*FAILED_TO_START, END]),
    Row(scripts.fails_to_start_and_raises, [*FAILED_TO_START, END], error=True),
    Row(scripts.crashes_while_it_starts, [*STARTUP, END], error=True),
    # It crashes. The checks end too, and nothing waits for them.
    Row(scripts.crashes_when_started, [*STARTED, END], error=True),
    Row(scripts.crashes_later, [*STARTED, BEGINS, END, "check ends"], error=True),
    Row(scripts.crashes_while_it_stops, [*STARTED, BEGINS, *STOPPING, "app receives shutdown", END], error=True),
    Row(scripts.fails_to_stop, [*STARTED, BEGINS, *STOPPING, *FAILED_TO_STOP, END]),
    Row(scripts.crashes_when_stopped, [*STARTED, BEGINS, *STOPPING, *STOPPED, END], error=True),
    # It violates the protocol, which some servers do not notice.
    Row(
        scripts.sends_before_it_receives,
        [
            *("server sends startup", "app sends startup.complete", "server receives startup.complete"),
            *("app receives startup", BEGINS, *STOPPING, *STOPPED, END),
        ],
    ),
]


def middleware(script: Script, log: list[str], backend: str) -> HealthMiddleware:
    """Return an app with one check that never ends by itself, so that the log shows when it may run."""

    async def run() -> None:
        log.append("check begins")
        try:
            await anyio.sleep_forever()
        finally:
            log.append("check ends")

    return HealthMiddleware(
        make_app(script, log), Health([Check("hangs", run, timeout=300.0, interval=100.0)], clock=clock_of(backend))
    )


async def start_and_stop(server: LifespanDriver) -> None:
    """Start the app and stop it, with pauses in which everything else can happen."""
    await server.startup()
    await anyio.sleep(2.0)
    if "startup.complete" in server.received and not server.ended:
        await server.shutdown()
    await anyio.sleep(2.0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.script.__name__)
def test_server_app_and_checks_come_in_this_order(row: Row, backend: str) -> None:
    log: list[str] = []
    server = LifespanDriver(middleware(row.script, log, backend), log)

    async def main() -> set[object]:
        before = tasks_and_threads()
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            await start_and_stop(server)
        return tasks_and_threads() - before

    assert run_virtual(backend, main) == set()
    assert log == list(row.log)
    assert server.error is (ERROR if row.error else None)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("script", "log"),
    [
        (scripts.supports_lifespan, [*STARTED, BEGINS, *STOPPING, *STOPPED, END]),
        (scripts.lingers_when_stopped, [*STARTED, BEGINS, *STOPPING, *STOPPED, END]),
        (
            scripts.raises_at_once,
            [*STARTED_WITHOUT_THE_APP, BEGINS, *STOPPING, STOPPED_WITHOUT_THE_APP, END],
        ),
    ],
)
def test_a_server_may_cancel_right_after_shutdown_complete(script: Script, log: list[str], backend: str) -> None:
    seen: list[str] = []
    server = LifespanDriver(middleware(script, seen, backend), seen, cancel_after="shutdown.complete")

    async def main() -> set[object]:
        before = tasks_and_threads()
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            await start_and_stop(server)
        return tasks_and_threads() - before

    assert run_virtual(backend, main) == set()
    assert seen == log
    assert server.error is None


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("script", "log"),
    [
        (scripts.supports_lifespan, [*STARTED, BEGINS, END, "check ends"]),
        (scripts.raises_at_once, [*STARTED_WITHOUT_THE_APP, BEGINS, END, "check ends"]),
        (scripts.returns_when_started, [*STARTED, BEGINS, END, "check ends"]),
    ],
)
def test_a_cancelled_lifespan_cancels_the_checks(script: Script, log: list[str], backend: str) -> None:
    seen: list[str] = []
    server = LifespanDriver(middleware(script, seen, backend), seen)

    async def main() -> set[object]:
        before = tasks_and_threads()
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            await server.startup()
            await anyio.sleep(2.0)
            server.cancel()
            await anyio.sleep(0.1)
        return tasks_and_threads() - before

    assert run_virtual(backend, main) == set()
    assert seen == log
    assert server.cancelled


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cancel", [True, False], ids=["cancelled", "abandoned"])
def test_a_check_cleans_up_when_the_loop_ends_without_a_shutdown(backend: str, cancel: bool) -> None:
    log: list[str] = []
    server = LifespanDriver(middleware(scripts.supports_lifespan, log, backend), log)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            await server.startup()
            await anyio.sleep(2.0)
            if cancel:
                server.cancel()
            else:
                group.cancel_scope.cancel()

    run_virtual(backend, main)
    assert log == [*STARTED, "check begins", *(["lifespan ends"] if cancel else []), "check ends"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_lifespan_that_is_cancelled_while_the_app_starts_runs_no_check(backend: str) -> None:
    log: list[str] = []

    async def starts_slowly(receive: scripts.ReceiveEvent, send: scripts.SendEvent) -> None:
        await receive()
        await anyio.sleep(100.0)
        raise AssertionError("it was cancelled")

    server = LifespanDriver(middleware(starts_slowly, log, backend), log)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            server.send("startup")
            await anyio.sleep(1.0)
            server.cancel()
            await anyio.sleep(100.0)

    run_virtual(backend, main)
    assert log == ["server sends startup", "app receives startup", "lifespan ends"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("script", [scripts.supports_lifespan, scripts.returns_when_started, scripts.raises_at_once])
def test_a_second_lifespan_of_the_same_app_is_like_the_first(script: Script, backend: str) -> None:
    log: list[str] = []
    app = middleware(script, log, backend)
    logs: list[list[str]] = []

    async def main() -> None:
        for _ in range(2):
            async with anyio.create_task_group() as group:
                server = LifespanDriver(app, log)
                group.start_soon(server.run)
                await start_and_stop(server)
            logs.append(log.copy())
            log.clear()

    run_virtual(backend, main)
    run_virtual(backend, main, start=clock_of(backend)())  # on another loop too
    assert logs[1:] == [logs[0]] * 3
    assert "check ends" in logs[0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_app_gets_the_scope_of_the_server_and_its_state(backend: str) -> None:
    scopes: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await receive()
        scope["state"]["pool"] = "open"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    server = LifespanDriver(HealthMiddleware(app))
    state = server.scope["state"]

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            await start_and_stop(server)

    run_virtual(backend, main)
    assert len(scopes) == 1
    assert scopes[0] is server.scope
    assert server.scope.keys() == {"type", "asgi", "state"}
    assert server.scope["state"] is state
    assert state == {"pool": "open"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_message_of_the_app_reaches_the_server_as_the_identical_object(backend: str) -> None:
    sent: list[Message] = [
        {"type": "lifespan.startup.complete", "extra": object()},
        {"type": "lifespan.shutdown.failed", "message": "no"},
    ]
    received: list[object] = []
    given: list[Message] = [
        {"type": "lifespan.startup", "extra": object()},
        {"type": "lifespan.shutdown", "extra": object()},
    ]
    got: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in sent:
            got.append(await receive())
            await send(message)

    messages = iter(given)

    async def receive() -> Message:
        return next(messages)

    async def send(message: Message) -> None:
        received.append(message)

    async def main() -> None:
        await HealthMiddleware(app)({"type": "lifespan"}, receive, send)

    run_virtual(backend, main)
    assert [id(each) for each in received] == [id(each) for each in sent]
    assert [id(each) for each in got] == [id(each) for each in given]
