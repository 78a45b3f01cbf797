"""SIGTERM with a drain, on each server, without a balancer in front of it.

For each server all cases run at the same time, in a process each, and the tests check the results.
"""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import uvicorn
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from asgi_health import Drain, HealthMiddleware
from benchmarks.rolling.app import Settings, signals
from benchmarks.rolling.backend import held_port, launched
from benchmarks.rolling.servers import DAPHNE, HYPERCORN_WORKERS, SERVERS, UVICORN, UVICORN_WORKERS

from ..apps import plain_app
from ..support.waiting import wait_until
from .process import EXIT, Exit, Running
from .servers import Server
from .wire import Answer, Connection, request
from .workers import PARSERS, wait_until_draining, wait_until_ready

T = TypeVar("T")

pytestmark = pytest.mark.timeout(120)

DELAY = 3.0  # long enough to observe a drain on a busy machine
SHORT = 1.0  # seconds of a request that begins before the drain and ends before the server stops
LONG = 4.0  # seconds of a request that the server has to wait for
NEVER = 300.0  # a delay that no test waits for

DRAINS = {"delay": DELAY}
HOLDS = {"delay": NEVER}
ENDPOINT = {"delay": DELAY, "path": "/drain", "allow": True}

ENVOY = "x-envoy-immediate-health-check-fail"

CLOSES_AT_ONCE = {"uvicorn": 1012, "gunicorn-uvicorn": 1012, "granian": None, "daphne": None}
"""The codes with which servers close a websocket as soon as they stop; None: they drop it without a close frame."""

# The cases, and the drain of each.
CASES: dict[str, dict[str, Any] | None] = {
    "drained": DRAINS,
    "websocket": DRAINS,
    "asked to drain": ENDPOINT,
    "two signals": HOLDS,
    "interrupted": HOLDS,
    "plain": None,
    "plain, interrupted": None,
}


@dataclass
class Results:
    """What was observed in each case."""

    exits: dict[str, Exit]
    handlers: dict[str, str]  # of SIGTERM while it serves

    probes: dict[str, int]  # statuses while it drains
    ordinary: Answer  # to a request that comes while it drains
    before: list[Answer]  # to requests on one connection, before it drains
    last: Answer  # to the next request on that connection, while it drains
    after_last: bytes  # what the server sends on that connection until it closes it; not asked of daphne
    slow: dict[float, Answer]  # to the requests that were in flight

    echo: str | bytes  # of a websocket, while it drains
    open_for: float  # seconds from SIGTERM until its server closed it or refused connections
    closed: tuple[int | None] | None  # the code of the close frame, if any; None: not asked of this server

    hook: Answer  # to the request to drain
    hook_after: float
    hook_probes: dict[str, int]


@pytest.fixture(scope="module", params=[each for each in SERVERS if each.name not in PARSERS], ids=str)
def drainer(request: pytest.FixtureRequest) -> Server:
    row: Server = request.param
    return row


@pytest.fixture(scope="module")
def results(drainer: Server) -> Results:
    with ExitStack() as stack:
        all_of = {name: launch(stack, drainer, drain) for name, drain in CASES.items()}
        for running in all_of.values():
            wait_until_ready(running)
        handlers = {name: running.ask("GET", "/signals").body.decode() for name, running in all_of.items()}

        drained, with_websocket, asked = (all_of[name] for name in ("drained", "websocket", "asked to drain"))
        # daphne ends without waiting for requests.
        waiting = {each: begin(stack, drained, each) for each in ((SHORT,) if drainer is DAPHNE else (SHORT, LONG))}
        kept = stack.enter_context(Connection(drained.address))
        before = [kept.ask("GET", "/ordinary") for _ in range(2)]
        talk = stack.enter_context(websocket(with_websocket))
        hook = stack.enter_context(Connection(asked.address))

        begun = time.monotonic()
        drained.terminate()
        with_websocket.terminate()
        hook.send(request("POST", "/drain", [("connection", "close")]))
        wait_until_draining(drained)
        wait_until_draining(with_websocket)
        asked.wait_for_status("/readyz", 503)
        probes, hook_probes = (
            {path: running.status(path) for path in ("/livez", "/readyz", "/startupz", "/health")}
            for running in (drained, asked)
        )
        ordinary = drained.ask("GET", "/ordinary")
        last = kept.ask("GET", "/ordinary")
        # daphne leaves closing it to the client, as the header asks it to (RFC 9112, 9.6).
        after_last = b"" if drainer is DAPHNE else kept.rest()
        talk.send("echo")
        echo = talk.recv(timeout=EXIT)

        all_of["plain"].terminate()
        all_of["two signals"].terminate()
        for name in ("interrupted", "plain, interrupted"):
            to_all_processes(all_of[name], signal.SIGINT)
        wait_until_draining(all_of["two signals"])
        to_all_processes(all_of["two signals"], signal.SIGTERM)

        # In a thread each: after another one, the second would seem to have lasted as long.
        with ThreadPoolExecutor() as pool:
            talking = pool.submit(timed, lambda: stops(talk, with_websocket))
            hooking = pool.submit(timed, lambda: finish(hook))
            slow = {seconds: finish(connection) for seconds, connection in waiting.items()}
        closed = close_code(talk) if at_once(drainer) else None
        talk.close()
        asked.terminate()
        exits = {name: running.wait_for_exit() for name, running in all_of.items() if name != "websocket"}
    (_, stopped), (hook_answer, answered) = talking.result(), hooking.result()
    return Results(
        exits=exits,
        handlers=handlers,
        probes=probes,
        ordinary=ordinary,
        before=before,
        last=last,
        after_last=after_last,
        slow=slow,
        echo=echo,
        open_for=stopped - begun,
        closed=closed,
        hook=hook_answer,
        hook_after=answered - begun,
        hook_probes=hook_probes,
    )


def launch(stack: ExitStack, server: Server, drain: dict[str, Any] | None) -> Running:
    return stack.enter_context(launched(server, stack.enter_context(held_port()), Settings(drain)))


def start(stack: ExitStack, server: Server, drain: dict[str, Any] | None) -> Running:
    running = launch(stack, server, drain)
    wait_until_ready(running)
    return running


def to_all_processes(running: Running, number: int) -> None:
    """Send a signal as a terminal does. A first process with workers does not pass a second signal on."""
    os.killpg(running.process.pid, number)
    running.deadline = time.monotonic() + EXIT


def websocket(running: Running) -> ClientConnection:
    assert not isinstance(running.address, str)
    host, port = running.address
    return connect(f"ws://{host}:{port}/talk", open_timeout=EXIT, close_timeout=1.0, compression=None)


def stops(talk: ClientConnection, running: Running) -> None:
    wait_until(lambda: is_closed(talk) or refuses(running), "the websocket is closed, or its server has stopped")


def at_once(server: Server) -> list[int | None]:
    """Return the code with which it closes a websocket, or nothing where it does not do so at once."""
    return [code for name, code in CLOSES_AT_ONCE.items() if server.name.startswith(name)]


def close_code(talk: ClientConnection) -> tuple[int | None]:
    """Wait for the end of the websocket."""
    with pytest.raises(ConnectionClosed) as raised:
        talk.recv(timeout=EXIT)
    return (raised.value.rcvd.code if raised.value.rcvd else None,)


def is_closed(talk: ClientConnection) -> bool:
    try:
        talk.recv(timeout=0.01)
    except ConnectionClosed:
        return True
    except TimeoutError:
        return False
    raise AssertionError("the app has sent a message without a request")


def refuses(running: Running) -> bool:
    """Return whether it has stopped; hypercorn and gunicorn's asgi worker leave websockets open even then."""
    try:
        with Connection(running.address):
            return False
    except ConnectionRefusedError:
        return True


def begin(stack: ExitStack, running: Running, seconds: float) -> Connection:
    """Send a request, and return when the app has begun to answer it."""
    path = f"/slow/{seconds}"
    connection = stack.enter_context(Connection(running.address))
    connection.send(request("GET", path, [("connection", "close")]))
    wait_until(lambda: f"begun {path}" in running.folder.events, f"{path} has begun")
    return connection


def timed(call: Callable[[], T]) -> tuple[T, float]:
    """Return what it returns, and when."""
    return call(), time.monotonic()


def finish(connection: Connection) -> Answer:
    return connection.exchange(b"", "GET")


def test_only_readiness_changes_during_a_drain(results: Results) -> None:
    assert results.probes == {"/livez": 200, "/readyz": 503, "/startupz": 200, "/health": 503}
    assert (results.ordinary.status, results.ordinary.body) == (200, b"/ordinary")


def test_a_kept_connection_is_closed_after_the_next_response(results: Results) -> None:
    assert [(each.status, each.all("connection")) for each in results.before] == [(200, [])] * 2
    assert (results.last.status, results.last.body) == (200, b"/ordinary")
    assert results.last.one("connection") == "close"
    assert results.after_last == b""


def test_requests_in_flight_are_answered(results: Results) -> None:
    assert SHORT in results.slow
    for seconds, answer in results.slow.items():
        assert (answer.status, answer.body) == (200, f"/slow/{seconds}".encode())


def test_a_websocket_stays_open_until_the_server_stops(results: Results) -> None:
    assert results.echo == "echo"
    assert results.open_for >= DELAY


def test_the_websocket_is_then_closed_at_once_with_a_code_or_without_one(results: Results, drainer: Server) -> None:
    assert results.closed == (tuple(at_once(drainer)) or None)


def test_the_server_stops_as_without_a_drain(results: Results) -> None:
    results.exits["drained"].assert_quiet()
    assert results.exits["drained"].code == results.exits["plain"].code


def test_a_second_sigterm_is_not_delayed(results: Results) -> None:
    results.exits["two signals"].assert_quiet()
    assert results.exits["two signals"].code in codes_like(results.exits["plain"])


def test_sigint_is_not_delayed(results: Results) -> None:
    drained, plain = results.exits["interrupted"], results.exits["plain, interrupted"]
    assert plain.code is not None
    assert drained.code in codes_like(plain)
    assert (drained.alone, drained.noise) == (plain.alone, plain.noise)


def codes_like(plain: Exit) -> set[int | None]:
    """Return the codes with which the server may end when all of its processes get a signal.

    granian 2.8 ends with 1 in about 4 of 100 cases, without a Drain too: its first process sees that the worker has
    ended before it sees the signal.
    """
    return {0, 1} if plain.server.name.startswith("granian") else {plain.code}


def test_the_endpoint_answers_when_the_drain_is_over(results: Results, drainer: Server) -> None:
    if drainer is not UVICORN_WORKERS:  # one request drains one of its two workers
        assert results.hook_probes == results.probes
    assert results.hook.status == 200
    assert results.hook_after >= DELAY
    results.exits["asked to drain"].assert_quiet()
    assert results.exits["asked to drain"].code == results.exits["plain"].code


def test_the_signal_handlers_are_restored(results: Results, drainer: Server) -> None:
    assert "asgi_health" in results.handlers["drained"]
    if drainer.lifespan:
        before, after = handlers_noted(results.exits["drained"])
        assert before == after


def test_without_a_drain_nothing_is_installed(results: Results, drainer: Server) -> None:
    assert "asgi_health" not in results.handlers["plain"]
    if drainer.lifespan:
        before, after = handlers_noted(results.exits["plain"])
        assert before == after


def handlers_noted(end: Exit) -> list[set[str]]:
    """Return the signal handlers at the startup of the app, before those of asgi_health, and at its shutdown."""
    noted = [event.partition(" ") for event in end.events]
    # Without the descriptor, which differs each time uvloop runs.
    return [
        {handler.rpartition(" ")[0] for event, _, handler in noted if event == when} for when in ("startup", "shutdown")
    ]


@pytest.mark.parametrize(
    "server", [row for row in SERVERS if row.name in ("granian-asyncio", "hypercorn-0-workers")], ids=str
)
def test_over_http_2_responses_have_the_header_for_envoy_and_no_connection_header(server: Server) -> None:
    with ExitStack() as stack:
        running = start(stack, server, HOLDS | {"envoy": True})
        assert not isinstance(running.address, str)
        host, port = running.address
        transport = httpx.HTTPTransport(http1=False, http2=True)
        client = stack.enter_context(httpx.Client(transport=transport, base_url=f"http://{host}:{port}", timeout=EXIT))
        assert ENVOY not in client.get("/ordinary").headers
        running.terminate()
        wait_until_draining(running)
        for path, status in (("/ordinary", 200), ("/readyz", 503), ("/livez", 200)):
            answer = client.get(path)
            assert (answer.http_version, answer.status_code) == ("HTTP/2", status)
            assert answer.headers[ENVOY] == "true"
            assert "connection" not in answer.headers
        client.close()
        to_all_processes(running, signal.SIGTERM)
        end = running.wait_for_exit()
    end.assert_quiet()


def test_after_a_drain_by_the_endpoint_the_signal_is_passed_on_at_once() -> None:
    with ExitStack() as stack:
        running = start(stack, UVICORN, ENDPOINT | {"delay": 0.5})
        assert running.ask("GET", "/drain").status == 200
        end = running.stop()
    end.assert_quiet()
    assert "draining: a request to the drain path came" in end.log
    assert "SIGTERM: draining" not in end.log  # which the log says of a delayed signal


def test_the_file_drains_every_worker(tmp_path: Path) -> None:
    file = tmp_path / "drain"
    with ExitStack() as stack:
        running = start(stack, UVICORN_WORKERS, {"delay": 0.0, "file": str(file)})
        connections = one_to_each_worker(stack, running)

        assert {each.ask("GET", "/readyz").status for each in connections} == {200}
        file.touch()
        for each in connections:  # the first 503 of a worker is its last answer on that connection
            wait_until(partial(refuses_traffic, each), "every worker is drained")
            assert each.rest() == b""
        assert running.status("/livez") == 200
        file.unlink()
        ready: set[bytes] = set()

        def all_are_ready() -> bool:
            with Connection(running.address) as connection:
                answer = connection.ask("GET", "/process")
                if "close" not in answer.all("connection") and connection.ask("GET", "/readyz").status == 200:
                    ready.add(answer.body)
            return len(ready) == 2

        wait_until(all_are_ready, "every worker is ready again, and keeps its connections")
        end = running.stop()
    end.assert_quiet()


def refuses_traffic(connection: Connection) -> bool:
    return connection.ask("GET", "/readyz").status == 503


def one_to_each_worker(stack: ExitStack, running: Running) -> list[Connection]:
    """Return two kept connections, one to each of two processes."""
    found: dict[bytes, Connection] = {}

    def complete() -> bool:
        connection = stack.enter_context(Connection(running.address))
        found.setdefault(connection.ask("GET", "/process").body, connection)
        return len(found) == 2

    wait_until(complete, "both workers answer")
    return list(found.values())


def test_with_workers_of_hypercorn_there_is_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    # Coverage handles SIGTERM in every process that it measures, and with a handler there is no warning.
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    with ExitStack() as stack:
        running = start(stack, HYPERCORN_WORKERS, HOLDS)
        warnings = [line for line in running.log.splitlines() if line.startswith("drain: ")]
        end = running.stop()
    end.assert_quiet()
    assert len(warnings) == 1
    assert "Drain(file=...)" in warnings[0]


def test_a_stop_without_a_signal_restores_the_handlers_too() -> None:
    seen: dict[str, str] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen[scope["type"]] = signals()
        await plain_app(scope, receive, send)
        seen[f"{scope['type']} has ended"] = signals()

    async def main() -> None:
        wrapped = HealthMiddleware(app, drain=Drain(delay=NEVER))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = uvicorn.Server(uvicorn.Config(wrapped, log_level="critical", lifespan="on", loop="asyncio"))
            serving = asyncio.create_task(server.serve([listener]))
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(request("GET", "/ordinary", [("connection", "close")]))
            await reader.read()
            writer.close()
            server.should_exit = True
            await serving

    before = signals()
    asyncio.run(main())
    assert signals() == before
    assert "asgi_health" in seen["http"]
    assert seen["lifespan has ended"] == seen["lifespan"]
