"""All that is said between a server and an app, and when the checks run, for every way an app may live."""

from collections.abc import Sequence
from dataclasses import dataclass

import anyio
import pytest

from asgi_health import Check, Health, HealthMiddleware
from asgi_health.asgi.types import Message, Receive, Scope, Send

from ..support import lifespan_apps as lives
from ..support.lifespan_apps import ERROR, Script, life
from ..support.lifespan_driver import Server, alive
from ..support.virtual_time import BACKENDS, clock_of, run_virtual

STARTED = ("server: startup", "app hears startup", "app says startup.complete", "server hears startup.complete")
TAKEN_OVER = ("server: startup", "server hears startup.complete")
STOPPING = ("server: shutdown", "check ends")
STOPPED = ("app hears shutdown", "app says shutdown.complete", "server hears shutdown.complete")


@dataclass(frozen=True)
class Row:
    """`log` is the whole of it; `error` is what the server gets to see."""

    script: Script
    log: Sequence[str]
    error: bool = False


ROWS = [
    Row(lives.takes_part, [*STARTED, "check begins", *STOPPING, *STOPPED, "over"]),
    Row(lives.lingers_when_stopped, [*STARTED, "check begins", *STOPPING, *STOPPED, "over"]),
    # It does not take part: the middleware does, in its place.
    *(
        Row(script, [*TAKEN_OVER, "check begins", *STOPPING, "server hears shutdown.complete", "over"])
        for script in (lives.raises_at_once, lives.raises_before_it_listens, lives.returns_at_once)
    ),
    # It stops taking part: the middleware goes on for it.
    Row(
        lives.returns_without_a_word,
        [
            *("server: startup", "app hears startup", "server hears startup.complete", "check begins"),
            *(*STOPPING, "server hears shutdown.complete", "over"),
        ],
    ),
    *(
        Row(script, [*STARTED, "check begins", *STOPPING, "server hears shutdown.complete", "over"])
        for script in (lives.returns_when_started, lives.returns_a_while_after_it_started)
    ),
    Row(
        lives.returns_without_a_last_word,
        [*STARTED, "check begins", *STOPPING, "app hears shutdown", "server hears shutdown.complete", "over"],
    ),
    # It does not start: no check ever runs.
    Row(
        lives.fails_to_start,
        ["server: startup", "app hears startup", "app says startup.failed", "server hears startup.failed", "over"],
    ),
    Row(
        lives.fails_to_start_and_raises,
        ["server: startup", "app hears startup", "app says startup.failed", "server hears startup.failed", "over"],
        error=True,
    ),
    Row(lives.crashes_while_it_starts, ["server: startup", "app hears startup", "over"], error=True),
    # It breaks off. The checks end too, without anybody waiting for them.
    Row(lives.crashes_when_started, [*STARTED, "over"], error=True),
    Row(lives.crashes_later, [*STARTED, "check begins", "over", "check ends"], error=True),
    Row(lives.crashes_while_it_stops, [*STARTED, "check begins", *STOPPING, "app hears shutdown", "over"], error=True),
    Row(
        lives.fails_to_stop,
        [
            *(*STARTED, "check begins", *STOPPING, "app hears shutdown"),
            *("app says shutdown.failed", "server hears shutdown.failed", "over"),
        ],
    ),
    Row(lives.crashes_when_stopped, [*STARTED, "check begins", *STOPPING, *STOPPED, "over"], error=True),
    # It breaks the protocol, and gets by with it under a server that does not look.
    Row(
        lives.speaks_before_it_listens,
        [
            *("server: startup", "app says startup.complete", "server hears startup.complete", "app hears startup"),
            *("check begins", *STOPPING, *STOPPED, "over"),
        ],
    ),
]


def middleware(script: Script, log: list[str], backend: str) -> HealthMiddleware:
    """One check that begins to run and never answers, so that the log shows when it may live."""

    async def run() -> None:
        log.append("check begins")
        try:
            await anyio.sleep_forever()
        finally:
            log.append("check ends")

    return HealthMiddleware(
        life(script, log), Health([Check("hangs", run, timeout=300.0, interval=100.0)], clock=clock_of(backend))
    )


async def live(server: Server) -> None:
    """A life as servers lead it, with time for everything to settle."""
    await server.startup()
    await anyio.sleep(2.0)
    if "startup.complete" in server.heard and not server.over:
        await server.shutdown()
    await anyio.sleep(2.0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.script.__name__)
def test_server_app_and_checks_come_in_this_order(row: Row, backend: str) -> None:
    log: list[str] = []
    server = Server(middleware(row.script, log, backend), log)

    async def main() -> set[object]:
        before = alive()
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            await live(server)
        return alive() - before

    assert run_virtual(backend, main) == set()
    assert log == list(row.log)
    assert server.error is (ERROR if row.error else None)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("script", "log"),
    [
        (lives.takes_part, [*STARTED, "check begins", *STOPPING, *STOPPED, "over"]),
        (lives.lingers_when_stopped, [*STARTED, "check begins", *STOPPING, *STOPPED, "over"]),
        (
            lives.raises_at_once,
            [*TAKEN_OVER, "check begins", *STOPPING, "server hears shutdown.complete", "over"],
        ),
    ],
)
def test_a_server_may_cancel_right_after_shutdown_complete(script: Script, log: list[str], backend: str) -> None:
    seen: list[str] = []
    server = Server(middleware(script, seen, backend), seen)
    server.cancel_after = "shutdown.complete"

    async def main() -> set[object]:
        before = alive()
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            await live(server)
        return alive() - before

    assert run_virtual(backend, main) == set()
    assert seen == log
    assert server.error is None


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("script", "log"),
    [
        (lives.takes_part, [*STARTED, "check begins", "over", "check ends"]),
        (lives.raises_at_once, [*TAKEN_OVER, "check begins", "over", "check ends"]),
        (lives.returns_when_started, [*STARTED, "check begins", "over", "check ends"]),
    ],
)
def test_a_lifespan_that_is_cancelled_in_the_middle_takes_the_checks_along(
    script: Script, log: list[str], backend: str
) -> None:
    seen: list[str] = []
    server = Server(middleware(script, seen, backend), seen)

    async def main() -> set[object]:
        before = alive()
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            await server.startup()
            await anyio.sleep(2.0)
            server.cancel()
            await anyio.sleep(0.1)
        return alive() - before

    assert run_virtual(backend, main) == set()
    assert seen == log
    assert server.cancelled


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cancel", [True, False], ids=["cancelled", "abandoned"])
def test_a_check_cleans_up_when_the_loop_ends_without_a_shutdown(backend: str, cancel: bool) -> None:
    log: list[str] = []
    server = Server(middleware(lives.takes_part, log, backend), log)

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
    assert log == [*STARTED, "check begins", *(["over"] if cancel else []), "check ends"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_lifespan_that_is_cancelled_while_the_app_starts_runs_no_check(backend: str) -> None:
    log: list[str] = []

    async def starts_slowly(hear: lives.Hear, say: lives.Say) -> None:
        await hear()
        await anyio.sleep(100.0)
        raise AssertionError("it was cancelled")

    server = Server(middleware(starts_slowly, log, backend), log)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            server.say("startup")
            await anyio.sleep(1.0)
            server.cancel()
            await anyio.sleep(100.0)

    run_virtual(backend, main)
    assert log == ["server: startup", "app hears startup", "over"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("script", [lives.takes_part, lives.returns_when_started, lives.raises_at_once])
def test_a_second_life_of_the_same_instance_is_like_the_first(script: Script, backend: str) -> None:
    log: list[str] = []
    app = middleware(script, log, backend)
    logs: list[list[str]] = []

    async def main() -> None:
        for _ in range(2):
            async with anyio.create_task_group() as group:
                server = Server(app, log)
                group.start_soon(server.run)
                await live(server)
            logs.append(log.copy())
            log.clear()

    run_virtual(backend, main)
    run_virtual(backend, main, start=clock_of(backend)())  # and on another loop
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

    server = Server(HealthMiddleware(app))
    state = server.scope["state"]

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            await live(server)

    run_virtual(backend, main)
    assert len(scopes) == 1
    assert scopes[0] is server.scope
    assert server.scope.keys() == {"type", "asgi", "state"}
    assert server.scope["state"] is state
    assert state == {"pool": "open"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_message_of_the_app_reaches_the_server_as_the_identical_object(backend: str) -> None:
    said: list[Message] = [
        {"type": "lifespan.startup.complete", "extra": object()},
        {"type": "lifespan.shutdown.failed", "message": "no"},
    ]
    heard: list[object] = []
    given: list[Message] = [
        {"type": "lifespan.startup", "extra": object()},
        {"type": "lifespan.shutdown", "extra": object()},
    ]
    got: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in said:
            got.append(await receive())
            await send(message)

    messages = iter(given)

    async def receive() -> Message:
        return next(messages)

    async def send(message: Message) -> None:
        heard.append(message)

    async def main() -> None:
        await HealthMiddleware(app)({"type": "lifespan"}, receive, send)

    run_virtual(backend, main)
    assert [id(each) for each in heard] == [id(each) for each in said]
    assert [id(each) for each in got] == [id(each) for each in given]
